/** What ties a session to a server that is not the primary: something that a read-only transaction left there. */
import type { NodeId } from '../common/node-address.js';
import type { Classification } from './classifier/classification.js';
import type { Tried } from './connection-binder.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { SessionPorts } from './session-ports.js';
import { isTied, type SessionState } from './session-state.js';
import { readsData, UnreadTransaction } from './unread-transaction.js';

/** The connection, if any, to which a read-only transaction that is over left a session tied. */
export class ReplicaTie {
  #connection: PhysicalConnection | undefined;
  /** The read-only transaction that is open and has shown nothing yet. */
  readonly unread: UnreadTransaction = new UnreadTransaction();

  /**
   * Whether the session is tied to `held`, and by nothing that needs the primary: on a server that is not the primary (`writer`)
   * it may go on reading.
   */
  isOn(held: PhysicalConnection | undefined, state: SessionState, writer: NodeId | undefined): boolean {
    if (held === undefined || held.node === writer || !isTied(state)) return false;
    return held === this.#connection || !state.wrote;
  }

  /** Whether a statement shows data of `held` that nobody has looked at for how old they are. */
  mayBeLate(
    ports: SessionPorts,
    held: PhysicalConnection,
    state: SessionState,
    classification: Classification,
    tried: Tried,
  ): boolean {
    const { writer } = ports.router;
    // What asks about the statement before stays where that was, without a tie.
    const isFree = held.node !== writer && !isTied(state);
    if ((isFree || this.isOn(held, state, writer)) && showsData(state, classification)) return true;
    return this.unread.isLate(ports, held, state, classification, tried);
  }

  /** The primary after the one that the session is tied to, where it can only do harm now; undefined while it may stay. */
  primaryAfter(
    held: PhysicalConnection | undefined,
    state: SessionState,
    writer: NodeId | undefined,
  ): NodeId | undefined {
    if (held === undefined || !isTied(state) || state.transaction === 'read-only') return undefined;
    if (held.node === writer) {
      // It was promoted: what is done there from now on is done on a primary.
      this.clear();
      return undefined;
    }
    if (state.transaction === 'none' && !state.wrote) this.#connection = held;
    return held === this.#connection ? undefined : writer;
  }

  /** Forgets the tie. */
  clear(): void {
    this.#connection = undefined;
    this.unread.clear();
  }
}

/** Whether a statement of a session that is tied to a replica may show data there, or begins a transaction that will. */
export function showsData(state: SessionState, classification: Classification): boolean {
  if (classification.transaction?.startsWith('begin') === true) return true;
  // What an open transaction sees was decided by its first read; until then see `UnreadTransaction`.
  return state.transaction === 'none' && readsData(classification);
}
