/** What an operator tells all processes of a cluster: that nothing shall be done by itself, and that a failover was looked at. */
import type { NodeId } from '../../common/node-address.js';
import { readNumber, readString, rejectUnknownOptions } from '../../common/option-reader.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { JournalKind } from '../failover-journal.js';
import type { PauseOptions } from '../failover-manager.js';
import type { Voter } from '../voters.js';
import type { MetaStore } from './meta-store.js';

/** What orders are given with. */
export interface OrderParts {
  /** Where they are kept. */
  readonly meta: MetaStore;
  /** Who gives them. */
  readonly actor: string;
  /** The node that takes writes. Throws `ERR_NO_PRIMARY` when there is none. */
  readonly primary: () => Voter;
  /** Writes into the journal. */
  readonly record: (kind: JournalKind, opId: string, nodes: readonly NodeId[], message: string) => void;
}

/** The longest pause, milliseconds: a day. */
const LONGEST_MS = 86_400_000;

/** Gives them. */
export class OperatorOrders {
  readonly #parts: OrderParts;

  /** Gives none yet. */
  constructor(parts: OrderParts) {
    this.#parts = parts;
  }

  /** See `FailoverManager`. */
  async acknowledge(opId: string, who: string): Promise<void> {
    const { meta, primary, record } = this.#parts;
    readString('who', who, '');
    if (!(await meta.acknowledge(primary(), opId, who))) {
      throw new StormlampError(ErrorCode.INVALID_OPTION, `No change is called ${opId}; history() names them`);
    }
    record('change-acknowledged', opId, [], `${who} has looked at ${opId}`);
  }

  /** See `FailoverManager`. */
  async pause(options: PauseOptions): Promise<AsyncDisposable> {
    const { meta, actor, primary, record } = this.#parts;
    rejectUnknownOptions('pause', options, ['ttlMs', 'reason']);
    const ttlMs = readNumber('pause.ttlMs', options.ttlMs, 0, { min: 1, max: LONGEST_MS });
    const reason = readString('pause.reason', options.reason, 'maintenance');
    const seconds = Math.ceil(ttlMs / 1_000);
    const writer = primary();
    await meta.prepare(writer);
    await meta.pause(writer, seconds, reason, actor);
    record('paused', 'pause', [], `Nothing is changed automatically for ${seconds} s: ${reason}`);
    // One that somebody else has made in its place is his.
    return { [Symbol.asyncDispose]: async () => void (await this.resume(`${reason} (${actor})`)) };
  }

  /** See `FailoverManager`; only a pause that is `own`, when that is given. */
  async resume(own?: string): Promise<boolean> {
    const { meta, primary, record } = this.#parts;
    const was = await meta.resume(primary(), own);
    if (was !== undefined)
      record('resumed', 'pause', [], `Automatic changes are allowed again, after: ${was}`);
    return was !== undefined;
  }
}
