/** Games of chance with the copies, and those that were lost once. */
import fc from 'fast-check';
import { test } from 'vitest';
import { LOST, LOST_BY_CHANCE } from './lost-games.js';
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

/** One server is away from everybody while another one starts anew. */
const DEATHS: readonly GameSize[] = [
  { servers: 3, processes: 2, sessions: 3, dies: true },
  { servers: 3, processes: 3, sessions: 2, dies: true },
  { servers: 4, processes: 2, sessions: 2, dies: true },
  { servers: 3, processes: 2, sessions: 2, copies: 3, dies: true },
];

test.each(DEATHS)(
  '$servers servers, one dies and another one starts anew, $processes processes: no acknowledged write is lost',
  async (size) => {
    await fc.assert(
      fc.asyncProperty(rounds({ destroy: 0 }), fc.integer(), (all, seed) => playGame(size, all, seed)),
      GAMES,
    );
  },
  LIMIT_MS,
);

test.each(DEATHS)(
  '$servers servers, one dies and another one starts anew, $processes processes: what was destroyed cannot be read again',
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

test.each(LOST)('not lost again: $because', async ({ size, rounds: all, seed }) => {
  await playGame(size, all, seed);
});

test.each(LOST_BY_CHANCE)(
  'not lost again, by any of many orders: $because',
  async ({ size, rounds: all, orders: [first, end] }) => {
    for (let seed = first; seed < end; seed += 1) await playGame(size, all, seed);
  },
  LIMIT_MS,
);
