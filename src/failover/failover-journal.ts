/** What happened, newest first, kept in memory and bounded. */
import type { NodeId } from '../common/node-address.js';
import { asKept } from './meta/meta-text.js';
import type { FrozenReplicas } from './plan/frozen-replicas.js';

/** What a record is about. */
export type JournalKind =
  | 'nodes-managed'
  | 'primary-found'
  | 'primary-lost'
  | 'primary-returned'
  | 'primary-followed'
  | 'split-brain'
  | 'failure-detected'
  | 'failure-cleared'
  | 'node-isolated'
  | 'node-released'
  | 'hook-failed'
  | 'hook-logged'
  | 'change-planned'
  | 'change-step'
  | 'change-done'
  | 'change-refused'
  | 'change-undone'
  | 'change-unfinished'
  | 'change-repaired'
  | 'failover-blocked'
  | 'change-acknowledged'
  | 'paused'
  | 'resumed'
  | 'node-diverged'
  | 'errant-transactions'
  | 'node-rejoined'
  | 'node-rebuilt'
  | 'rebuild-waits'
  | 'record-dropped';

/** What a process sees, as opposed to what it does. */
const SIGHTINGS: ReadonlySet<JournalKind> = new Set<JournalKind>([
  'nodes-managed',
  'primary-found',
  'primary-lost',
  'primary-returned',
  'primary-followed',
  'split-brain',
  'failure-detected',
  'failure-cleared',
  'errant-transactions',
]);

/** Whether a record tells what a process saw, and not what was done. */
export function isSighting(kind: JournalKind): boolean {
  return SIGHTINGS.has(kind);
}

/** One thing that happened. */
export interface JournalRecord {
  /** Names the change that the record belongs to. */
  readonly opId: string;
  /** When, by the wall clock, milliseconds since 1970. */
  readonly at: number;
  /** What happened. */
  readonly kind: JournalKind;
  /** The nodes that it is about. */
  readonly nodes: readonly NodeId[];
  /** The epoch at that time. */
  readonly epoch: number;
  /** The same in words. */
  readonly message: string;
  /** Of a failover that was done (`change-done`), and of one that another process has finished: what its replicas had received. */
  readonly frozen?: FrozenReplicas | undefined;
}

/** How many records are kept. */
const CAPACITY = 1000;

/** A bounded journal. */
export class FailoverJournal {
  readonly #records: JournalRecord[] = [];

  /** Adds a record. */
  add(record: JournalRecord): void {
    this.#records.push(record);
    if (this.#records.length > CAPACITY) this.#records.shift();
  }

  /** The newest `count` records, newest first. */
  newest(count: number): readonly JournalRecord[] {
    return this.#records.slice(Math.max(0, this.#records.length - count)).reverse();
  }
}

/**
 * The newest `count` records of several journals, newest first; what stands in more than one is told once. Every journal is given
 * newest first.
 */
export function newestOf(
  journals: readonly (readonly JournalRecord[])[],
  count: number,
): readonly JournalRecord[] {
  const seen = new Map<string, JournalRecord>();
  for (const journal of journals) {
    const times = new Map<string, number>();
    for (const record of journal) {
      const { opId, at, kind, nodes, message } = record;
      const key = JSON.stringify([opId, at, kind, nodes, asKept(message)]);
      const time = (times.get(key) ?? 0) + 1;
      times.set(key, time);
      // The same twice in one journal has happened twice.
      if (!seen.has(`${time} ${key}`)) seen.set(`${time} ${key}`, record);
    }
  }
  return [...seen.values()].sort((a, b) => b.at - a.at).slice(0, count);
}
