/** Looks at one database server over a connection of its own: variables, replication and signs of life, in few round trips. */
import { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { HealthProbe } from '../health/health-probe.js';
import type { GroupFacts, ReplicationChannel, ServerFacts } from '../topology/node-description.js';
import type { ServerPeer } from '../topology/server-peers.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from './connection-options.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import { groupKindOf, readGroup } from './group-status.js';
import { heartbeatSql, readHeartbeats } from './heartbeat-table.js';
import {
  missingPrivilegeError,
  unnamedReplicasError,
  unreadableGroupError,
  unreadableHeartbeatError,
} from './missing-privilege.js';
import type { LagMeter, ResolvedLagSource } from './monitor-options.js';
import type { PhysicalConnection } from './physical-connection.js';
import { readReplicaStatus, replicaStatusStatements, type StatusRow } from './replica-status.js';
import { classifyServerError } from './server-error.js';
import { readReplicas, replicasStatement } from './server-peers.js';
import {
  canTellFineLag,
  readFineLag,
  readServerVariables,
  serverVariablesSql,
  withFineLag,
} from './server-variables.js';
import { parseServerVersion, type ServerVersion } from './server-version.js';
import { HEARTBEATS_SQL, readSemiSync, SEMI_SYNC_SQL, withHeartbeats } from './signs-of-life.js';

/** How a replication probe looks. */
export interface ReplicationProbeOptions {
  /** The node. */
  readonly config: MysqlNodeConfig;
  /** The account to look with. Default: that of the node. */
  readonly credentials?: MysqlCredentials | CredentialsSource | undefined;
  /**
   * Where lag comes from. With `'unchecked'`, an account that may not see replication is no error; the facts then say
   * `replicationVisible: false`. Default `'auto'`.
   */
  readonly lagSource?: ResolvedLagSource | undefined;
  /** Whether the node is asked for its replicas, too. Default false. */
  readonly namesPeers?: boolean | undefined;
  /** Told once per connection when the account may not ask for them, or the `lagSource` function fails. */
  readonly onMissing?: ((error: Error) => void) | undefined;
}

/** Makes the probe of one node; it connects when it is first asked, and again whenever it has to. */
export function createReplicationProbe(options: ReplicationProbeOptions): HealthProbe {
  const config = forAdministration(options.config, options.credentials);
  return new ReplicationProbe(createConnectionFactory(config), options);
}

/** What is learnt once per connection. */
interface Session {
  readonly connection: PhysicalConnection;
  readonly version: ServerVersion;
  /** The statement that shows replication; the other spelling is tried when the server does not know it. */
  status: string;
  fineLag: boolean;
  /** Whether the server's heartbeats must be, and may be, read apart. */
  heartbeats: boolean;
  /** Whether it replicated from somebody at the last look; undefined before the first. */
  isReplica?: boolean;
  /** The replicas when they were asked for last. */
  peers: { readonly at: number; readonly list: readonly ServerPeer[] } | undefined;
  /** Whether it was told that lag cannot be measured. */
  unmeasured?: boolean;
  /** The group that the server may be a member of. */
  readonly group: GroupFacts['kind'] | undefined;
}

/** Who the replicas are is asked for so often, in milliseconds. */
const PEERS_MS = 10_000;

/** The share of a probe's time that may be spent on a measurement of lag; without one, the server is known to live all the same. */
const LAG_SHARE = 0.5;

class ReplicationProbe implements HealthProbe {
  readonly #factory: ConnectionFactory;
  readonly #options: ReplicationProbeOptions;
  readonly #lagSource: ResolvedLagSource;
  #closed = false;
  #session: Session | undefined;

  constructor(factory: ConnectionFactory, options: ReplicationProbeOptions) {
    this.#factory = factory;
    this.#options = options;
    this.#lagSource = options.lagSource ?? 'auto';
  }

  async probe(options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<ServerFacts> {
    const deadline = Deadline.of(options);
    deadline.check(`The probe of node ${this.#factory.node}`);
    const session = await this.#open(deadline);
    try {
      return await this.#look(session, deadline);
    } catch (error) {
      // An answer of the server leaves the connection as it was; anything else may leave it in the middle of something.
      const { answered, connection } = classifyServerError(error, session.version.flavor);
      if (!answered || connection === 'lost' || isStormlampError(error, ErrorCode.TIMEOUT))
        this.#drop(session);
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#session !== undefined) this.#drop(this.#session);
  }

  async #open(deadline: Deadline): Promise<Session> {
    const known = this.#session;
    if (known !== undefined && known.connection.lost === undefined) return known;
    if (known !== undefined) this.#drop(known);
    const connection = await this.#factory.connect(deadline);
    try {
      // A proxy may greet with a version of its own.
      const [row] = await connection.ask('SELECT VERSION() AS version', deadline);
      const version = parseServerVersion(String(row?.['version'] ?? connection.version.text));
      const [status] = replicaStatusStatements(version);
      const fineLag = this.#lagSource === 'auto' && canTellFineLag(version);
      const group = await groupKindOf(connection, version, deadline);
      const session: Session = {
        connection,
        version,
        status,
        fineLag,
        heartbeats: canTellFineLag(version),
        peers: undefined,
        group,
      };
      if (this.#closed)
        throw new StormlampError(ErrorCode.CLOSED, `The probe of node ${this.#factory.node} is closed`);
      this.#session = session;
      return session;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #look(session: Session, deadline: Deadline): Promise<ServerFacts> {
    // All are sent at once: the later ones wait in the driver for the answers to the earlier ones.
    const [variables, status, signs, peers, group, beats] = await Promise.allSettled([
      this.#variables(session, deadline),
      this.#channels(session, deadline),
      this.#signs(session, deadline),
      this.#peers(session, deadline),
      this.#group(session, deadline),
      this.#tableBeats(session, deadline),
    ]);
    if (variables.status === 'rejected') throw variables.reason;
    if (status.status === 'rejected') throw status.reason;
    if (signs.status === 'rejected') throw signs.reason;
    if (beats.status === 'rejected') throw beats.reason;
    if (peers.status === 'rejected') throw peers.reason;
    if (group.status === 'rejected') throw group.reason;
    const row = variables.value;
    const channels = status.value ?? [];
    const semiSync = session.isReplica === false ? readSemiSync(signs.value) : undefined;
    const timed = session.isReplica === true ? withHeartbeats(channels, signs.value) : channels;
    session.isReplica = channels.length > 0;
    return {
      ...readServerVariables(row),
      channels: await this.#metered(withFineLag(timed, readFineLag(row)), session, deadline),
      replicationVisible: status.value !== undefined,
      ...(semiSync === undefined ? {} : { semiSync }),
      ...(beats.value === undefined ? {} : { heartbeats: beats.value }),
      ...(peers.value === undefined ? {} : { peers: peers.value }),
      ...(group.value === undefined ? {} : { group: group.value }),
    };
  }

  /** What the server was at the last look decides what else is asked; a change is caught up with by the next look. */
  async #signs(session: Session, deadline: Deadline): Promise<readonly StatusRow[]> {
    if (session.isReplica === false) return await session.connection.ask(SEMI_SYNC_SQL, deadline);
    if (session.isReplica === undefined || !session.heartbeats) return [];
    try {
      return await session.connection.ask(HEARTBEATS_SQL, deadline);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      session.heartbeats = false;
      return [];
    }
  }

  /** The replicas of the node, asked for now and then; undefined when nobody wants to know. */
  async #peers(session: Session, deadline: Deadline): Promise<readonly ServerPeer[] | undefined> {
    if (this.#options.namesPeers !== true) return undefined;
    const now = performance.now();
    if (session.peers !== undefined && now - session.peers.at < PEERS_MS) return session.peers.list;
    let list: readonly ServerPeer[] = [];
    try {
      list = readReplicas(await session.connection.ask(replicasStatement(session.version), deadline));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (session.peers === undefined) {
        this.#options.onMissing?.(unnamedReplicasError(this.#factory.node, session.version, error));
      }
    }
    session.peers = { at: now, list };
    return list;
  }

  /** What the node says about its group; undefined when it is in none. */
  async #group({ connection, group }: Session, deadline: Deadline): Promise<GroupFacts | undefined> {
    if (group === undefined) return undefined;
    try {
      return await readGroup(connection, group, deadline);
    } catch (error) {
      if ((error as { errno?: unknown }).errno !== 1142) throw error;
      throw unreadableGroupError(this.#factory.node, error);
    }
  }

  /** The heartbeats of all servers; none while the table is not there yet, or is locked: that says nothing about the server. */
  async #tableBeats(session: Session, deadline: Deadline): Promise<ServerFacts['heartbeats']> {
    const source = this.#lagSource;
    if (typeof source !== 'object') return undefined;
    const { connection, version } = session;
    try {
      const sql = heartbeatSql(source.table, version.flavor, deadline.remainingMs() * LAG_SHARE);
      return readHeartbeats(await connection.ask(sql, deadline));
    } catch (error) {
      const { errno } = error as { errno?: unknown };
      if (errno === 1142) throw unreadableHeartbeatError(this.#factory.node, source.table, error);
      if (classifyServerError(error, version.flavor).answered && connection.lost === undefined) return {};
      throw error;
    }
  }

  /** The channels with the lag that the user's own function measures, if there is one. */
  async #metered(
    channels: readonly ReplicationChannel[],
    session: Session,
    deadline: Deadline,
  ): Promise<readonly ReplicationChannel[]> {
    const source = this.#lagSource;
    if (typeof source !== 'function' || channels.length === 0) return channels;
    const measured = await this.#ownMeasure(source, session, deadline);
    // What is no number of milliseconds says nothing.
    const lagMs = typeof measured === 'number' && measured >= 0 ? measured : null;
    return channels.map((channel) => ({ ...channel, lagMs }));
  }

  /** What the user's function measures; undefined when it fails or takes too long: that says nothing about the server. */
  async #ownMeasure(source: LagMeter, session: Session, deadline: Deadline): Promise<unknown> {
    const { node } = this.#factory;
    const own = deadline.within(Math.max(1, deadline.remainingMs() * LAG_SHARE));
    let asked = 0;
    const ask = async (sql: string): Promise<readonly StatusRow[]> => {
      asked += 1;
      const rows = await session.connection.ask(sql, own);
      asked -= 1;
      return rows;
    };
    const measure = async (): Promise<unknown> => await source({ node, ask });
    try {
      return await own.race('The `lagSource` function', measure());
    } catch (error) {
      if (session.unmeasured !== true) {
        const cause = error instanceof Error ? error : new Error(String(error));
        this.#options.onMissing?.(
          new StormlampError(
            ErrorCode.INVALID_OPTION,
            `The lag of ${node} is unknown: the \`lagSource\` function failed: ${cause.message}`,
            { node, cause },
          ),
        );
      }
      session.unmeasured = true;
      return undefined;
    } finally {
      // The connection may still be busy with what was asked.
      if (asked > 0) this.#drop(session);
    }
  }

  async #variables(session: Session, deadline: Deadline): Promise<StatusRow> {
    const { connection, version, fineLag } = session;
    try {
      const [row] = await connection.ask(serverVariablesSql(version, fineLag), deadline);
      return row ?? {};
    } catch (error) {
      // Reading performance_schema is a privilege of its own, and it can be switched off.
      if (!fineLag || !isRefusal(error)) throw error;
      session.fineLag = false;
      const [row] = await connection.ask(serverVariablesSql(version, false), deadline);
      return row ?? {};
    }
  }

  /** The channels; undefined when they may not be seen and nobody minds. */
  async #channels(session: Session, deadline: Deadline): Promise<readonly ReplicationChannel[] | undefined> {
    try {
      const rows = await this.#status(session, deadline);
      return readReplicaStatus(rows, session.version.flavor);
    } catch (error) {
      if (classifyServerError(error, session.version.flavor).kind !== 'access') throw error;
      if (this.#lagSource === 'unchecked') return undefined;
      const [row] = await session.connection.ask('SELECT CURRENT_USER() AS account', deadline);
      throw missingPrivilegeError(this.#factory.node, session.version, String(row?.['account'] ?? ''), error);
    }
  }

  async #status(session: Session, deadline: Deadline): Promise<readonly StatusRow[]> {
    try {
      return await session.connection.ask(session.status, deadline);
    } catch (error) {
      if ((error as { errno?: unknown }).errno !== 1064) throw error;
      const other = replicaStatusStatements(session.version).find(
        (statement) => statement !== session.status,
      );
      if (other === undefined) throw error;
      const rows = await session.connection.ask(other, deadline);
      session.status = other;
      return rows;
    }
  }

  #drop(session: Session): void {
    session.connection.destroy();
    if (this.#session === session) this.#session = undefined;
  }
}

/** An account that may not read, or a table, column or function that this server does not have. */
function isRefusal(error: unknown): boolean {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' && [1044, 1054, 1109, 1142, 1143, 1146, 1227, 1305, 1683].includes(errno);
}
