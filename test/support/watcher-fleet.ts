/** Processes that watch the same three made-up nodes in simulated time, and the board that they share. */
import type { Clock } from '../../src/common/clock.js';
import type { ObservationBoard } from '../../src/health/observation-board.js';
import { TopologyWatcher } from '../../src/health/topology-watcher.js';
import { master, seeds, slave } from '../spec/topology/made-up-servers.js';

/** The time that is simulated. */
export const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };
const FINDINGS = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') } as const;

/** One board for all processes, as memcached is; and what it was asked. */
export class SharedBoard {
  text: string | undefined;
  owner: string | undefined;
  until = 0;
  isDown = false;
  calls = 0;

  /** The board as one process sees it. */
  of(process: string): ObservationBoard {
    const call = async <T>(work: () => T): Promise<T> => {
      this.calls += 1;
      if (this.isDown) throw new Error('memcached is down');
      return work();
    };
    return {
      lead: () =>
        call(() => {
          if (this.owner !== undefined && this.owner !== process && clock.now() < this.until) return false;
          this.owner = process;
          this.until = clock.now() + 3_000;
          return true;
        }),
      publish: (text) =>
        call(() => {
          this.text = text;
        }),
      read: () => call(() => this.text),
      close: () =>
        call(() => {
          if (this.owner === process) this.owner = undefined;
        }),
    };
  }
}

/** So many processes that watch three nodes; `probes` counts what the nodes are asked. */
export function fleet(
  size: number,
  board: SharedBoard | undefined,
): { watchers: TopologyWatcher[]; probes: { count: number } } {
  const probes = { count: 0 };
  const watchers = Array.from({ length: size }, (_, index) => {
    return new TopologyWatcher({
      seeds: seeds({ a: 'primary', b: 'replica', c: 'replica' }),
      intervalMs: 1_000,
      timeoutMs: 1_000,
      clock,
      board: board?.of(`process ${index}`),
      createProbe: ({ id }) => ({
        probe: async () => {
          probes.count += 1;
          return FINDINGS[id as keyof typeof FINDINGS];
        },
        close: () => undefined,
      }),
    });
  });
  for (const watcher of watchers) watcher.start();
  return { watchers, probes };
}

/** Probes per second and node over `seconds` of simulated time, which `advance` makes pass. */
export async function rate(
  probes: { readonly count: number },
  seconds: number,
  advance: (ms: number) => Promise<unknown>,
): Promise<number> {
  const before = probes.count;
  await advance(seconds * 1_000);
  return (probes.count - before) / seconds / 3;
}

/** The probes per second that each node sees from so many processes, with and without sharing, and the calls of the board. */
export interface MonitoringCost {
  readonly alone: number;
  readonly shared: number;
  readonly board: number;
  readonly leaders: number;
  /** The oldest look at a node that any process has, in milliseconds. */
  readonly oldestMs: number;
}

/** Lets so many processes watch for a while, first each for itself and then together. */
export async function monitoringCost(
  size: number,
  advance: (ms: number) => Promise<unknown>,
  seconds = 10,
): Promise<MonitoringCost> {
  const apart = fleet(size, undefined);
  await advance(2_000);
  const alone = await rate(apart.probes, seconds, advance);
  for (const watcher of apart.watchers) watcher.close();
  const board = new SharedBoard();
  const together = fleet(size, board);
  await advance(10_000);
  const calls = board.calls;
  const shared = await rate(together.probes, seconds, advance);
  const ages = together.watchers.flatMap(({ topology }) =>
    topology.nodes.map((node) =>
      node.state === 'up' ? clock.now() - node.seenAt : Number.POSITIVE_INFINITY,
    ),
  );
  const leaders = together.watchers.filter((watcher) => watcher.leads).length;
  for (const watcher of together.watchers) watcher.close();
  return { alone, shared, board: (board.calls - calls) / seconds, leaders, oldestMs: Math.max(...ages) };
}
