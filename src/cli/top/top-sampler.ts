/** Reads the counters of all servers again and again, and makes pictures of how they grew. */
import { systemClock } from '../../common/clock.js';
import { Deadline } from '../../common/deadline.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedObservation } from '../../memcached/memcached-monitor.js';
import type { MemcachedNode } from '../../memcached/memcached-node.js';
import { type ConnectionFactory, createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from '../../mysql/connection-options.js';
import type { MysqlCluster } from '../../mysql/mysql-cluster.js';
import { resolveMysqlOptions } from '../../mysql/mysql-options.js';
import { type ObservedCluster, observeMysqlCluster } from '../../mysql/observe-mysql-cluster.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { classifyServerError } from '../../mysql/server-error.js';
import { SessionNodes } from '../../session/session-nodes.js';
import { resolveStoreOptions } from '../../session/store-options.js';
import { effectiveLagMs, roleOf } from '../../topology/node-description.js';
import { nodeIn } from '../../topology/topology-description.js';
import type { ClusterConfig } from '../cluster-config.js';
import { describePlace } from '../status/look-at-cluster.js';
import { NO_REPAIRS, type NodeRepairs, repairsOf } from './node-repairs.js';
import { type Counters, percentile, ratesOf } from './rates.js';
import { type StatementTimes, statementTimes, timeWithin } from './statement-times.js';
import type { TopCache, TopDatabase, TopReport } from './top-report.js';

const LOOK_LIMIT_MS = 2_000;
const HISTORY = 60;
const WRITES = [
  ...['com_insert', 'com_update', 'com_delete', 'com_replace', 'com_load'],
  ...['com_insert_select', 'com_replace_select', 'com_update_multi', 'com_delete_multi'],
];
const COUNTERS = ['questions', 'com_select', 'threads_running', 'threads_connected', ...WRITES];

interface Look {
  readonly at: number;
  readonly counters: Counters;
  /** Undefined where the server does not tell it. */
  readonly times?: StatementTimes | undefined;
}

/** One server, looked at again and again. */
class Watched {
  before: Look | undefined;
  last: Look | undefined;
  error: string | null = null;
  /** Whether the server tells how long statements take, and the account may ask. */
  tellsTimes = true;
  readonly roundTrips: number[] = [];
  readonly lags: (number | null)[] = [];

  /** Takes what a look found. */
  seen(look: Look): void {
    this.before = this.last;
    this.last = look;
    this.error = null;
  }

  /** Takes that a look failed. */
  failed(error: unknown): void {
    this.before = this.last;
    this.last = undefined;
    this.error = describeError(error);
  }

  /** What `share` of the statements between the last two looks took at most. */
  timeWithin(share: number): number | null {
    const [before, after] = [this.before?.times, this.last?.times];
    return before === undefined || after === undefined ? null : timeWithin(before, after, share);
  }

  /** How the counters grew between the last two looks. */
  rates(): Readonly<Record<string, number | null>> {
    const { before, last } = this;
    return before === undefined || last === undefined
      ? {}
      : ratesOf(before.counters, last.counters, last.at - before.at);
  }
}

/** Samples one configured cluster. */
export class TopSampler {
  readonly #mysql: MysqlCluster | undefined;
  readonly #factories: () => readonly ConnectionFactory[];
  /** The servers that were looked at last. */
  #looked: readonly ConnectionFactory[] = [];
  readonly #connections = new Map<string, PhysicalConnection>();
  readonly #sessions: SessionNodes | undefined;
  readonly #watched = new Map<string, Watched>();
  readonly #repairs = new Map<string, NodeRepairs>();
  #standing: readonly MemcachedObservation[] = [];

  /**
   * Connects to what is configured, as far as it answers.
   *
   * @throws StormlampError as `observeMysqlCluster`, and `ERR_INVALID_OPTION` when nothing is configured that it looks at.
   */
  static async open({ options, source }: ClusterConfig): Promise<TopSampler> {
    const { mysql, sessions } = options;
    if (mysql === undefined && (sessions === undefined || resolveStoreOptions(sessions).kind === 'files')) {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        `\`stormlamp top\` looks at database servers and at the memcached nodes of sessions, and ${source} has neither; \`stormlamp status\` tells how mounts and the nodes of the cache are`,
      );
    }
    const observed = options.mysql === undefined ? undefined : await observeMysqlCluster(options.mysql);
    return new TopSampler(options, observed);
  }

  private constructor(options: ClusterConfig['options'], observed: ObservedCluster | undefined) {
    this.#mysql = observed?.mysql;
    const resolved = options.mysql === undefined ? undefined : resolveMysqlOptions(options.mysql);
    const made = new Map<MysqlNodeConfig, ConnectionFactory>();
    // Nodes are found, and forgotten, while it runs.
    this.#factories = () =>
      (observed?.nodes() ?? []).map(({ config }) => {
        const factory =
          made.get(config) ??
          createConnectionFactory(forAdministration(config, resolved?.monitor.credentials));
        made.set(config, factory);
        return factory;
      });
    const store = options.sessions === undefined ? undefined : resolveStoreOptions(options.sessions);
    const ignore = (): void => undefined;
    this.#sessions =
      store?.kind === 'memcached' ? new SessionNodes(store.options, ignore, ignore) : undefined;
  }

  /** Looks at every server once. Never rejects because of one. */
  async sample(): Promise<void> {
    this.#looked = this.#factories();
    const present = new Set(this.#looked.map(({ node }) => node));
    for (const node of this.#connections.keys()) if (!present.has(node)) this.#leave(node);
    await Promise.all([
      ...this.#looked.map((factory) => this.#database(factory)),
      ...(this.#sessions?.nodes ?? []).map((node) => this.#cache(node)),
      this.#judge(),
    ]);
  }

  /** The picture of the last two looks. */
  report(): TopReport {
    const databases = this.#looked.map(({ node }) => this.#describeDatabase(node));
    const caches = (this.#sessions?.nodes ?? []).map(({ id }) => this.#describeCache(id));
    const hasWriter = this.#mysql === undefined || this.#mysql.topology().writer.kind === 'primary';
    const ok = hasWriter && databases.every(({ role }) => role !== 'down') && caches.every(({ up }) => up);
    return { ok, at: new Date().toISOString(), databases, caches };
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.destroy();
    await Promise.all([this.#mysql?.close(), this.#sessions?.stop()]);
    await this.#sessions?.close();
  }

  async #database(factory: ConnectionFactory): Promise<void> {
    const watched = this.#of(factory.node);
    const deadline = Deadline.of({ timeoutMs: LOOK_LIMIT_MS });
    try {
      let connection = this.#connections.get(factory.node);
      if (connection === undefined || connection.lost !== undefined) {
        connection = await factory.connect(deadline);
        this.#connections.set(factory.node, connection);
      }
      const names = COUNTERS.map((name) => `'${name}'`).join(', ');
      const started = systemClock.now();
      const rows = await connection.ask(`SHOW GLOBAL STATUS WHERE Variable_name IN (${names})`, deadline);
      const at = systemClock.now();
      keep(watched.roundTrips, at - started);
      const counters = Object.fromEntries(
        rows.map((row) => [String(row['Variable_name']).toLowerCase(), Number(row['Value'])]),
      );
      watched.seen({ at, counters, times: await timesOf(watched, connection, deadline) });
    } catch (error) {
      this.#leave(factory.node);
      watched.failed(error);
    }
    const description = this.#mysql === undefined ? undefined : nodeIn(this.#mysql.topology(), factory.node);
    keep(watched.lags, description === undefined ? null : effectiveLagMs(description, systemClock.now()));
  }

  #leave(node: string): void {
    this.#connections.get(node)?.destroy();
    this.#connections.delete(node);
  }

  async #cache(node: MemcachedNode): Promise<void> {
    const watched = this.#of(node.id);
    try {
      const call = { timeoutMs: LOOK_LIMIT_MS };
      const [stats, repairs] = await Promise.all([node.stats(call), repairsOf(node, call)]);
      this.#repairs.set(node.id, repairs);
      const counters = Object.fromEntries(
        ['cmd_get', 'cmd_set', 'evictions', 'curr_items'].map((name) => [name, Number(stats.get(name) ?? 0)]),
      );
      watched.seen({ at: systemClock.now(), counters });
    } catch (error) {
      this.#repairs.delete(node.id);
      watched.failed(error);
    }
  }

  /** Looks at which nodes are filled, and which missed something. */
  async #judge(): Promise<void> {
    this.#standing = (await this.#sessions?.monitor.checkAll()) ?? [];
  }

  #describeDatabase(node: string): TopDatabase {
    const watched = this.#of(node);
    const rates = watched.rates();
    const description = this.#mysql === undefined ? undefined : nodeIn(this.#mysql.topology(), node);
    const writes = WRITES.map((name) => rates[name] ?? null);
    const changes = writes.includes(null) ? null : writes.reduce((sum: number, rate) => sum + (rate ?? 0), 0);
    const role =
      watched.last === undefined || description?.state === 'down'
        ? 'down'
        : description === undefined
          ? 'unknown'
          : roleOf(description);
    return {
      node,
      role,
      queriesPerSecond: rates['questions'] ?? null,
      readsPerSecond: rates['com_select'] ?? null,
      // Row events that a replica applies are counted as statements of clients are.
      writesPerSecond: role === 'replica' ? null : changes,
      appliedPerSecond: role === 'replica' ? changes : null,
      running: watched.last?.counters['threads_running'] ?? null,
      connected: watched.last?.counters['threads_connected'] ?? null,
      queryP50Ms: watched.timeWithin(0.5),
      queryP95Ms: watched.timeWithin(0.95),
      probeP50Ms: percentile(watched.roundTrips, 0.5),
      probeP95Ms: percentile(watched.roundTrips, 0.95),
      lagMs: watched.lags.at(-1) ?? null,
      lags: [...watched.lags],
      error: watched.error,
    };
  }

  #describeCache(node: string): TopCache {
    const watched = this.#of(node);
    const rates = watched.rates();
    const up = watched.last !== undefined;
    const seen = this.#standing.find((one) => one.node === node);
    return {
      node,
      up,
      standing: !up || seen === undefined ? 'down' : describePlace(seen, this.#standing).standing,
      getsPerSecond: rates['cmd_get'] ?? null,
      setsPerSecond: rates['cmd_set'] ?? null,
      evictionsPerSecond: rates['evictions'] ?? null,
      items: watched.last?.counters['curr_items'] ?? null,
      ...(this.#repairs.get(node) ?? NO_REPAIRS),
      error: watched.error,
    };
  }

  #of(node: string): Watched {
    let watched = this.#watched.get(node);
    if (watched === undefined) {
      watched = new Watched();
      this.#watched.set(node, watched);
    }
    return watched;
  }
}

/** A server that does not tell is not asked again: its account, or its plugins, are what they are. */
async function timesOf(
  watched: Watched,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<StatementTimes | undefined> {
  if (!watched.tellsTimes) return undefined;
  try {
    return await statementTimes(connection, deadline);
  } catch (error) {
    if (connection.lost !== undefined || !classifyServerError(error).answered) throw error;
    watched.tellsTimes = false;
    return undefined;
  }
}

function keep<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > HISTORY) list.shift();
}
