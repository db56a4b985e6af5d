import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readLooks, writeLooks } from '../../../src/health/published-look.js';
import { master, observationOf, slave } from '../../spec/topology/made-up-servers.js';
import { fleet, monitoringCost, rate, SharedBoard } from '../../support/watcher-fleet.js';

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
      observationOf('c', 'refused', 1_000),
    ];
    const read = readLooks(writeLooks('x 1', looks, 1_000), 50_000);
    expect(read?.sequence).toBe('x 1');
    expect(read?.looks.map(({ ageMs, observation }) => [ageMs, observation.at])).toEqual([
      [100, 49_900],
      [50, 49_950],
      [0, 50_000],
    ]);
    expect(read?.looks[1]?.observation).toEqual({ ...looks[1], at: 49_950 });
    expect(read?.looks[2]?.observation).toMatchObject({
      ok: false,
      failure: 'refused',
      error: { message: 'made up: refused' },
    });
  });

  test.each([
    ['no JSON', '{'],
    ['no looks', '{"sequence":"x"}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['too much', `{"sequence":"x","looks":[],"rest":"${'x'.repeat(1_100_000)}"}`],
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
    { facts: { channels: slave('b', 'a', { reception: { position: 7 } as never }).channels } },
    { facts: { serverId: -1 } },
    { ageMs: 'old' },
    { node: 7 },
    { failure: 'bored' },
  ])('is left out when a part of it is wrong: %j', (change) => {
    const base = { node: 'a', ageMs: 1, latencyMs: 1, facts: master('a') };
    const look = { ...base, ...change, facts: { ...base.facts, ...('facts' in change ? change.facts : {}) } };
    expect(readLooks(JSON.stringify({ sequence: 'x', looks: [base, look] }), 5)?.looks).toHaveLength(1);
  });
});
