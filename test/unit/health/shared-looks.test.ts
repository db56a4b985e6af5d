import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { readLooks, writeLooks } from '../../../src/health/published-look.js';
import { SharedLooks } from '../../../src/health/shared-looks.js';
import { TopologyWatcher } from '../../../src/health/topology-watcher.js';
import { master, observationOf, seeds, slave } from '../../spec/topology/made-up-servers.js';
import { clock, fleet, monitoringCost, rate, SharedBoard } from '../../support/watcher-fleet.js';

const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() =>
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  }),
);
afterEach(() => vi.useRealTimers());

test.each([1, 10, 40])(
  'without sharing the cost grows with the fleet; with it one process looks for all: %i',
  async (size) => {
    const cost = await monitoringCost(size, advance);
    expect(cost.alone).toBeGreaterThan(0.95 * size);
    expect(cost.shared).toBeLessThan(1.3);
    expect(cost.leaders).toBe(1);
    // Everybody knows what the one saw, and not much later.
    expect(cost.oldestMs).toBeLessThan(4_000);
  },
);

test('another process looks when the one is gone, and everybody does when the board is', async () => {
  const board = new SharedBoard();
  const { watchers, probes } = fleet(20, board);
  await vi.advanceTimersByTimeAsync(12_000);
  const first = watchers.find((watcher) => watcher.leads);
  first?.close();
  await vi.advanceTimersByTimeAsync(12_000);
  const rest = watchers.filter((watcher) => watcher !== first);
  expect(rest.filter((watcher) => watcher.leads)).toHaveLength(1);
  expect(await rate(probes, 5, advance)).toBeLessThan(1.5);
  board.isDown = true;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await rate(probes, 5, advance)).toBeGreaterThan(15);
  board.isDown = false;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await rate(probes, 5, advance)).toBeLessThan(1.5);
  for (const watcher of rest) watcher.close();
});

test('only what one process goes on publishing has a known age', async () => {
  const text = (publisher: string, count: number): string =>
    writeLooks(
      { publisher, count },
      [observationOf('a', master('a', { version: `${publisher} ${count}` }), clock.now())],
      clock.now(),
    );
  const published = [
    text('p', 5),
    text('p', 6),
    // Another memcached answers, with what another process publishes there.
    text('q', 1),
    text('q', 2),
    // The first one is back, with what it had.
    text('p', 7),
    text('p', 7),
    text('q', 3),
    text('q', 4),
    text('q', 4),
    text('q', 3),
    undefined,
    text('q', 9),
    text('q', 10),
  ];
  const reads = [...published];
  const seen: string[] = [];
  const looks = new SharedLooks({
    board: {
      lead: async () => false,
      publish: async () => undefined,
      read: async () => reads.shift(),
      close: async () => undefined,
    },
    intervalMs: 1_000,
    clock,
    onObservation: (observation) => seen.push(observation.facts.version),
    setActive: () => undefined,
  });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reads).toEqual([]);
  expect(seen).toEqual(['p 6', 'q 2', 'q 4', 'q 10']);
  await looks.close();
});

/** The watcher of one process: it notes in `looked` what it looks at, and finds what `failureOf` says. */
function watcherOn(
  board: SharedBoard,
  process: string,
  looked: string[],
  failureOf: (id: string) => Error | undefined,
): TopologyWatcher {
  return new TopologyWatcher({
    seeds: seeds({ a: 'primary', b: 'replica', c: 'replica' }),
    intervalMs: 1_000,
    timeoutMs: 1_000,
    clock,
    board: board.of(process),
    createProbe: ({ id }) => ({
      probe: async () => {
        looked.push(`${process} ${id}`);
        const failure = failureOf(id);
        if (failure !== undefined) throw failure;
        return id === 'a' ? master('a') : slave(id, 'a');
      },
      close: () => undefined,
    }),
  });
}

test('what the one that looks cannot reach, or does not know, the others look at themselves', async () => {
  const board = new SharedBoard();
  const looked: string[] = [];
  const watcherOf = (process: string, reaches: (id: string) => boolean): TopologyWatcher =>
    watcherOn(board, process, looked, (id) =>
      reaches(id) ? undefined : Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    );
  const first = watcherOf('first', (id) => id !== 'c');
  first.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(first.leads).toBe(true);
  const second = watcherOf('second', () => true);
  second.start();
  await vi.advanceTimersByTimeAsync(10_000);
  const [found] = seeds({ d: 'any' });
  if (found !== undefined) second.add(found);
  looked.length = 0;
  await vi.advanceTimersByTimeAsync(10_000);
  const statesOf = (watcher: TopologyWatcher): string[] => watcher.topology.nodes.map(({ state }) => state);
  expect(statesOf(first)).toEqual(['up', 'up', 'down']);
  expect(statesOf(second)).toEqual(['up', 'up', 'up', 'up']);
  expect(new Set(looked.filter((look) => look.startsWith('second')))).toEqual(
    new Set(['second c', 'second d']),
  );
  first.close();
  second.close();
});

/** Two processes that share; the first leads, and while `setRefused(true)` holds, the nodes that `isRefused` names refuse it. */
async function firstRefused(isRefused: (id: string) => boolean): Promise<{
  readonly first: TopologyWatcher;
  readonly second: TopologyWatcher;
  readonly failures: string[];
  readonly looked: string[];
  setRefused(refused: boolean): void;
}> {
  const board = new SharedBoard();
  const looked: string[] = [];
  let refused = false;
  const watcherOf = (process: string): TopologyWatcher =>
    watcherOn(board, process, looked, (id) =>
      process === 'first' && refused && isRefused(id)
        ? new StormlampError(ErrorCode.ACCESS_DENIED, 'refused', { node: id })
        : undefined,
    );
  const first = watcherOf('first');
  first.start();
  await vi.advanceTimersByTimeAsync(10_000);
  const second = watcherOf('second');
  const failures: string[] = [];
  second.on('node-observed', (observation) => {
    if (!observation.ok) failures.push(`${observation.node} ${observation.failure}`);
  });
  second.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([first.leads, second.leads]).toEqual([true, false]);
  const setRefused = (now: boolean): void => {
    refused = now;
  };
  return { first, second, failures, looked, setRefused };
}

test('what refuses the one that looks, the others look at themselves, at their own interval', async () => {
  const { first, second, failures, looked, setRefused } = await firstRefused((id) => id !== 'b');
  setRefused(true);
  await vi.advanceTimersByTimeAsync(3_000);
  looked.length = 0;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([first.leads, second.leads]).toEqual([true, false]);
  expect(failures).toEqual([]);
  for (const id of ['a', 'c']) {
    const looks = looked.filter((look) => look === `second ${id}`).length;
    expect(looks).toBeGreaterThanOrEqual(9);
    expect(looks).toBeLessThanOrEqual(13);
  }
  expect(looked).not.toContain('second b');
  for (const node of second.topology.nodes)
    expect(clock.now() - (node.state === 'up' ? node.seenAt : Number.NEGATIVE_INFINITY)).toBeLessThan(2_500);
  first.close();
  second.close();
});

test('a process that every node refuses lets another one look, and may look again when it is let in', async () => {
  const { first, second, failures, setRefused } = await firstRefused(() => true);
  setRefused(true);
  await vi.advanceTimersByTimeAsync(12_000);
  expect([first.leads, second.leads]).toEqual([false, true]);
  expect(failures).toEqual([]);
  expect(first.topology.nodes.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  setRefused(false);
  second.close();
  await vi.advanceTimersByTimeAsync(12_000);
  expect(first.leads).toBe(true);
  first.close();
});

describe('what is published', () => {
  test('is read as it was written, with times of this process', () => {
    const looks = [
      observationOf(
        'a',
        master('a', {
          group: {
            kind: 'galera',
            state: 'online',
            hasQuorum: true,
            writes: 'everywhere',
            queue: 0,
            members: [],
          },
        }),
        900,
      ),
      observationOf('b', slave('b', 'a'), 950),
    ];
    const read = readLooks(writeLooks({ publisher: 'x', count: 7 }, looks, 1_000), 50_000);
    expect(read).toMatchObject({ publisher: 'x', count: 7 });
    expect(read?.looks.map(({ ageMs, observation }) => [ageMs, observation.at])).toEqual([
      [100, 49_900],
      [50, 49_950],
    ]);
    expect(read?.looks[1]?.observation).toEqual({ ...looks[1], at: 49_950 });
  });

  test('is nothing of a look that failed: that is for nobody else', () => {
    const text = writeLooks({ publisher: 'x', count: 7 }, [observationOf('c', 'refused', 1_000)], 1_000);
    expect(JSON.parse(text)).toEqual({ publisher: 'x', count: 7, looks: [] });
    const look = { node: 'c', ageMs: 0, failure: 'access-denied', message: 'no' };
    expect(readLooks(JSON.stringify({ publisher: 'x', count: 7, looks: [look] }), 5)?.looks).toEqual([]);
  });

  test.each([
    ['no JSON', '{'],
    ['no looks', '{"publisher":"x","count":1}'],
    ['no publisher', '{"count":1,"looks":[]}'],
    ['no count', '{"publisher":"x","count":"1","looks":[]}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['too much', `{"publisher":"x","count":1,"looks":[],"rest":"${'x'.repeat(1_100_000)}"}`],
  ])('is nothing when it is %s', (_, text) => {
    expect(readLooks(text, 0)).toBeUndefined();
  });

  test.each([
    { facts: { flavor: 'oracle' } },
    { facts: { channels: [{ name: 1 }] } },
    { facts: { channels: {} } },
    { facts: { readOnly: 'no' } },
    { facts: { group: { kind: 'gang' } } },
    { facts: { semiSync: 'on' } },
    { facts: { blockedWrites: -1 } },
    { facts: { channels: slave('b', 'a', { reception: { position: 7 } as never }).channels } },
    { facts: { serverId: -1 } },
    { ageMs: 'old' },
    { node: 7 },
    { failure: 'bored' },
  ])('is left out when a part of it is wrong: %j', (change) => {
    const base = { node: 'a', ageMs: 1, latencyMs: 1, facts: master('a') };
    const look = { ...base, ...change, facts: { ...base.facts, ...('facts' in change ? change.facts : {}) } };
    expect(
      readLooks(JSON.stringify({ publisher: 'x', count: 1, looks: [base, look] }), 5)?.looks,
    ).toHaveLength(1);
  });
});
