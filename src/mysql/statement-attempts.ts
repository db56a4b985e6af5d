/** The attempts at one statement: where it was tried, and whether and where it is tried again. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { addTried, awaitRoleChange, awaitService, type Tried } from './connection-binder.js';
import type { Remedy } from './failure-policy.js';
import type { PhysicalConnection } from './physical-connection.js';
import { classifyServerError } from './server-error.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { Need } from './session-state.js';
import { mayBeBehindBecause } from './unknown-there.js';

/** How often a read is sent again, a statement that met a closed connection, and one without room to be prepared. */
const [READ_RETRY_LIMIT, RESEND_LIMIT, PREPARE_LIMIT] = [1, 3, 1];

/** What a statement that may be run several times has been through. */
export class StatementAttempts {
  /** The nodes that need not be tried again. */
  readonly tried: Tried = { nodes: undefined };
  /** How often it failed. */
  count = 0;
  /** Why it has to go to the primary from now on. */
  #movedBecause: string | undefined;
  /** What a replica answered that may be behind the primary; undefined until the primary is asked for that reason. */
  #doubted: unknown;

  /** Where it has to run, when it would have to at `wanted` the first time. */
  needOf(wanted: Need): Need {
    if (this.#movedBecause === undefined || wanted.place === 'held') return wanted;
    return { place: 'primary', because: this.#movedBecause };
  }

  /** Whether the primary is asked for a read that a replica could not answer. */
  get isSecondOpinion(): boolean {
    return this.#doubted !== undefined;
  }

  /** What the caller gets for `error`: the replica's answer, where the primary that was asked then did not give one. */
  told(error: unknown): unknown {
    if (this.#doubted === undefined) return error;
    const isOwn = [ErrorCode.TIMEOUT, ErrorCode.ABORTED, ErrorCode.CLOSED].some((code) =>
      isStormlampError(error, code),
    );
    const { answered, connection } = classifyServerError(error);
    return isOwn || (answered && connection === 'usable' && !isStormlampError(error)) ? error : this.#doubted;
  }

  /**
   * Prepares the next attempt after one on `connection` that failed with `error`.
   *
   * Rejects with `error` when there is none.
   */
  async next(
    ports: SessionPorts,
    connection: PhysicalConnection,
    need: Need,
    context: CallContext,
    { error, remedy }: { readonly error: unknown; readonly remedy: Remedy },
  ): Promise<void> {
    this.count += 1;
    const { count } = this;
    const { node } = connection;
    switch (remedy) {
      case 'retry-read':
        if (count > READ_RETRY_LIMIT) break;
        addTried(this.tried, node);
        return;
      case 'resend':
        if (count > RESEND_LIMIT) break;
        return;
      case 'prepare-again':
        if (count > PREPARE_LIMIT) break;
        return;
      case 'retry-in-service':
        if (need.place === 'read') addTried(this.tried, node);
        await awaitService(ports, node, context, count, error);
        return;
      case 'retry-on-primary':
        this.#movedBecause = 'a replica refused it';
        await awaitRoleChange(ports, node, context, count, error);
        return;
      case 'ask-primary':
        if (this.#doubted !== undefined || need.place !== 'read') break;
        if (!mayAskPrimary(ports, node, context)) break;
        this.#doubted = error;
        this.#movedBecause = mayBeBehindBecause(node, error);
        return;
    }
    throw error;
  }
}

/**
 * Whether the primary may be asked now for what the replica `node` does not know; if so, that is counted as a read that falls back
 * to the primary.
 */
export function mayAskPrimary(ports: SessionPorts, replica: NodeId, { scope }: CallContext): boolean {
  const { writer } = ports.router;
  if (writer === undefined || writer === replica || !ports.node(writer).allows('write')) return false;
  return ports.router.mayAskPrimary(scope);
}
