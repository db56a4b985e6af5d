/** The last minutes in numbers, one sample per interval, for the charts. */
import type { NodeId } from '../common/node-address.js';
import type { DashboardNode } from './dashboard-state.js';

/** One node in one sample. */
export interface NodeSample {
  /** Reads per second since the sample before. */
  readonly reads: number;
  /** Writes per second since the sample before. */
  readonly writes: number;
  /** Lag in milliseconds; null when it is unknown or there is none. */
  readonly lagMs: number | null;
  /** Moving average of the round trip of the probes, milliseconds; null for a node that does not answer. */
  readonly latencyMs: number | null;
}

/** One sample. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** By node; of many nodes, the primaries and what stands for the others: see {@link SampleSeries}. */
  readonly nodes: Readonly<Record<NodeId, NodeSample>>;
}

/** A chart of more lines than this shows nothing; and five minutes of hundreds of nodes would be megabytes. */
const MAX_LINES = 12;

/** Samples that are kept: five minutes, one per second. */
const CAPACITY = 300;

/**
 * A bounded series. Of more than twelve nodes it keeps the primaries, and in place of the others two lines: the highest of
 * their numbers (`highest of the others`), and those in the middle (`median of the others`).
 */
export class SampleSeries {
  readonly #samples: Sample[] = [];
  #before = new Map<NodeId, { readonly reads: number; readonly writes: number }>();
  #elapsedMs: number | undefined;

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Adds a sample of `nodes`, made at `at`; `elapsedMs` is of a clock that nobody sets, by which rates are counted. */
  add(nodes: readonly DashboardNode[], at: number, elapsedMs: number): Sample {
    const seconds =
      this.#elapsedMs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(0.001, (elapsedMs - this.#elapsedMs) / 1_000);
    const entries = nodes.map(({ id, reads, writes, lagMs, latencyMs }): [NodeId, NodeSample] => {
      const before = this.#before.get(id) ?? { reads, writes };
      const rate = (now: number, then: number): number =>
        Math.round((10 * Math.max(0, now - then)) / seconds) / 10;
      return [
        id,
        { reads: rate(reads, before.reads), writes: rate(writes, before.writes), lagMs, latencyMs },
      ];
    });
    this.#before = new Map(nodes.map(({ id, reads, writes }) => [id, { reads, writes }]));
    this.#elapsedMs = elapsedMs;
    const sample: Sample = { at, nodes: Object.fromEntries(lines(nodes, new Map(entries))) };
    this.#samples.push(sample);
    if (this.#samples.length > CAPACITY) this.#samples.shift();
    return sample;
  }
}

/** The lines of a sample. */
function lines(
  nodes: readonly DashboardNode[],
  samples: ReadonlyMap<NodeId, NodeSample>,
): Iterable<readonly [string, NodeSample]> {
  if (nodes.length <= MAX_LINES) return samples;
  const primaries = nodes.filter(({ role }) => role === 'primary').slice(0, MAX_LINES - 2);
  const own = primaries.flatMap(({ id }) => {
    const sample = samples.get(id);
    return sample === undefined ? [] : [[id, sample] as const];
  });
  const rest = new Map(samples);
  for (const [id] of own) rest.delete(id);
  const others = [...rest.values()];
  return [
    ...own,
    ['highest of the others', ranked(others, (count) => count - 1)],
    ['median of the others', ranked(others, (count) => Math.floor(count / 2))],
  ];
}

/** Of every number, the one at the place that `place` says, of so many that are known and in order. */
function ranked(samples: readonly NodeSample[], place: (count: number) => number): NodeSample {
  const of = (number: (sample: NodeSample) => number | null): number | null => {
    const known = samples.map(number).filter((value) => value !== null);
    return known.sort((a, b) => a - b)[place(known.length)] ?? null;
  };
  return {
    reads: of(({ reads }) => reads) ?? 0,
    writes: of(({ writes }) => writes) ?? 0,
    lagMs: of(({ lagMs }) => lagMs),
    latencyMs: of(({ latencyMs }) => latencyMs),
  };
}
