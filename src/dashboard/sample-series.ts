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
  readonly nodes: Readonly<Record<NodeId, NodeSample>>;
}

/** Samples that are kept: five minutes, one per second. */
const CAPACITY = 300;

/** A bounded series. */
export class SampleSeries {
  readonly #samples: Sample[] = [];
  #before = new Map<NodeId, { readonly reads: number; readonly writes: number }>();
  #at = 0;

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Adds a sample of `nodes`, made at `at`. */
  add(nodes: readonly DashboardNode[], at: number): Sample {
    const seconds = this.#at === 0 ? Number.POSITIVE_INFINITY : Math.max(0.001, (at - this.#at) / 1_000);
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
    this.#at = at;
    const sample: Sample = { at, nodes: Object.fromEntries(entries) };
    this.#samples.push(sample);
    if (this.#samples.length > CAPACITY) this.#samples.shift();
    return sample;
  }
}
