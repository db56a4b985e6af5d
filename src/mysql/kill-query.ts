/**
 * Ends a statement on the server from the side. What is ended is the session, by its number: its connection is not used again,
 * so nothing but that statement can run in it, whatever text the server shows of it (that of a routine's inner statement, or
 * none at all). The number is only trusted when the side connection is on the same server, and that has run since.
 */
import { backoffMs, pause } from '../common/backoff.js';
import { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from './connection-options.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import type { PhysicalConnection } from './physical-connection.js';

/** What came of it. `finished`: there was nothing to end any more. An error says why it could not be ended. */
export type KillOutcome = 'killed' | 'finished' | Error;

/** Limit of the whole attempt, in milliseconds. */
const KILL_LIMIT_MS = 3_000;

/** Pauses between two attempts. */
const RETRY = { firstMs: 20, maxMs: 500 };

/** The server's answers to a KILL of a session that is not there, or that runs with the rights of another account now. */
const [NO_SUCH_THREAD, NOT_OWNER] = [1094, 1095];

/**
 * Ends what `target` is doing on its server, and the session with it. The caller must not use `target` again.
 *
 * While a routine with the rights of its definer runs, the account of the session may not end it. Then the account in
 * `credentials` is tried, and the attempt is made again until the limit.
 *
 * Never rejects. Calls for one node share one short-lived connection, so that many deadlines at once do not become many
 * connections to a server that is busy already.
 */
export async function killQuery(
  target: PhysicalConnection,
  config: MysqlNodeConfig,
  credentials?: MysqlCredentials | CredentialsSource,
): Promise<KillOutcome> {
  const deadline = Deadline.of({ timeoutMs: KILL_LIMIT_MS });
  const { own, other, formers } = sidesOf(config, credentials);
  const former = formerSide(formers, config, target.login);
  own.enter();
  other?.enter();
  former?.enter();
  try {
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await attemptOn({ own, other, former }, target, deadline);
      const waitMs = backoffMs(attempt, RETRY);
      const isFinal = !(outcome instanceof Error) || outcome instanceof WrongServer;
      if (isFinal || deadline.remainingMs() <= waitMs) return told(outcome, target.node);
      await pause(waitMs);
    }
  } finally {
    own.leave();
    other?.leave();
    former?.leave();
  }
}

async function attemptOn(
  { own, other, former }: Sides,
  target: PhysicalConnection,
  deadline: Deadline,
): Promise<KillOutcome> {
  let outcome = await own.kill(target, deadline);
  if (outcome instanceof OtherUser && former?.isRefused === false) {
    const second = await former.kill(target, deadline);
    // As the user that the session is of, the server says what it is about.
    if (!(second instanceof Error) || errnoOf(second) === NOT_OWNER) outcome = second;
  }
  if (other === undefined || !(outcome instanceof Error) || outcome instanceof WrongServer) return outcome;
  const second = await other.kill(target, deadline);
  // That the other account may not either says less than why the session's own one could not.
  return second instanceof Error ? outcome : second;
}

/** The session's number means nothing where the side connection is. */
class WrongServer extends Error {}

/** The session is of a user that the node's `credentials` gave before, and the one that they give now may not end it. */
class OtherUser extends Error {}

/** One connection for all that wait for it; closed when nobody does. */
class SideConnection {
  /** Whether the server did not let it in. */
  isRefused = false;
  readonly #factory: ConnectionFactory;
  readonly #onLeft: () => void;
  #connection: Promise<PhysicalConnection> | undefined;
  #users = 0;

  constructor(factory: ConnectionFactory, onLeft: () => void = () => undefined) {
    this.#factory = factory;
    this.#onLeft = onLeft;
  }

  enter(): void {
    this.#users += 1;
  }

  leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#forget(this.#connection);
    this.#onLeft();
  }

  async kill(target: PhysicalConnection, deadline: Deadline): Promise<KillOutcome> {
    this.#connection ??= this.#factory.connect(deadline);
    const connecting = this.#connection;
    try {
      return await killOn(await connecting, target, deadline);
    } catch (error) {
      if (isStormlampError(error, ErrorCode.ACCESS_DENIED)) this.isRefused = true;
      if (errnoOf(error) === undefined) this.#forget(connecting);
      return error as Error;
    }
  }

  #forget(connecting: Promise<PhysicalConnection> | undefined): void {
    if (this.#connection === connecting) this.#connection = undefined;
    connecting?.then((connection) => connection.destroy()).catch(() => undefined);
  }
}

interface Sides {
  readonly own: SideConnection;
  readonly other: SideConnection | undefined;
  /** As the user that the session logged in as, where that may have changed since. */
  readonly former: SideConnection | undefined;
}

/** Those of users that log in no more, by what they logged in with. */
type Formers = Map<string, SideConnection>;

type NodeSides = Pick<Sides, 'own' | 'other'> & { readonly formers: Formers };

const sides = new WeakMap<MysqlNodeConfig, NodeSides>();

function formerSide(
  formers: Formers,
  config: MysqlNodeConfig,
  login: MysqlCredentials | undefined,
): SideConnection | undefined {
  if (login === undefined) return undefined;
  const key = JSON.stringify([login.user, login.password]);
  const known = formers.get(key);
  if (known !== undefined) return known;
  const factory = createConnectionFactory(forAdministration(config, login));
  const made = new SideConnection(factory, () => formers.delete(key));
  formers.set(key, made);
  return made;
}

function sidesOf(
  config: MysqlNodeConfig,
  credentials: MysqlCredentials | CredentialsSource | undefined,
): NodeSides {
  const known = sides.get(config);
  if (known !== undefined) return known;
  const side = (account?: MysqlCredentials | CredentialsSource): SideConnection =>
    new SideConnection(createConnectionFactory(forAdministration(config, account)));
  const made = {
    own: side(),
    other: credentials === undefined ? undefined : side(credentials),
    formers: new Map(),
  };
  sides.set(config, made);
  return made;
}

async function killOn(
  side: PhysicalConnection,
  target: PhysicalConnection,
  deadline: Deadline,
): Promise<KillOutcome> {
  const refusal = wrongServer(side, target);
  if (refusal !== undefined) return refusal;
  const [uptime] = await side.ask("SHOW GLOBAL STATUS LIKE 'Uptime'", deadline);
  // The number belongs to another session when the server was started after the connection was made.
  const startedAgoMs = (Number(uptime?.['Value'] ?? 0) + 1) * 1_000;
  if (startedAgoMs < performance.now() - target.madeAt) return 'finished';
  try {
    await side.ask(`KILL ${target.threadId}`, deadline);
    return 'killed';
  } catch (error) {
    if (errnoOf(error) === NO_SUCH_THREAD) return 'finished';
    const [user, former] = [side.login?.user, target.login?.user];
    if (errnoOf(error) !== NOT_OWNER || user === former || user === undefined) throw error;
    return new OtherUser(
      `its connection logged in as ${former}, who may not log in to end it any more, and ${user}, whom the function gives now, may not`,
      { cause: error },
    );
  }
}

function wrongServer(side: PhysicalConnection, target: PhysicalConnection): WrongServer | undefined {
  if (target.server === undefined)
    return new WrongServer(
      'the server calls the session by another number than the connection has (a proxy?)',
    );
  if (side.server === target.server) return undefined;
  return new WrongServer(
    `another server (${side.server}) answers at its address than the one it runs on (${target.server})`,
  );
}

/** The outcome with an error that says what to do. */
function told(outcome: KillOutcome, node: string): KillOutcome {
  if (!(outcome instanceof Error)) return outcome;
  const options = { cause: outcome, node };
  const what = `A statement on ${node} that was given up could not be ended and goes on there`;
  const remedy = 'GRANT CONNECTION ADMIN (MySQL: CONNECTION_ADMIN) to the account of `monitor.credentials`';
  if (outcome instanceof OtherUser)
    return new StormlampError(ErrorCode.MISSING_PRIVILEGE, `${what}: ${outcome.message}. ${remedy}`, options);
  if (errnoOf(outcome) !== NOT_OWNER)
    return new StormlampError(ErrorCode.NODE_UNREACHABLE, `${what}: ${outcome.message}`, options);
  return new StormlampError(
    ErrorCode.MISSING_PRIVILEGE,
    `${what}: it runs with the rights of another account (SQL SECURITY DEFINER). ${remedy}`,
    options,
  );
}

function errnoOf(error: unknown): number | undefined {
  const { errno, sqlState } = error as { errno?: unknown; sqlState?: unknown };
  return typeof errno === 'number' && sqlState !== undefined ? errno : undefined;
}
