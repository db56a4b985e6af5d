/** Writes a session onto its copies: by merge with what is stored now, by overwriting it, or as it is. The lock is the caller's. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { publish } from '../diagnostics/channels.js';
import { exptimeOf } from '../memcached/exptime.js';
import type { MemcachedItem, MemcachedNode } from '../memcached/memcached-node.js';
import {
  type CopyKey,
  type CopyReport,
  type ReplicatedCopies,
  storeDown,
} from '../memcached/replicated-copies.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import type { Session } from './session.js';
import type { SessionStoreEvents } from './session-events.js';
import { sessionDataKey } from './session-keys.js';
import { mergeSession } from './session-merge.js';
import type { ResolvedSessionOptions } from './session-options.js';

/** What a save did. */
export interface SaveResult {
  /** What happened to the stored session; `gone` means that it was destroyed meanwhile and not recreated. */
  readonly outcome: 'saved' | 'unchanged' | 'gone';
  /** Nodes that hold the saved bytes. */
  readonly copies: readonly NodeId[];
}

/** The changes that a save applies. */
export type SessionChanges = ReadonlyMap<string, VariableChange>;

/** What a {@link SessionWriter} needs of its store. */
export interface SessionWriterOptions {
  /** The options of the store. */
  readonly store: ResolvedSessionOptions;
  /** Where sessions are. */
  readonly copies: ReplicatedCopies;
  /** Told of a decided conflict. */
  readonly onConflict: (decision: SessionStoreEvents['conflict-decided']) => void;
  /** Told of every write, with the copies that missed it. */
  readonly onReport: (report: CopyReport) => void;
}

/** See the head of this file. */
export class SessionWriter {
  readonly #options: SessionWriterOptions;

  /** @param options the store and its copies */
  constructor(options: SessionWriterOptions) {
    this.#options = options;
  }

  /** Merges `changes` into what is stored now, compares and sets on the deciding node, and brings the others to the same bytes. */
  async merge(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SaveResult> {
    const { store, copies, onConflict } = this.#options;
    const key = sessionDataKey(store, session.id);
    for (;;) {
      deadline.check('Saving the session');
      const { item, node } = await copies.read(key, deadline);
      if (item === null && session.exists && store.onGone === 'drop') return { outcome: 'gone', copies: [] };
      const stored = item === null ? undefined : this.#decode(item.value);
      const { bytes, decided } = mergeSession(session.base, changes, stored, store.onConflict);
      for (const decision of decided) onConflict(decision);
      const result = await this.#setOn(node, key, bytes, item, deadline);
      if (result === 'raced') continue;
      const report = await copies.store(key, bytes, { exptime: this.#exptime() }, deadline, node);
      return this.#saved(session, changes, bytes, {
        reached: [node.id, ...report.reached],
        missed: report.missed,
      });
    }
  }

  /** Stores what was loaded with `changes`, whatever is stored now. */
  async overwrite(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SaveResult> {
    const bytes = session.base.encodeWith(changes);
    return this.#saved(session, changes, bytes, await this.#storeEverywhere(session.id, bytes, deadline));
  }

  /** Stores bytes as they are. */
  async raw(id: string, bytes: Buffer, deadline: Deadline): Promise<SaveResult> {
    const report = await this.#storeEverywhere(id, bytes, deadline);
    this.#assertAcknowledged(report);
    return { outcome: 'saved', copies: report.reached };
  }

  #storeEverywhere(id: string, bytes: Buffer, deadline: Deadline): Promise<CopyReport> {
    const { store, copies } = this.#options;
    return copies.store(sessionDataKey(store, id), bytes, { exptime: this.#exptime() }, deadline);
  }

  async #setOn(
    node: MemcachedNode,
    key: CopyKey,
    bytes: Buffer,
    item: MemcachedItem | null,
    deadline: Deadline,
  ): Promise<'stored' | 'raced'> {
    const options = { exptime: this.#exptime(), signal: deadline.signal };
    const result =
      item === null
        ? await node.add(key.key, bytes, options)
        : await node.set(key.key, bytes, { ...options, cas: item.cas });
    return result.status === 'stored' ? 'stored' : 'raced';
  }

  #saved(session: Session, changes: SessionChanges, bytes: Buffer, report: CopyReport): SaveResult {
    this.#assertAcknowledged(report);
    session.wrote(this.#decode(bytes), this.#decode(session.base.encodeWith(changes)));
    publish('session', () => ({
      operation: 'save',
      node: report.reached[0],
      detail: `${report.reached.length} copies`,
    }));
    return { outcome: 'saved', copies: report.reached };
  }

  #assertAcknowledged(report: CopyReport): void {
    const { store, onReport } = this.#options;
    onReport(report);
    const copies = report.reached.length + report.missed.length;
    const needed = { one: 1, majority: Math.floor(copies / 2) + 1, all: copies }[store.acks];
    if (report.reached.length < needed) throw storeDown(report.missed, 'Too few copies took the session');
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.#options.store.serialize);
  }

  #exptime(): number {
    const { lifetimeMs, handler } = this.#options.store;
    return exptimeOf(lifetimeMs, handler);
  }
}
