/** What happened, newest first, kept in memory and bounded. */
import type { NodeId } from '../common/node-address.js';

/** What a record is about. */
export type JournalKind =
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
  | 'node-rebuilt';

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
