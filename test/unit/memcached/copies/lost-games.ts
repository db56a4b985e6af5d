/** Games that were lost once, with what was wrong. */
import type { GameSize, Round, Step } from './model-game.js';

const round = (
  together: readonly Step[],
  first: readonly Step[] = [],
  amid: readonly Step[] = [],
): Round => ({
  first,
  together,
  amid,
});
const save = (process: number, session = 0): Step => ({ do: 'save', process, session });
const destroy = (process: number, session = 0): Step => ({ do: 'destroy', process, session });
const rush = (process: number): Step => ({ do: 'rush', process, session: 0 });
const look = (process: number): Step => ({ do: 'look', process });
const step = (process: number): Step => ({ do: 'step', process });
const cut = (process: number, server: number): Step => ({ do: 'cut', process, server });
const BOTH_STEP = round([step(0), step(1)]);
const OTHER_NODE = { before: [0, 1], after: [0, 2] };

/** Games that were lost before. */
export const LOST: readonly {
  readonly because: string;
  readonly size: GameSize;
  readonly rounds: readonly Round[];
  readonly seed: number;
}[] = [
  {
    because: 'a content was there before the hint about it, which had to be written twice',
    size: { servers: 3, processes: 3, sessions: 1 },
    rounds: [
      round([save(0), { do: 'read', process: 1, session: 0 }]),
      round([save(1), save(1), save(2), save(2)], [cut(0, 0)], [cut(0, 2)]),
    ],
    seed: -994_363_815,
  },
  {
    because: 'a copy that somebody removed in the middle of a write was added again',
    size: { servers: 3, processes: 3, sessions: 2 },
    rounds: [round([save(2), destroy(2), save(0)], [], [{ do: 'wipe', server: 0 }]), round([destroy(0, 1)])],
    seed: 1_946_718_435,
  },
  {
    because: 'who destroyed did not know yet that others suspect a node, and left no tombstone',
    size: { servers: 2, processes: 2, sessions: 2 },
    rounds: [
      round([save(0), { do: 'look', process: 0 }], [], [cut(0, 0)]),
      round([destroy(1), save(0)], [{ do: 'join', process: 0, server: 0 }]),
      round([destroy(0, 1)]),
    ],
    seed: 1_559_173_358,
  },
  {
    because:
      'a node that started anew while it was removed from had lost its lock, and no tombstone told the writer',
    size: { servers: 3, processes: 3, sessions: 2 },
    rounds: [
      round(
        [save(0, 1), { do: 'write', process: 0, session: 1 }, { do: 'look', process: 1 }, destroy(1, 1)],
        [],
        [cut(0, 0), { do: 'wipe', server: 0 }],
      ),
    ],
    seed: -467_991_816,
  },
  {
    because:
      'each of two processes that were a step apart in a change of nodes thought that another node decides',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [0, 1], after: [0, 1, 2] } },
    rounds: [
      round([save(0)]),
      round([step(0), step(1)]),
      round([save(0), step(0)]),
      round([save(0, 1), save(1, 1), save(1, 1)]),
      round([save(0)]),
    ],
    seed: 0,
  },
  {
    because: 'a save that only a node of the next list took was acknowledged, which others did not know yet',
    size: { servers: 3, processes: 3, sessions: 2, change: { before: [0, 1], after: [2, 1] } },
    rounds: [
      round([step(0)]),
      round([save(0, 1), { do: 'look', process: 0 }], [cut(0, 1)]),
      round([save(0, 1)], [], [cut(0, 0)]),
      round([save(0)]),
    ],
    seed: 598_201_285,
  },
  {
    because: 'a save that only a node of the list before took was acknowledged',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [2, 0, 1], after: [0, 1] } },
    rounds: [
      round([step(1), step(0)]),
      round([step(0)]),
      round([save(0)], [], [cut(0, 0)]),
      round([step(1), save(0)], [], [cut(0, 1)]),
      round([step(0), save(0)]),
    ],
    seed: -1,
  },
  {
    because: 'who had lost his lock wrote on a node that was removed from, before the first one was',
    size: { servers: 3, processes: 3, sessions: 2 },
    rounds: [
      round([rush(1), { do: 'touch', process: 1, session: 1 }, destroy(2), rush(1)]),
      round([save(0)], [], [{ do: 'wipe', server: 0 }]),
    ],
    seed: 912_539_832,
  },
  {
    because:
      'a hint whose write never came stood beside what somebody else wrote, and spoke for the copy that it was about',
    size: { servers: 3, processes: 2, sessions: 2, copies: 3 },
    rounds: [
      round([save(0), rush(0), save(1), { do: 'read', process: 0, session: 1 }], [cut(0, 0)], [cut(0, 2)]),
    ],
    seed: -1_653_245_789,
  },
];

/** Games that were lost by one order of the requests in a hundred or more, so they are played in many. */
export const LOST_BY_CHANCE: readonly {
  readonly because: string;
  readonly size: GameSize;
  readonly rounds: readonly Round[];
  /** Among them the orders in which they were lost. */
  readonly orders: readonly [first: number, end: number];
}[] = [
  {
    because:
      'who knew that a node is filled again and who did not began with another node each, and each took his own change for settled there',
    size: { servers: 2, processes: 2, sessions: 1, variables: true },
    rounds: [
      round([look(0), look(1)], [{ do: 'wipe', server: 0 }]),
      round([{ do: 'resync', process: 0 }]),
      round([rush(0), rush(1), rush(0), rush(1)]),
    ],
    orders: [0, 400],
  },
  {
    because: 'a copy was overwritten before the one that counts was compared with',
    size: { servers: 3, processes: 3, sessions: 1, variables: true },
    rounds: [
      round([{ do: 'read', process: 0, session: 0 }]),
      round([look(1), { do: 'touch', process: 1, session: 0 }]),
      round([rush(1), save(0), save(0), rush(1)], [cut(0, 0)]),
      round([save(0), rush(1), rush(2), rush(0)]),
    ],
    orders: [1_300, 1_500],
  },
  {
    because:
      'a node of the next list was filled from one that had missed a write, by a process that could not see the note about it',
    size: { servers: 3, processes: 3, sessions: 2, change: { before: [0, 1], after: [2, 1] } },
    rounds: [
      round([save(0)], [], [cut(0, 1)]),
      round([save(1, 1), step(0)]),
      round([step(2), save(0)]),
      round([step(1)]),
      round([{ do: 'read', process: 0, session: 0 }], [{ do: 'join', process: 0, server: 1 }]),
      round([step(1), { do: 'read', process: 0, session: 0 }], [cut(0, 0)]),
    ],
    orders: [0, 60],
  },
  {
    because: 'what a node of the next list held was called old, though nobody had decided about it',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [0, 1], after: [0, 1, 2] } },
    rounds: [
      round([step(0), look(0)]),
      round([step(1), look(0)], [], [cut(0, 0)]),
      round([step(1), save(0)], [cut(0, 2)]),
      round([step(0)], [cut(0, 1)]),
      round(
        [save(0), step(0)],
        [],
        [
          { do: 'join', process: 0, server: 2 },
          { do: 'join', process: 0, server: 0 },
        ],
      ),
    ],
    orders: [0, 60],
  },
  {
    because: 'a note beside a content that it did not belong to spoke for a copy that missed a write',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [2, 0, 1], after: [0, 1] } },
    rounds: [
      round([save(0)]),
      round([step(0), { do: 'write', process: 0, session: 0 }, save(1)], [], [cut(0, 1)]),
      round([step(0)]),
    ],
    orders: [1_350, 1_360],
  },
  {
    because: 'who had lost his lock took his own copies beside a tombstone for a session that was begun anew',
    size: { servers: 2, processes: 2, sessions: 2 },
    rounds: [
      round([save(0), save(1)], [], [{ do: 'wipe', server: 1 }, cut(1, 0)]),
      round([destroy(1), rush(0), destroy(0), look(0)]),
      round([save(0)]),
    ],
    orders: [0, 150],
  },
  {
    because: 'what somebody wrote who had lost his lock stayed beside the tombstones',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [2, 0, 1], after: [0, 1] } },
    rounds: [
      round([save(0, 1), step(0)], [], [{ do: 'wipe', server: 0 }]),
      round([rush(0), destroy(0), save(0)]),
      round([step(1)]),
      round([step(1)]),
      round([step(0), { do: 'read', process: 0, session: 0 }]),
      round([step(0)]),
      round([save(0)]),
    ],
    orders: [0, 40],
  },
  {
    because:
      'a touch that reached a node of the next list only left a note there, which made that copy count',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [0, 1], after: [0, 1, 2] } },
    rounds: [
      round([destroy(0, 1)]),
      round([step(0), save(0), { do: 'read', process: 0, session: 0 }]),
      round([{ do: 'read', process: 0, session: 0 }], [cut(0, 1)]),
      round([destroy(1), step(0)]),
      round([{ do: 'touch', process: 0, session: 0 }, look(0)], [cut(0, 0)]),
      round([step(0)]),
    ],
    orders: [0, 60],
  },
  {
    because:
      'who reached only a node of the next list left a note there that made others doubt what was destroyed',
    size: { servers: 3, processes: 2, sessions: 2, change: { before: [0, 1], after: [0, 1, 2] } },
    rounds: [
      round([step(0), save(0, 1)]),
      round([destroy(1, 1), destroy(0)], [cut(0, 1), cut(0, 0)]),
      round([step(1)]),
      round([{ do: 'read-all', process: 1, session: 0 }, step(0)]),
      round([destroy(0)]),
    ],
    orders: [0, 90],
  },
  {
    because:
      'a node of the next list held what somebody had destroyed who did not know that list yet, and was believed when a holder was away and the other one had missed a write before',
    size: { servers: 3, processes: 3, sessions: 2, change: { before: [0, 1], after: [2, 1] } },
    rounds: [
      round([save(2, 1), step(1)], [cut(0, 1)]),
      round([{ do: 'resync', process: 1 }]),
      round([destroy(0, 1), save(0)]),
      round([step(2), save(0)], [], [{ do: 'join', process: 0, server: 1 }]),
      round([save(2, 1)], [cut(0, 0)]),
      round([step(0)]),
    ],
    orders: [0, 60],
  },
  {
    because:
      'a node that started anew was taken for filled by who had not looked since, with what had been copied to it from one that missed writes',
    size: { servers: 3, processes: 2, sessions: 3, dies: true },
    rounds: [
      round([save(1), look(0)], [cut(0, 0)]),
      round([look(0), save(1)]),
      round(
        [{ do: 'resync', process: 0 }, save(0)],
        [
          { do: 'wipe', server: 0 },
          { do: 'join', process: 0, server: 0 },
        ],
      ),
      round([rush(1)]),
    ],
    orders: [0, 40],
  },
  {
    because:
      'a node that was away when it was taken out kept its mark, and was believed when it was put in again',
    size: { servers: 3, processes: 2, sessions: 4, dies: true, change: { ...OTHER_NODE, back: true } },
    rounds: [
      BOTH_STEP,
      BOTH_STEP,
      round([step(0), step(1)], [cut(0, 0)]),
      round([save(0), destroy(1, 1), save(1, 2), destroy(0, 3)]),
      round([step(0), step(1)], [{ do: 'join', process: 0, server: 0 }]),
      BOTH_STEP,
    ],
    orders: [0, 30],
  },
  {
    because:
      'what was noted on a node of the next list alone was taken for a note of an earlier change, when the node that decided had lost it',
    size: { servers: 3, processes: 2, sessions: 2, dies: true, change: OTHER_NODE },
    rounds: [
      round([step(0)], [cut(0, 0)]),
      round([save(0), look(0)]),
      round([step(0)], [{ do: 'wipe', server: 0 }]),
      round([step(1), save(0)], [{ do: 'join', process: 0, server: 0 }]),
      round([save(0)]),
    ],
    orders: [0, 60],
  },
];
