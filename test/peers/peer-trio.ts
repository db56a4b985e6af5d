/**
 * Real servers for a peer: a primary with two replicas, and tables that tell which server answered. `node_of` holds another
 * row on each of them, and whoever inserts a book is noted by a trigger.
 */
import { expect } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';

/** How many rows the table `digit` has. */
export const DIGITS = 2_000;

/** The servers, and the client that a peer is given. */
export interface PeerTrio {
  readonly servers: LocalCluster;
  readonly cluster: MysqlCluster;
  /** The `server_id` of the primary. */
  readonly primary: number;
  /** Those of the replicas. */
  readonly replicas: readonly number[];
  /** The titles of the books that the primary has, with the server that each was written on. */
  books(): Promise<readonly { readonly title: string; readonly writtenOn: number }[]>;
  /** Resolves when every connection is back in its pool. */
  idle(): Promise<unknown>;
  /** Another client of the same servers; whoever asks for it closes it. */
  openCluster(options?: Pick<MysqlOptions, 'timeoutMs' | 'pool' | 'reads'>): Promise<MysqlCluster>;
  close(): Promise<void>;
}

export async function startPeerTrio({ flavor, options }: DatabaseCase): Promise<PeerTrio> {
  const servers = await startLocalCluster({ ...options, memcached: 0, php: false });
  const { primary, replicas } = servers;
  await primary.query('CREATE TABLE shop.node_of (id INT PRIMARY KEY, server INT)');
  await primary.query(
    'CREATE TABLE shop.book (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(100) NOT NULL, writtenOn INT)',
  );
  await primary.query('CREATE TABLE shop.digit (n INT PRIMARY KEY)');
  for (const node of servers.databases) await node.query('SET GLOBAL log_bin_trust_function_creators = 1');
  await primary.query(
    'CREATE TRIGGER shop.book_written BEFORE INSERT ON shop.book FOR EACH ROW SET NEW.writtenOn = @@server_id',
  );
  const digits = Array.from({ length: DIGITS }, (_, n) => `(${n})`).join(', ');
  await primary.query(`INSERT INTO shop.digit VALUES ${digits}`);
  await servers.waitForReplication();
  for (const node of servers.databases) {
    await node.query('SET sql_log_bin = 0');
    // Not even an administrator writes on a replica of MySQL.
    if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only = 0');
    await node.query('INSERT INTO shop.node_of VALUES (1, @@server_id)');
    if (flavor === 'mysql' && node !== primary) await node.query('SET GLOBAL super_read_only = 1');
    await node.query('SET sql_log_bin = 1');
  }
  const { mysql } = servers.options();
  // On a busy machine a server is slow and not down.
  const monitor = { ...mysql.monitor, timeoutMs: 10_000 };
  const openCluster: PeerTrio['openCluster'] = (more) =>
    createMysqlCluster({ ...mysql, monitor, pool: { max: 3 }, startTimeoutMs: 60_000, ...more });
  const cluster = await openCluster();
  return {
    servers,
    cluster,
    primary: primary.serverId,
    replicas: replicas.map(({ serverId }) => serverId),
    books: () => primary.query('SELECT title, writtenOn FROM shop.book ORDER BY id'),
    idle: () => connectionsAreBack(cluster),
    openCluster,
    close: async () => {
      await cluster.close();
      await servers.close();
    },
  };
}

/** What a peer is given for a story of its own. */
type ClusterWork = (cluster: MysqlCluster) => Promise<unknown>;

/** Statements of the application that look at the table `digit` and run now, on any of the servers. */
export async function running({ servers }: PeerTrio): Promise<number> {
  const sql =
    "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ? AND COMMAND <> 'Sleep' AND INFO LIKE '%digit%'";
  const found = await Promise.all(
    servers.databases.map((node) => node.query(sql, [servers.accounts.app.user])),
  );
  return found.flat().length;
}

/**
 * `work` sends a statement that takes for ever (over `digit`, three times crossed) through a peer. When the client's limit
 * passes, its caller is told, the statement ends on the server, its connection is not lent again, and the peer serves on.
 */
export async function endsAtTheLimit(trio: PeerTrio, work: ClusterWork, after: ClusterWork): Promise<void> {
  const cluster = await trio.openCluster({ timeoutMs: 1_000, pool: { max: 1 } });
  try {
    const outcome = work(cluster).then(
      () => 'an answer',
      (error: unknown) => codesOf(error),
    );
    await eventually('it runs', async () => (await running(trio)) > 0);
    expect(await outcome).toContain('ERR_TIMEOUT');
    await eventually('it is ended on the server', async () => (await running(trio)) === 0);
    await after(cluster);
    await connectionsAreBack(cluster);
  } finally {
    await cluster.close();
  }
}

/**
 * `work` reads some rows of a stream that has no end in sight and leaves it: the statement ends on the server long before its
 * last row, and its connection is not lent again busy.
 */
export async function endsWhenLeft(trio: PeerTrio, work: ClusterWork, after: ClusterWork): Promise<void> {
  const cluster = await trio.openCluster({ pool: { max: 1 } });
  try {
    await work(cluster);
    await eventually('it is ended on the server', async () => (await running(trio)) === 0);
    await connectionsAreBack(cluster);
    await after(cluster);
  } finally {
    await cluster.close();
  }
}

/** The codes of an error and its causes; peers wrap what they are given. */
function codesOf(error: unknown): unknown[] {
  const codes: unknown[] = [];
  for (let each = error; typeof each === 'object' && each !== null && codes.length < 8; ) {
    const { code, cause, driverError } = each as { code?: unknown; cause?: unknown; driverError?: unknown };
    codes.push(code);
    each = cause ?? driverError;
  }
  return codes;
}

/** Resolves when every connection of `cluster` is back in its pool. */
export function connectionsAreBack(cluster: MysqlCluster): Promise<unknown> {
  return eventually('all connections are back', () =>
    cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
  );
}
