/**
 * A server that has no room for another prepared statement: its limit counts those of all clients together, and every
 * connection keeps what it has executed. Room is made by closing what this connection keeps and nobody holds. The
 * statement is never sent in another way: the text protocol has other rules for values.
 */
import type { Classification } from './classifier/classification.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { SessionState } from './session-state.js';
import type { Statement } from './statement.js';

/** The server's number for it, on both families. */
const TOO_MANY_PREPARED = 1461;

const REMEDY =
  'raise `max_prepared_stmt_count` on the server, lower `maxPreparedStatements` (what each connection keeps; 16000 unless set), or use query()';

/** The name of the pin of a statement that a caller prepared and holds; the driver's id comes first. */
export function handleName(id: number, handle: number): string {
  return `binary ${id} ${handle}`;
}

/** Whether one of the handles of `state` is to the statement `id`; also when their names are not known any more. */
export function isHeld({ pins }: SessionState, id: number): boolean {
  return pins.some(
    ({ pin, name }) => pin === 'prepared' && (name === undefined || name.startsWith(`binary ${id} `)),
  );
}

/**
 * When `error` says that there is no room: closes what `connection` keeps and no handle of `state` needs, and adds to the
 * error what its reader can do. Whether there is room now.
 */
export function makeRoom(connection: PhysicalConnection, state: SessionState, error: unknown): boolean {
  if (!isOutOfRoom(error)) return false;
  if (!error.message.endsWith(REMEDY)) error.message = `${error.message}; ${REMEDY}`;
  return connection.forgetStatements((id) => !isHeld(state, id)) > 0;
}

/**
 * Whether a statement that met that error certainly did nothing, so that it may be sent again. A procedure prepares
 * statements of its own, after it did something else.
 */
export function wasNotPrepared(statement: Statement, { kind }: Classification): boolean {
  return statement.mode === 'execute' && statement.prepared === undefined && kind !== 'unknown';
}

function isOutOfRoom(error: unknown): error is Error {
  return error instanceof Error && (error as { errno?: unknown }).errno === TOO_MANY_PREPARED;
}
