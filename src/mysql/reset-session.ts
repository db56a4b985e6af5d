/** What `reset()` and `changeUser()` leave of a session, and the ties to a connection that no statement shows. */
import type { Deadline } from '../common/deadline.js';
import { connectionGone } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { SessionPorts } from './session-ports.js';
import { changesDatabase, FRESH_SESSION } from './session-state.js';
import type { Statement } from './statement.js';
import type { VirtualSession } from './virtual-session.js';

type Tie = 'prepared' | 'session-variable';

/** Ties `session` to the connection that it holds. */
export function tie(session: VirtualSession, pin: Tie, name: string): void {
  const { state, held } = session;
  session.adopt({ ...state, wrote: true, pins: [...state.pins, { pin, name }] });
  if (held !== undefined) held.touched = true;
}

/** Takes a {@link tie} back. */
export function untie(session: VirtualSession, pin: Tie, name: string): void {
  const { state } = session;
  const pins = state.pins.filter((held) => held.pin !== pin || held.name !== name);
  session.adopt({ ...state, pins });
}

/** The statement, if any, that chose the database which `session` is in. */
export function chosenDatabase({ state }: VirtualSession, ports: SessionPorts): readonly Statement[] {
  return state.settings.filter(({ sql }) => changesDatabase(ports.classify(sql, undefined)));
}

/**
 * Forgets all that `session` has, but its user and its database: so does the server, which would otherwise be asked for rows of
 * another tenant. `hasOtherUser`: it is not the pool's.
 *
 * Rejects with the error of what is lost when the connection with the other user is gone, or cannot be reset.
 */
export async function resetSession(
  session: VirtualSession,
  hasOtherUser: boolean,
  ports: SessionPorts,
  deadline: Deadline,
): Promise<void> {
  const { held, loss, state, isSpoilt } = session;
  if (hasOtherUser && loss !== undefined) throw loss;
  if (held !== undefined && !isSpoilt) {
    // Another connection would tell what its last borrower left (`LAST_INSERT_ID()`).
    try {
      await held.reset(deadline);
      session.begin(FRESH_SESSION);
      return;
    } catch {
      session.spoil();
    }
  }
  // A distributed transaction outlives the server's own reset: its connection is left instead.
  const isLeft = state.pins.length === 0 || state.pins.some(({ pin }) => pin === 'xa');
  if (held === undefined || !isSpoilt || (isLeft && !hasOtherUser)) {
    session.clear(chosenDatabase(session, ports));
    return;
  }
  // Who it is, or where, no other connection knows.
  try {
    await held.reset(deadline);
  } catch (error) {
    throw missUser(session, held, error);
  }
  session.begin(FRESH_SESSION);
  tie(session, 'session-variable', 'user');
}

/** Lets `session` do nothing more until it is released: it is not the user, or in the database, that was chosen. */
export function missUser(
  session: VirtualSession,
  { node }: Pick<PhysicalConnection, 'node'>,
  cause: unknown,
): Error {
  const error = connectionGone(node, 'the user and the database that were changed to', cause);
  session.clear();
  session.begin(FRESH_SESSION, { what: 'connection', error });
  return error;
}
