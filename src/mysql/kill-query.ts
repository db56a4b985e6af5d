/** Ends a statement on the server from the side, after looking that it is still that statement. */
import type { RowDataPacket } from 'mysql2';
import { pause } from '../common/backoff.js';
import { Deadline } from '../common/deadline.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from './connection-options.js';
import type { PhysicalConnection } from './physical-connection.js';

/** What came of it. `finished`: there was nothing to end any more. `failed`: the server could not be asked. */
export type KillOutcome = 'killed' | 'finished' | 'failed';

/** Limit of the whole attempt, in milliseconds. */
const KILL_LIMIT_MS = 3_000;

/**
 * Ends what `target` is doing on its server. The caller must not have used `target` for anything else, and must not use it
 * again: a KILL that comes late would hit the next statement. `sql` is the text of the statement, with its placeholders.
 *
 * Never rejects. Calls for one node share one short-lived connection, so that many deadlines at once do not become many
 * connections to a server that is busy already.
 */
export function killQuery(
  target: PhysicalConnection,
  config: MysqlNodeConfig,
  sql?: string,
): Promise<KillOutcome> {
  let side = sides.get(config);
  if (side === undefined) {
    side = new SideConnection(createConnectionFactory(forAdministration(config)));
    sides.set(config, side);
  }
  return side.kill(target, sql);
}

const sides = new WeakMap<MysqlNodeConfig, SideConnection>();

/** One connection for all that wait for it; closed when nobody does. */
class SideConnection {
  readonly #factory: ConnectionFactory;
  #connection: Promise<PhysicalConnection> | undefined;
  #users = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(factory: ConnectionFactory) {
    this.#factory = factory;
  }

  kill(target: PhysicalConnection, sql: string | undefined): Promise<KillOutcome> {
    const deadline = Deadline.of({ timeoutMs: KILL_LIMIT_MS });
    this.#users += 1;
    this.#connection ??= this.#factory.connect(deadline);
    const connecting = this.#connection;
    const outcome = this.#turn.then(async (): Promise<KillOutcome> => {
      try {
        deadline.check('Ending a statement');
        return await killOn(await connecting, target, sql, deadline);
      } catch {
        this.#forget(connecting);
        return 'failed';
      } finally {
        this.#users -= 1;
        if (this.#users === 0) this.#forget(connecting);
      }
    });
    this.#turn = outcome;
    return outcome;
  }

  #forget(connecting: Promise<PhysicalConnection>): void {
    if (this.#connection === connecting) this.#connection = undefined;
    connecting.then((connection) => connection.destroy()).catch(() => undefined);
  }
}

async function killOn(
  side: PhysicalConnection,
  target: PhysicalConnection,
  sql: string | undefined,
  deadline: Deadline,
): Promise<KillOutcome> {
  const { threadId } = target;
  const [uptime] = await side.ask("SHOW GLOBAL STATUS LIKE 'Uptime'", deadline);
  // The number belongs to another session when the server was started after the connection was made.
  const startedAgoMs = (Number(uptime?.['Value'] ?? 0) + 1) * 1_000;
  if (startedAgoMs < performance.now() - target.madeAt) return 'finished';
  for (;;) {
    const row = await sessionRow(side, threadId, deadline);
    if (row === undefined) return 'finished';
    if (isRunning(row, sql)) break;
    // An idle session whose connection we closed has not read everything yet: its statement may still be on the way.
    if (!isIdle(row) || target.lost === undefined) return 'finished';
    await pause(ARRIVAL_PAUSE_MS);
    deadline.check('Ending a statement');
  }
  try {
    await side.ask(`KILL QUERY ${threadId}`, deadline);
    return 'killed';
  } catch (error) {
    if ((error as { errno?: unknown }).errno === NO_SUCH_THREAD) return 'finished';
    throw error;
  }
}

const NO_SUCH_THREAD = 1094;

/** Pause between two looks for a statement that has not arrived, in milliseconds. */
const ARRIVAL_PAUSE_MS = 20;

/** What the server shows of the session; an account sees its own sessions without any privilege. */
async function sessionRow(
  side: PhysicalConnection,
  threadId: number,
  deadline: Deadline,
): Promise<RowDataPacket | undefined> {
  const columns = 'ID AS id, COMMAND AS command, INFO AS info';
  const where = `FROM information_schema.PROCESSLIST WHERE ID = ${threadId}`;
  const [row] = await side.ask(`SELECT ${columns} ${where}`, deadline);
  return row;
}

function isRunning(row: RowDataPacket, sql: string | undefined): boolean {
  const { command, info } = row as { command?: unknown; info?: unknown };
  if (command !== 'Query' && command !== 'Execute') return false;
  return sql === undefined || typeof info !== 'string' || isSameStatement(sql, info);
}

function isIdle(row: RowDataPacket): boolean {
  return (row as { command?: unknown }).command === 'Sleep';
}

/**
 * Whether the server's text `info` can be the statement `sql`: the server shows values in place of placeholders, without
 * blanks around the text, and of several statements only the present one.
 */
export function isSameStatement(sql: string, info: string): boolean {
  const shown = beginning(info);
  return sql.split(';').some((part) => {
    const wanted = beginning(part);
    return wanted !== '' && shown !== '' && (shown.startsWith(wanted) || wanted.startsWith(shown));
  });
}

/** As much of the text as no value and no character set can have changed. */
function beginning(text: string): string {
  const plain = /^[^?:]*/.exec(text)?.[0] ?? '';
  return plain
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
    .slice(0, 60);
}
