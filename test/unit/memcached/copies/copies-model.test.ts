/** Games of chance with the copies, and those that were lost once. */
import fc from 'fast-check';
import { test } from 'vitest';
import { type GameSize, playGame, type Round, type Step } from './model-game.js';

interface Weights {
  readonly destroy: number;
  /** Of steps of a change of nodes. */
  readonly change?: number;
}

const anyStep = (weights: Weights): fc.Arbitrary<Step> => {
  const process = fc.nat(2);
  const session = fc.nat(1);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('save' as const, 'write' as const, 'rush' as const),
        process,
        session,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('read' as const, 'read-all' as const, 'touch' as const),
        process,
        session,
      }),
    },
    {
      weight: weights.destroy,
      arbitrary: fc.record({ do: fc.constant('destroy' as const), process, session }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('look' as const, 'resync' as const), process }) },
    { weight: weights.change ?? 0, arbitrary: fc.record({ do: fc.constant('step' as const), process }) },
  );
};
const fault: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('cut' as const, 'join' as const),
      process: fc.nat(2),
      server: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wipe' as const), server: fc.nat(2) }) },
);
const rounds = (weights: Weights): fc.Arbitrary<Round[]> =>
  fc.array(
    fc.record({
      first: fc.array(fault, { maxLength: 2 }),
      together: fc.array(anyStep(weights), { minLength: 1, maxLength: 4 }),
      amid: fc.array(fault, { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  );

/** So many games of chance are played when it is said; the same ones each time when it is not. */
const ASKED = process.env['STORMLAMP_MODEL_RUNS'];
/** Thousands of games take minutes, on a busy machine an hour. */
const LIMIT_MS = ASKED === undefined ? 120_000 : 2 * 3_600_000;
const GAMES = ASKED === undefined ? { numRuns: 60, seed: 20_261_128 } : { numRuns: Number(ASKED) };

test.each([
  { servers: 2, processes: 2, sessions: 2 },
  { servers: 3, processes: 2, sessions: 2 },
  { servers: 3, processes: 3, sessions: 1 },
  { servers: 3, processes: 2, sessions: 2, copies: 3 },
])(
  '$servers servers, $processes processes: no acknowledged write is lost',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 0 }), fc.integer(), (all, seed) => playGame(size, all, seed)),
      GAMES,
    );
  },
  LIMIT_MS,
);

test.each([
  { servers: 2, processes: 2, sessions: 1, variables: true },
  { servers: 2, processes: 3, sessions: 2, variables: true },
  { servers: 3, processes: 3, sessions: 1, variables: true },
  { servers: 3, processes: 3, sessions: 1, copies: 3, variables: true },
])(
  '$servers servers, $processes processes that change what is there: no acknowledged change is lost',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 0 }), fc.integer(), (all, seed) => playGame(size, all, seed)),
      GAMES,
    );
  },
  LIMIT_MS,
);

test.each([
  { servers: 2, processes: 2, sessions: 2 },
  { servers: 3, processes: 3, sessions: 2 },
  { servers: 3, processes: 3, sessions: 1, copies: 3 },
])(
  '$servers servers, $processes processes: what was destroyed cannot be read again',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 3 }), fc.integer(), (all, seed) => playGame(size, all, seed)),
      GAMES,
    );
  },
  LIMIT_MS,
);

/** A node more, another one in its place, one fewer. */
const CHANGES: readonly GameSize[] = [
  { servers: 3, processes: 2, sessions: 2, change: { before: [0, 1], after: [0, 1, 2] } },
  { servers: 3, processes: 3, sessions: 2, change: { before: [0, 1], after: [2, 1] } },
  { servers: 3, processes: 2, sessions: 2, change: { before: [2, 0, 1], after: [0, 1] } },
];

test.each(CHANGES)(
  'nodes $change.before become $change.after, $processes processes: no acknowledged write is lost',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 0, change: 8 }), fc.integer(), (all, seed) =>
        playGame(size, all, seed),
      ),
      GAMES,
    );
  },
  LIMIT_MS,
);

test.each(CHANGES)(
  'nodes $change.before become $change.after, $processes processes: what was destroyed cannot be read again',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 3, change: 8 }), fc.integer(), (all, seed) =>
        playGame(size, all, seed),
      ),
      GAMES,
    );
  },
  LIMIT_MS,
);

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

/** Games that were lost before, with what was wrong. */
const LOST: readonly {
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
];

test.each(LOST)('not lost again: $because', async ({ size, rounds: all, seed }) => {
  await playGame(size, all, seed);
});

/** Games that were lost by one order of the requests in a hundred or more, so they are played in many. */
const LOST_BY_CHANCE: readonly {
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
];

test.each(LOST_BY_CHANCE)(
  'not lost again, by any of many orders: $because',
  async ({ size, rounds: all, orders: [first, end] }) => {
    for (let seed = first; seed < end; seed += 1) await playGame(size, all, seed);
  },
  LIMIT_MS,
);
