/** What an operator tells all processes of a cluster: that nothing shall be done by itself, and that a failover was looked at. */
import { randomUUID } from 'node:crypto';
import type { NodeId } from '../../common/node-address.js';
import { readNumber, readString, rejectUnknownOptions } from '../../common/option-reader.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { JournalKind } from '../failover-journal.js';
import type { PauseHandle, PauseOptions } from '../failover-manager.js';
import type { OrderPurpose } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';
import type { MetaStore } from './meta-store.js';
import { mayPass, standUntilPrimary } from './order-locks.js';

/** What orders are given with. */
export interface OrderParts {
  /** The cluster. */
  readonly cluster: string;
  /** Where they are kept. */
  readonly meta: MetaStore;
  /** Who gives them. */
  readonly actor: string;
  /** All voters. */
  readonly voters: readonly Voter[];
  /** The node that takes writes; undefined when there is none. */
  readonly writer: () => Voter | undefined;
  /** Why there is none. */
  readonly noPrimary: () => StormlampError;
  /** Told of an order after which something may be done that was not before. */
  readonly given: () => void;
  /** Writes into the journal. */
  readonly record: (kind: JournalKind, opId: string, nodes: readonly NodeId[], message: string) => void;
}

/** The longest pause, milliseconds: a day. */
const LONGEST_MS = 86_400_000;

/** Gives them. */
export class OperatorOrders {
  readonly #parts: OrderParts;
  readonly #closed = new AbortController();

  /** Gives none yet. */
  constructor(parts: OrderParts) {
    this.#parts = parts;
  }

  /** See `FailoverManager`. */
  async acknowledge(opId: string, who: string): Promise<void> {
    const { meta, record } = this.#parts;
    readString('who', who, '');
    const isKnown = await this.#give(
      'acknowledge',
      opId,
      (voter) => meta.knows(voter, opId),
      (primary) => meta.acknowledge(primary, opId, who),
    );
    if (isKnown !== true)
      throw new StormlampError(ErrorCode.INVALID_OPTION, `No change is called ${opId}; history() names them`);
    record('change-acknowledged', opId, [], `${who} has looked at ${opId}`);
    this.#parts.given();
  }

  /** See `FailoverManager`. */
  async pause(options: PauseOptions): Promise<PauseHandle> {
    const { meta, actor, writer: primary, noPrimary, record } = this.#parts;
    rejectUnknownOptions('pause', options, ['ttlMs', 'reason']);
    const ttlMs = readNumber('pause.ttlMs', options.ttlMs, 0, { min: 1, max: LONGEST_MS });
    const reason = readString('pause.reason', options.reason, 'maintenance');
    const seconds = Math.ceil(ttlMs / 1_000);
    const writer = primary();
    if (writer === undefined) throw noPrimary();
    const id = randomUUID();
    await meta.prepare(writer);
    await meta.pause(writer, { id, seconds, reason, actor });
    record('paused', id, [], `Nothing is changed automatically for ${seconds} s: ${reason}`);
    return { id, [Symbol.asyncDispose]: async () => void (await this.resume(id)) };
  }

  /** See `FailoverManager`. */
  async resume(id?: string): Promise<boolean> {
    const { cluster, meta, record, given } = this.#parts;
    const isMeant = (pauses: readonly { readonly id: string }[]): boolean =>
      id === undefined ? pauses.length > 0 : pauses.some((each) => each.id === id);
    const ended = await this.#give(
      'resume',
      id ?? cluster,
      async (voter) => isMeant(await meta.pauses(voter)),
      async (primary) => {
        const was = await meta.resume(primary, id);
        return { was, left: was.length === 0 ? [] : await meta.pauses(primary) };
      },
    );
    if (ended === undefined || ended.was.length === 0) return false;
    const was = ended.was.map(({ because }) => because).join(', ');
    const left = ended.left.map(({ because, leftS }) => `${because}, for ${leftS} s`).join(', ');
    const next = left === '' ? 'Automatic changes are allowed again' : `They stay forbidden by: ${left}`;
    record('resumed', id ?? 'pause', [], left === '' ? `${next}, after: ${was}` : `${was} is over. ${next}`);
    given();
    return true;
  }

  /** Gives up what waits for a primary. */
  close(): void {
    this.#closed.abort();
  }

  /**
   * Writes an order on the primary; while there is none that takes it, it stands for as long as this waits for one. Resolves with undefined when no
   * node that answers knows what it is about.
   */
  async #give<T>(
    purpose: OrderPurpose,
    about: string,
    knows: (voter: Voter) => Promise<boolean>,
    write: (primary: Voter) => Promise<T>,
  ): Promise<T | undefined> {
    const { voters: all, writer: primary, noPrimary } = this.#parts;
    const writer = primary();
    let reason: unknown;
    if (writer !== undefined) {
      try {
        return await write(writer);
      } catch (error) {
        // One that died a moment ago is still taken for the primary.
        if (!mayPass(error)) throw error;
        reason = error;
      }
    }
    const voters = all.filter(({ kind }) => kind === 'data');
    const told = await Promise.allSettled(voters.map(knows));
    if (told.every(({ status }) => status === 'rejected')) throw reason ?? noPrimary();
    if (!told.some((each) => each.status === 'fulfilled' && each.value)) return undefined;
    const { signal } = this.#closed;
    const given = await standUntilPrimary({ purpose, about, voters, primary, signal }, async (node) => ({
      written: await write(node),
    }));
    if (given === undefined) throw noPrimary();
    return given.written;
  }
}
