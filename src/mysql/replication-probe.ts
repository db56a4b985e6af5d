/** Looks at one database server over a connection of its own: variables, replication and signs of life, in few round trips. */
import { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { HealthProbe } from '../health/health-probe.js';
import type { ReplicationChannel, ServerFacts } from '../topology/node-description.js';
import type { ServerPeer } from '../topology/server-peers.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from './connection-options.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import { groupKindOf } from './group-status.js';
import { measureLag } from './lag-meter.js';
import type { ResolvedLagSource } from './monitor-options.js';
import {
  askBinlogFilters,
  askBlockedWrites,
  askChannels,
  askGroup,
  askHeartbeats,
  askPeers,
  askSigns,
  askVariables,
  type ProbeSession,
} from './probe-questions.js';
import { replicaStatusStatements } from './replica-status.js';
import { classifyServerError } from './server-error.js';
import { canTellFineLag, readFineLag, readServerVariables, withFineLag } from './server-variables.js';
import { parseServerVersion } from './server-version.js';
import { readSemiSync, withHeartbeats } from './signs-of-life.js';

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
  /** Told when the account may not ask for them: once per connection, and not with every look that lacks more. */
  readonly onMissing?: ((error: Error) => void) | undefined;
  /** Told when the `lagSource` function, or the heartbeat table, begins to fail. */
  readonly onUnmeasured?: ((error: Error) => void) | undefined;
}

/** Makes the probe of one node; it connects when it is first asked, and again whenever it has to. */
export function createReplicationProbe(options: ReplicationProbeOptions): HealthProbe {
  const config = forAdministration(options.config, options.credentials);
  return new ReplicationProbe(createConnectionFactory(config), options);
}

class ReplicationProbe implements HealthProbe {
  readonly #factory: ConnectionFactory;
  readonly #options: ReplicationProbeOptions;
  readonly #lagSource: ResolvedLagSource;
  #closed = false;
  /** Whether the present connection may be one to another server than the node is by now. */
  #isOutdated = false;
  /** Whether the lag could not be measured at the last look. */
  #isUnmeasured = false;
  /** Whether it was told on this connection that the account may not ask for replicas. */
  #hasToldMissing = false;
  #session: ProbeSession | undefined;

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
      const isBroken = !answered || connection === 'lost' || isStormlampError(error, ErrorCode.TIMEOUT);
      if (isBroken) this.#drop(session);
      // A privilege that is granted now counts from the next login on; what else is missing was told already.
      else if (isStormlampError(error, ErrorCode.MISSING_PRIVILEGE)) {
        const hasTold = this.#hasToldMissing;
        this.#drop(session);
        this.#hasToldMissing = hasTold;
      }
      throw error;
    }
  }

  reconnect(): void {
    // A look that is under way is no failure of the node.
    this.#isOutdated = true;
  }

  close(): void {
    this.#closed = true;
    if (this.#session !== undefined) this.#drop(this.#session);
  }

  async #open(deadline: Deadline): Promise<ProbeSession> {
    const known = this.#session;
    if (known !== undefined && known.connection.lost === undefined && !this.#isOutdated) return known;
    this.#isOutdated = false;
    if (known !== undefined) this.#drop(known);
    const connection = await this.#factory.connect(deadline);
    try {
      // A proxy may greet with a version of its own.
      const [row] = await connection.ask('SELECT VERSION() AS version', deadline);
      const version = parseServerVersion(String(row?.['version'] ?? connection.version.text));
      const [status] = replicaStatusStatements(version);
      const fineLag = this.#lagSource === 'auto' && canTellFineLag(version);
      const group = await groupKindOf(connection, version, deadline);
      const session: ProbeSession = {
        connection,
        version,
        status,
        fineLag,
        heartbeats: canTellFineLag(version),
        countsBlocked: true,
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

  async #look(session: ProbeSession, deadline: Deadline): Promise<ServerFacts> {
    // All are sent at once: the later ones wait in the driver for the answers to the earlier ones.
    const [variables, status, signs, blocked, peers, group, beats, binlog] = await Promise.allSettled([
      askVariables(session, deadline),
      askChannels(session, deadline, this.#lagSource === 'unchecked'),
      askSigns(session, deadline),
      askBlockedWrites(session, deadline),
      this.#peers(session, deadline),
      askGroup(session, deadline),
      askHeartbeats(session, deadline, this.#lagSource),
      askBinlogFilters(session, deadline),
    ]);
    if (variables.status === 'rejected') throw variables.reason;
    if (status.status === 'rejected') throw status.reason;
    if (signs.status === 'rejected') throw signs.reason;
    if (blocked.status === 'rejected') throw blocked.reason;
    if (beats.status === 'rejected') throw beats.reason;
    if (peers.status === 'rejected') throw peers.reason;
    if (group.status === 'rejected') throw group.reason;
    if (binlog.status === 'rejected') throw binlog.reason;
    if (typeof this.#lagSource === 'object') this.#noteMeasured(beats.value.error);
    const row = variables.value;
    const channels = status.value ?? [];
    const semiSync = session.isReplica === false ? readSemiSync(signs.value) : undefined;
    const timed = session.isReplica === true ? withHeartbeats(channels, signs.value) : channels;
    session.isReplica = channels.length > 0;
    return {
      ...readServerVariables(row),
      channels: await this.#metered(session, withFineLag(timed, readFineLag(row)), deadline),
      replicationVisible: status.value !== undefined,
      ...binlog.value,
      ...(semiSync === undefined ? {} : { semiSync }),
      ...(blocked.value === undefined ? {} : { blockedWrites: blocked.value }),
      ...(beats.value.beats === undefined ? {} : { heartbeats: beats.value.beats }),
      ...(peers.value === undefined ? {} : { peers: peers.value }),
      ...(group.value === undefined ? {} : { group: group.value }),
    };
  }

  /** The replicas of the node; undefined when nobody wants to know. */
  async #peers(session: ProbeSession, deadline: Deadline): Promise<readonly ServerPeer[] | undefined> {
    if (this.#options.namesPeers !== true) return undefined;
    return await askPeers(session, deadline, (error) => {
      if (!this.#hasToldMissing) this.#options.onMissing?.(error);
      this.#hasToldMissing = true;
    });
  }

  /** The channels with the lag that the user's own function measures, if there is one. */
  async #metered(
    session: ProbeSession,
    channels: readonly ReplicationChannel[],
    deadline: Deadline,
  ): Promise<readonly ReplicationChannel[]> {
    const source = this.#lagSource;
    if (typeof source !== 'function' || channels.length === 0) return channels;
    const { lagMs, error, isBusy } = await measureLag(source, session.connection, deadline);
    this.#noteMeasured(error);
    if (isBusy) this.#drop(session);
    return channels.map((channel) => ({ ...channel, lagMs }));
  }

  /** Tells when the lag begins to be one that cannot be measured. */
  #noteMeasured(error: Error | undefined): void {
    if (error !== undefined && !this.#isUnmeasured) this.#options.onUnmeasured?.(error);
    this.#isUnmeasured = error !== undefined;
  }

  #drop(session: ProbeSession): void {
    session.connection.destroy();
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#hasToldMissing = false;
  }
}
