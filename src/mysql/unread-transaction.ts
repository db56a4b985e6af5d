/**
 * A read-only transaction that has shown nothing yet. The server takes its snapshot with its first read, however late that comes:
 * until then its node may cease to be fit for it.
 */
import type { Deadline } from '../common/deadline.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import { mustCatchUp } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { takesSnapshot } from './classifier/snapshot-reads.js';
import type { Tried } from './connection-binder.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { ActiveScope } from './scope.js';
import { transactionLoss } from './session-loss.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { isSetting, type SessionState } from './session-state.js';
import type { Statement } from './statement.js';
import type { VirtualSession } from './virtual-session.js';

/** How such a transaction was begun. */
interface Beginning {
  readonly statement: Statement;
  readonly connection: PhysicalConnection;
  /** The session before it. */
  readonly before: SessionState;
  /** What its reads may look like, and must see. */
  readonly scope: ActiveScope | undefined;
  /** What its node was known to have when it began. */
  readonly wanted: GtidPosition | undefined;
}

/** The read-only transaction of one session that has shown nothing yet, if there is one. */
export class UnreadTransaction {
  #begun: Beginning | undefined;
  /** Whether nothing was sent in it but its beginning, and settings that are made again anywhere. */
  #isBare = false;

  /** Notes a statement of `scope` that was sent, and brought the session from one state to the other; `isDone`: without an error. */
  note(
    connection: PhysicalConnection,
    statement: Statement,
    classification: Classification,
    [before, after]: readonly [before: SessionState, after: SessionState],
    scope: ActiveScope | undefined,
    isDone: boolean,
  ): void {
    if (after.transaction !== 'read-only') {
      this.#begun = undefined;
      return;
    }
    const { transaction, several, snapshots } = classification;
    if (transaction !== undefined && transaction !== 'savepoint') {
      const isUnread = isDone && transaction.startsWith('begin') && several !== true && snapshots !== true;
      this.#begun = isUnread ? { statement, connection, before, scope, wanted: scope?.wanted } : undefined;
      this.#isBare = true;
    } else if (this.#begun === undefined || isForLater(classification)) return;
    else if (isDone && isSnapshot(connection, statement)) this.#begun = undefined;
    else this.#isBare = false;
  }

  /**
   * Whether a statement must not be sent on `held` before its node was looked at again: it shows data, or leaves there what no other
   * connection has, and the node is not fit for the transaction any more.
   */
  isLate(
    ports: SessionPorts,
    held: PhysicalConnection,
    state: SessionState,
    classification: Classification,
    { hasBegunAnew }: Tried,
  ): boolean {
    const begun = this.#begun;
    if (begun?.connection !== held || hasBegunAnew === true) return false;
    const isConcerned =
      readsData(classification) || (leavesSomething(classification) && this.#mayMove(begun, state));
    return isConcerned && !isFit(ports, begun);
  }

  /**
   * Begins it anew where that may be done, when its node is not fit any more; whether it was.
   *
   * Rejects as its beginning does; the transaction of the session is lost then.
   */
  async beginAnew(
    session: VirtualSession,
    ports: SessionPorts,
    deadline: Deadline,
    tried?: Tried,
  ): Promise<boolean> {
    const begun = this.#begun;
    const { held, state } = session;
    if (begun === undefined || begun.connection !== held || !this.#mayMove(begun, state)) return false;
    if (isFit(ports, begun)) return false;
    session.giveBack();
    session.adopt({ ...begun.before, settings: state.settings });
    if (tried !== undefined) tried.hasBegunAnew = true;
    try {
      await session.run(begun.statement, { deadline, scope: begun.scope, isOwn: true });
      return true;
    } catch (error) {
      session.adopt(session.state, transactionLoss(held.node, error, false));
      throw error;
    }
  }

  /** What counts for it on `held`: what its beginning asked for, whatever else `context` does. */
  contextOn(held: PhysicalConnection, context: CallContext): CallContext {
    const begun = this.#begun;
    return begun?.connection === held ? { ...context, scope: begun.scope } : context;
  }

  /** The session begins anew. */
  clear(): void {
    this.#begun = undefined;
  }

  #mayMove({ before }: Beginning, { autocommit, pins, unseen }: SessionState): boolean {
    // What is chained to another one begins with that one's end.
    const isTied = !autocommit || pins.length > 0 || unseen;
    return this.#isBare && before.transaction === 'none' && !isTied;
  }
}

/** Whether a text shows data, or keeps it in a variable. */
export function readsData({ kind, route, pins, unpins, showsRows }: Classification): boolean {
  if (route === 'same' || unpins.includes('found-rows')) return showsRows === true;
  return kind === 'read' || pins.includes('user-variable');
}

/** Whether the node is still what the transaction asked for when it began, and has what its scope wrote since. */
function isFit(ports: SessionPorts, { connection, scope, wanted }: Beginning): boolean {
  const { router } = ports;
  const { node } = connection;
  if (node !== router.writer && !router.mayStillRead(node, scope)) return false;
  return scope?.wanted === wanted || !mustCatchUp(ports, node, scope, undefined);
}

function leavesSomething({ transaction, pins }: Classification): boolean {
  return transaction === 'savepoint' || pins.length > 0;
}

/** Whether a text sets what may be set before the transaction as well: not what would hold for the transaction then. */
function isForLater(classification: Classification): boolean {
  const { settings } = classification;
  const isAboutTransactions =
    settings?.some((each) => each === 'isolation' || each === 'access-mode') === true;
  return isSetting(classification) && !isAboutTransactions;
}

function isSnapshot({ flavor, sqlMode }: PhysicalConnection, { sql }: Statement): boolean {
  return takesSnapshot(sql, { flavor, sqlMode: sqlMode?.split(',') });
}
