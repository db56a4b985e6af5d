/** Brings the connection that a session holds to where its next read needs it, or leaves it for another one. */
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { catchUp } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { addTried, type Bound, type Tried } from './connection-binder.js';
import { failureOf } from './failure-policy.js';
import { freshenTied } from './freshen-tied.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { SessionMemory } from './session-memory.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { SessionSender } from './session-sender.js';
import type { Need } from './session-state.js';
import type { VirtualSession } from './virtual-session.js';

/** A session, seen from inside. */
export interface SessionParts {
  readonly session: VirtualSession;
  readonly ports: SessionPorts;
  readonly memory: SessionMemory;
  readonly sender: SessionSender;
}

/**
 * See {@link catchUp}; a node that fails meanwhile, or is not there in time, is left for another one if it may be. Whether the
 * statement may be sent on `connection` now.
 */
export async function catchUpOrMove(
  { session, ports, memory, sender }: SessionParts,
  connection: PhysicalConnection,
  classification: Classification,
  { place }: Need,
  waitFor: Bound['waitFor'],
  context: CallContext,
  tried: Tried,
): Promise<boolean> {
  const isHeld = place === 'held';
  const { unread } = memory.tie;
  // How many rows the statement before had, no other connection knows; all else its beginning leaves anywhere.
  const mayMove = isHeld && !classification.unpins.includes('found-rows');
  if (mayMove && (await unread.beginAnew(session, ports, context.deadline, tried))) return false;
  try {
    if (isHeld) {
      const asked = unread.contextOn(connection, context);
      return await freshenTied(ports, connection, session.state, classification, asked);
    }
    if (await catchUp(ports, connection, waitFor, context, tried)) return true;
    if (waitFor !== undefined || ports.router.hasBarrier(connection.node)) tried.hasWaited = true;
    session.giveBack();
  } catch (error) {
    if (isStormlampError(error, ErrorCode.NO_REPLICA)) throw error;
    // Where the server did not answer, it may still be busy with our question.
    if (failureOf(error, connection, false).meaning.connection === 'lost') sender.lose(connection, error);
    else if (!isHeld) session.giveBack();
    if (isHeld) throw isStormlampError(error) ? error : (session.loss ?? error);
    context.deadline.check('The statement');
    if (tried.nodes?.has(connection.node) === true) throw error;
    addTried(tried, connection.node);
  }
  return false;
}
