/** Writes a session onto its copies: by merge with what is stored now, by overwriting it, or as it is. The lock is the caller's. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { publish } from '../diagnostics/channels.js';
import { type Acks, assertAcknowledged, type CopyReport } from '../memcached/copies/copy-report.js';
import type { CurrentContent, ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import { exptimeOf } from '../memcached/exptime.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import { mergeRivals } from './merge-rivals.js';
import type { Session } from './session.js';
import type { SessionStoreEvents } from './session-events.js';
import { sessionDataKey } from './session-keys.js';
import { type MergedSession, mergeSession } from './session-merge.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { sessionBytes } from './session-values.js';

/** What a save did. */
export interface SaveResult {
  /** What happened to the stored session; `gone` means that it was destroyed meanwhile and not recreated. */
  readonly outcome: 'saved' | 'unchanged' | 'gone';
  /** Nodes that hold the saved bytes. */
  readonly copies: readonly NodeId[];
}

/** The changes that a save applies. */
export type SessionChanges = ReadonlyMap<string, VariableChange>;

/** What a merge stored. */
export interface MergedWrite {
  /** The session's bytes. */
  readonly bytes: Buffer;
  /** Whether they are what was loaded with the changes, and nothing of others. */
  readonly alone: boolean;
  /** Nodes that hold them. */
  readonly copies: readonly NodeId[];
}

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
  /** When a session that was replaced ends, in milliseconds since 1970; undefined for every other. */
  readonly endOf: (id: string) => number | undefined;
}

/** See the head of this file. */
export class SessionWriter {
  readonly #options: SessionWriterOptions;

  /** @param options the store and its copies */
  constructor(options: SessionWriterOptions) {
    this.#options = options;
  }

  /**
   * Merges `changes` into what is stored now, and brings every copy to the result; undefined when the session is gone. It is
   * saved once {@link SessionWriter.saved} was told.
   *
   * @param again whether this save had stored its changes before and cannot be sure that they are still there: whoever changed
   * the same variables since is later than this save
   */
  async merge(
    session: Session,
    changes: SessionChanges,
    deadline: Deadline,
    again: boolean,
  ): Promise<MergedWrite | undefined> {
    const { store, copies, onConflict } = this.#options;
    const decide = again ? () => 'theirs' as const : store.onConflict;
    const existed = session.exists || again;
    let merged: MergedSession | undefined;
    let alone = false;
    const report = await copies.change(
      sessionDataKey(store, session.id),
      (current) => {
        if (current.item === null && existed && store.onGone === 'drop') return undefined;
        alone = this.#isUnchanged(session.base, current);
        merged = alone
          ? { bytes: session.base.encodeWith(changes), decided: [] }
          : mergeSession(session.base, changes, this.#stored(current) ?? session.inherited, decide);
        return { value: merged.bytes, exptime: this.#exptime(session.id) };
      },
      deadline,
      undefined,
      'freely',
      this.#acks(again),
    );
    if (report === undefined || merged === undefined) return undefined;
    for (const decision of merged.decided) onConflict(decision);
    this.#assertAcknowledged(report);
    return { bytes: merged.bytes, alone, copies: report.reached };
  }

  /** Stores what was loaded with `changes`, whatever is stored now. */
  async overwrite(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SaveResult> {
    const bytes = session.base.encodeWith(changes);
    const report = await this.#storeEverywhere(session.id, bytes, deadline, false);
    this.#assertAcknowledged(report);
    return this.saved(session, changes, { bytes, alone: true, copies: report.reached });
  }

  /** Tells the session what was stored of it. */
  saved(session: Session, changes: SessionChanges, { bytes, alone, copies }: MergedWrite): SaveResult {
    const written = this.#decode(bytes);
    // Nobody else wrote meanwhile: by far the most saves.
    session.wrote(written, alone ? written : this.#decode(session.base.encodeWith(changes)));
    publish('session', () => ({ operation: 'save', node: copies[0], detail: `${copies.length} copies` }));
    return { outcome: 'saved', copies };
  }

  /** Stores bytes as they are; `again` as for {@link SessionWriter.merge}. */
  async raw(id: string, bytes: Buffer, deadline: Deadline, again: boolean): Promise<SaveResult> {
    const report = await this.#storeEverywhere(id, bytes, deadline, again);
    this.#assertAcknowledged(report);
    return { outcome: 'saved', copies: report.reached };
  }

  #storeEverywhere(id: string, bytes: Buffer, deadline: Deadline, again: boolean): Promise<CopyReport> {
    const { store, copies } = this.#options;
    const content = { value: bytes, exptime: this.#exptime(id) };
    return copies.store(sessionDataKey(store, id), content, deadline, this.#acks(again));
  }

  // What was stored once already is not refused for want of nodes.
  #acks(again: boolean): Acks {
    return again ? 'one' : this.#options.store.acks;
  }

  // What is stored is what was loaded: by far the most saves.
  #isUnchanged(base: SessionDocument, { item, rivals }: CurrentContent): boolean {
    if (item === null || rivals.length > 0) return false;
    return sessionBytes(item, this.#options.store.handler).equals(base.bytes);
  }

  #stored({ item, rivals }: CurrentContent): SessionDocument | undefined {
    if (item === null) return undefined;
    const { handler, serialize } = this.#options.store;
    const bytes = sessionBytes(item, handler);
    if (rivals.length === 0) return this.#decode(bytes);
    const others = rivals.map((rival) => sessionBytes(rival, handler));
    const merged = mergeRivals(bytes, others, serialize);
    for (const variable of merged.decided) this.#options.onConflict({ variable, kept: 'ours' });
    return this.#decode(merged.bytes);
  }

  #assertAcknowledged(report: CopyReport): void {
    const { store, onReport } = this.#options;
    onReport(report);
    assertAcknowledged(report, store.acks, store.copies);
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.#options.store.serialize, undefined, 'later');
  }

  #exptime(id: string): number {
    const { store, endOf } = this.#options;
    const endsAt = endOf(id);
    // A duration up to 30 days, so that the server's clock need not agree with this machine's.
    return exptimeOf(endsAt === undefined ? store.lifetimeMs : Math.max(1, endsAt - Date.now()));
  }
}
