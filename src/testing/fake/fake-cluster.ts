/**
 * A cluster for unit tests that needs no servers: the real classifier, router, scopes, pools, breakers and session store, over
 * databases and memcached nodes that exist in this process only and do what the test says.
 */

import { pause } from '../../common/backoff.js';
import { invalidOption, readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import { Cluster } from '../../create-cluster.js';
import { createFailoverManager } from '../../failover/failover-manager.js';
import { OWN_PREFIX, suspectKey } from '../../memcached/copies/copy-key.js';
import { fillMarkerKey, newFillMarker } from '../../memcached/copies/fill-marker.js';
import { MysqlCluster } from '../../mysql/mysql-cluster.js';
import { type MysqlOptions, resolveMysqlOptions } from '../../mysql/mysql-options.js';
import { sessionRing } from '../../session/session-keys.js';
import { resolveSessionOptions, type SessionOptions } from '../../session/session-options.js';
import { SessionStore } from '../../session/session-store.js';
import type { FakeAnswer, FakeStatement } from './fake-answers.js';
import { type FakeDatabase, FakeDatabases } from './fake-databases.js';
import { FakeMemcached, FakeMemcachedNode } from './fake-memcached.js';

/** What a made-up cluster is made of. */
export interface FakeClusterOptions {
  /** How many replicas the primary has. Default 2. */
  readonly replicas?: number | undefined;
  /** How many memcached nodes there are. Default 2. */
  readonly memcached?: number | undefined;
  /** Options of the MySQL client; where its nodes are is not among them. */
  readonly mysql?:
    | Omit<MysqlOptions, 'primary' | 'replicas' | 'nodes' | 'discover' | 'addressMap'>
    | undefined;
  /** Options of the session store; where its nodes are is not among them. */
  readonly sessions?:
    | Omit<SessionOptions, 'nodes' | 'phpIni' | 'addressMap' | 'tls' | 'credentials' | 'resync'>
    | undefined;
}

/** The most nodes of a kind. */
const MOST = 9;

/** How often `start` looks whether the breakers let calls through again, and how long. */
const [LOOK_EVERY_MS, CLOSING_LIMIT_MS] = [20, 10_000];

/** A cluster without servers. Made by {@link fakeCluster}. */
export class FakeCluster implements AsyncDisposable {
  /** What the code under test gets: a cluster like any other. */
  readonly cluster: Cluster;
  readonly #databases: FakeDatabases;
  readonly #caches: ReadonlyMap<string, FakeMemcached>;
  /** Open connections keep a process running, and there are none here. */
  readonly #alive: NodeJS.Timeout = setInterval(() => undefined, 2_147_483_647);

  /** @internal */
  constructor(cluster: Cluster, databases: FakeDatabases, caches: ReadonlyMap<string, FakeMemcached>) {
    this.cluster = cluster;
    this.#databases = databases;
    this.#caches = caches;
  }

  /** The name of the primary: `db1` at first. */
  get primary(): string {
    return this.#databases.primary;
  }

  /** The statements of callers so far, in order, with the database that got each; what begins and ends transactions, too. */
  get statements(): readonly FakeStatement[] {
    return this.#databases.statements;
  }

  /**
   * Sets the answer to a statement: its text (blanks do not count), or a pattern for several. The newest goes first. An
   * array is rows, an object tells what a write did, an `Error` is the server's; a function gets the statement with its
   * values and the database, and gives one of them. A statement without an answer fails and says so.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`.
   */
  answer(pattern: string | RegExp, answer: FakeAnswer): void {
    this.#databases.answers.add(pattern, answer);
  }

  /**
   * A node dies: `db1`, `cache2`. Its connections are lost, new ones are refused. Resolves when the cluster has seen it.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a name that there is not.
   */
  async kill(name: string): Promise<void> {
    const cache = this.#caches.get(name);
    if (cache !== undefined) {
      cache.isUp = false;
      await this.#look();
      return;
    }
    const database = this.#database(name);
    database.isUp = false;
    for (const connection of [...database.connections]) connection.lose();
    await this.#look();
  }

  /** A node is there again, with all that the others hold. Resolves when the cluster uses it again (its breakers take about a second). Errors: as `kill`. */
  async start(name: string): Promise<void> {
    const cache = this.#caches.get(name);
    if (cache !== undefined) this.#refill(cache);
    else this.#database(name).isUp = true;
    // Breakers close when several looks in a row succeed, some time after they opened.
    const until = performance.now() + CLOSING_LIMIT_MS;
    do {
      await this.#look();
      await pause(LOOK_EVERY_MS);
    } while (!this.#isLetThrough(name) && performance.now() < until);
  }

  /** Somebody makes `name`, which is up, the primary. Resolves when the cluster has seen it. Errors: as `kill`, also for a node that is down. */
  async promote(name: string): Promise<void> {
    const database = this.#database(name);
    if (!database.isUp) throw invalidOption('name', 'a node that is up (`start` it before)', name);
    this.#databases.setLag(database, 0);
    this.#databases.primary = name;
    await this.#look();
  }

  /**
   * A replica falls behind: it stands where it is, and says to be `lagMs` behind, or, with null, not to know; 0 ends it.
   * Resolves when the cluster has seen it. Errors: as `kill`, also for the primary, which is never behind, and for a lag that is no number of milliseconds.
   */
  async lag(name: string, lagMs: number | null): Promise<void> {
    const database = this.#database(name);
    if (name === this.#databases.primary)
      throw invalidOption('name', 'a replica: the primary is never behind', name);
    if (lagMs !== null && !(Number.isFinite(lagMs) && lagMs >= 0))
      throw invalidOption('lagMs', 'a number >= 0, or null', lagMs);
    this.#databases.setLag(database, lagMs);
    await this.#look();
  }

  /** Closes the cluster. */
  async close(): Promise<void> {
    await this.cluster.close();
    clearInterval(this.#alive);
  }

  /** Same as {@link FakeCluster.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isLetThrough(name: string): boolean {
    const { mysql, sessions } = this.cluster;
    const cache = this.#caches.get(name);
    if (cache === undefined) return mysql.breakerOf(`${name}:3306`) === 'closed';
    const status = sessions.status().find(({ node }) => node === cache.id);
    return status?.reads === 'closed' && status.writes === 'closed' && status.standing === 'filled';
  }

  #database(name: string): FakeDatabase {
    const database = this.#databases.all.get(name);
    if (database !== undefined) return database;
    const names = [...this.#databases.all.keys(), ...this.#caches.keys()].join(', ');
    throw invalidOption('name', `one of ${names}`, name);
  }

  #refill(cache: FakeMemcached): void {
    const others = [...this.#caches.values()].filter((other) => other !== cache && other.isUp);
    const [source] = others;
    if (source !== undefined && !cache.isUp) cache.copyFrom(source, (key) => !key.startsWith(OWN_PREFIX));
    for (const other of others) other.remove(suspectKey(cache.id));
    cache.isUp = true;
  }

  async #look(): Promise<void> {
    const { watcher } = this.cluster.mysql.failoverPorts();
    await Promise.all([watcher.refresh(), this.cluster.sessions.nodes.monitor.checkAll()]);
  }
}

/**
 * Makes a cluster without servers, in a few milliseconds. As one on real servers, it keeps the process running until it is closed.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export async function fakeCluster(options: FakeClusterOptions = {}): Promise<FakeCluster> {
  rejectUnknownOptions('options', options, ['replicas', 'memcached', 'mysql', 'sessions']);
  const count = { integer: true, max: MOST } as const;
  const replicas = readNumber('options.replicas', options.replicas, 2, { ...count, min: 0 });
  const memcached = readNumber('options.memcached', options.memcached, 2, { ...count, min: 1 });
  const others = Array.from({ length: replicas }, (_, at) => `db${at + 2}`);
  const databases = new FakeDatabases(['db1', ...others]);
  const url = (name: string): string => `mysql://fake@${name}/shop`;
  const mysql = new MysqlCluster(
    resolveMysqlOptions({
      ...options.mysql,
      primary: url('db1'),
      replicas: others.map(url),
      discover: false,
    }),
    databases,
  );
  const caches = new Map(
    Array.from({ length: memcached }, (_, at) => [
      `cache${at + 1}`,
      new FakeMemcached(`cache${at + 1}:11211`),
    ]),
  );
  const sessions = openStore(caches, options.sessions);
  try {
    await Promise.all([mysql.start(), sessions.start()]);
    const failover = createFailoverManager({ ...mysql.failoverPorts(), mode: 'follow' });
    await failover.start();
    return new FakeCluster(new Cluster({ mysql, sessions, failover, cache: undefined }), databases, caches);
  } catch (error) {
    await Promise.all([mysql.close(), sessions.close()]);
    throw error;
  }
}

function openStore(
  caches: ReadonlyMap<string, FakeMemcached>,
  options: FakeClusterOptions['sessions'],
): SessionStore {
  const servers = [...caches.values()];
  const nodes = servers.map(({ id }) => id);
  const resolved = resolveSessionOptions({ ...options, nodes, resync: false }, 'options.sessions');
  // Nothing that they should hold is missing: they are filled from the beginning.
  const marker = fillMarkerKey(sessionRing(resolved));
  for (const server of servers) server.write(marker, newFillMarker({ pid: 1, startedAt: 1 }), 0, 0);
  const serverOf = (id: string | undefined): FakeMemcached => {
    const server = servers.find((one) => one.id === id);
    if (server === undefined) throw new Error(`There is no node ${id}`);
    return server;
  };
  return new SessionStore(
    resolved,
    ({ id, breakers }) => new FakeMemcachedNode(serverOf(id), breakers),
    async (node, key) => serverOf(node).endsByItself(key),
  );
}
