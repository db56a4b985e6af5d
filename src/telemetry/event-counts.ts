/** Counts what a cluster tells by events; a listener of a rare event costs nothing while it does not happen. */
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import type { Metric, Sample } from './metric.js';

/** The events that are counted, by the part that tells them, and the payload's fields that become labels. */
const COUNTED = {
  mysql: {
    'primary-changed': [],
    'warning-began': ['code', 'node'],
    'warning-ended': ['code', 'node'],
    'connect-failed': ['node'],
    'breaker-changed': ['node', 'operation'],
    'replica-fitness-changed': ['node'],
    'discovery-failed': ['node'],
    'lag-failed': ['node'],
    'heartbeat-failed': ['node'],
    'kill-failed': ['node'],
  },
  sessions: {
    'copy-missed': ['node', 'operation'],
    'conflict-decided': ['kept'],
    'lock-lost': ['node'],
    'lock-broken': ['node'],
    'save-failed': [],
    'save-dropped': [],
    resynced: ['node', 'kind'],
    'resync-failed': ['node'],
    'sessions-lost': ['node', 'cause'],
    'memory-short': ['node'],
    'breaker-changed': ['node', 'operation'],
  },
  failover: {
    'primary-lost': ['kind'],
    'primary-followed': [],
    'failure-detected': ['kind'],
    'change-done': [],
    'change-aborted': [],
    'failover-blocked': [],
    'hook-failed': ['hook'],
    'lease-lost': [],
    'node-diverged': ['node'],
    'errant-transactions': ['node'],
    'rebuild-needed': ['node', 'why'],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

type Part = keyof typeof COUNTED;

interface Emitter {
  on(event: string, listener: (payload: never) => void): unknown;
  off(event: string, listener: (payload: never) => void): unknown;
}

/** The counts of one cluster, from now on. */
export class EventCounts {
  readonly #counts = new Map<string, Sample>();
  readonly #stops: (() => void)[] = [];

  /** Begins to count. */
  constructor(cluster: AnyCluster) {
    for (const part of Object.keys(COUNTED) as Part[]) {
      const emitter = partOf((): unknown => cluster[part]) as Emitter | undefined;
      if (emitter === undefined) continue;
      for (const [event, fields] of Object.entries(COUNTED[part])) {
        const listener = (payload: Readonly<Record<string, unknown>>): void =>
          this.#count(part, event, fields, payload);
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
      read: () => [...this.#counts.values()],
    };
  }

  /** Stops to count. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #count(
    part: Part,
    event: string,
    fields: readonly string[],
    payload: Readonly<Record<string, unknown>>,
  ): void {
    const labels: Record<string, string> = { part, event };
    for (const field of fields) labels[field] = String(payload[field]);
    const key = JSON.stringify(labels);
    this.#counts.set(key, { labels, value: (this.#counts.get(key)?.value ?? 0) + 1 });
  }
}
