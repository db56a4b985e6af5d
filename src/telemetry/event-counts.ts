/** Counts what a cluster tells by events; a listener of a rare event costs nothing while it does not happen. */
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import {
  COUNTED_PARTS,
  type CountedPart,
  countedEvents,
  type EventLabels,
  fieldOf,
  labelsOf,
} from './counted-events.js';
import type { Metric, Sample } from './metric.js';

interface Emitter {
  on(event: string, listener: (payload: never) => void): unknown;
  off(event: string, listener: (payload: never) => void): unknown;
}

/** The counts of one cluster, from now on. */
export class EventCounts {
  readonly #counts = new Map<string, Sample>();
  readonly #stops: (() => void)[] = [];
  readonly #events: (readonly [CountedPart, string, EventLabels])[] = [];

  /** Begins to count. */
  constructor(cluster: AnyCluster) {
    for (const part of COUNTED_PARTS) {
      const emitter = partOf((): unknown => cluster[part]) as Emitter | undefined;
      if (emitter === undefined) continue;
      for (const [event, labels] of countedEvents(cluster, part)) {
        this.#events.push([part, event, labels]);
        const listener = (payload: Readonly<Record<string, unknown>>): void =>
          this.#count(part, event, labels, payload);
        emitter.on(event, listener as never);
        this.#stops.push(() => emitter.off(event, listener as never));
      }
    }
  }

  /** The counts as a metric. */
  get metric(): Metric {
    return {
      name: 'stormlamp_events_total',
      instrument: 'stormlamp.events',
      help: 'What was told by events since these metrics were made, by part and event.',
      type: 'counter',
      unit: '{event}',
      read: (cluster) => this.#read(cluster),
    };
  }

  /** Stops to count. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Every count there can be, from 0: of one that begins with 1, `increase()` never sees the first event. */
  #read(cluster: AnyCluster): readonly Sample[] {
    const samples = new Map<string, Sample>();
    for (const [part, event, fields] of this.#events)
      for (const labels of labelsOf(cluster, part, event, fields))
        samples.set(JSON.stringify(labels), { labels, value: 0 });
    for (const [key, sample] of this.#counts) samples.set(key, sample);
    return [...samples.values()];
  }

  #count(
    part: CountedPart,
    event: string,
    fields: EventLabels,
    payload: Readonly<Record<string, unknown>>,
  ): void {
    const labels: Record<string, string> = { part, event };
    for (const [label, values] of Object.entries(fields))
      labels[label] = String(payload[fieldOf(label, values)]);
    const key = JSON.stringify(labels);
    this.#counts.set(key, { labels, value: (this.#counts.get(key)?.value ?? 0) + 1 });
  }
}
