/** Every error of the MySQL client that the page about errors lists, produced on real servers, with what the page promises. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { errorPage } from '../support/error-page.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let options: MysqlOptions & { primary: string; replicas: string[] };
const opened: MysqlCluster[] = [];
const met = new Map<string, string>();

beforeAll(async () => {
  servers = await startLocalCluster({ ...ONE_CLIENT_DATABASE.options, memcached: 0, php: false });
  await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)');
  await servers.waitForReplication();
  options = servers.options().mysql;
});

afterAll(async () => {
  for (const cluster of opened) await cluster.close();
  await servers?.close();
});

async function open(more: MysqlOptions = {}): Promise<MysqlCluster> {
  // On a busy machine a server is slow and not down.
  const monitor = { ...options.monitor, timeoutMs: 10_000, ...more.monitor };
  const cluster = await createMysqlCluster({ startTimeoutMs: 60_000, ...options, ...more, monitor });
  opened.push(cluster);
  return cluster;
}

/** Waits for the error of `work`, which has to be this one, and to say `saying`. */
async function meets(code: string, work: Promise<unknown>, saying: string | RegExp): Promise<Error> {
  const error = await work.then(
    () => new Error(`There was no error, ${code} was expected`),
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({ code });
  expect(error.message).toMatch(saying);
  expect(error.message).not.toContain(servers.accounts.app.password);
  met.set(code, error.message);
  return error;
}

test('ERR_INVALID_OPTION', () =>
  meets('ERR_INVALID_OPTION', open({ timoutMs: 1 } as never), /did you mean `timeoutMs`/));

test('ERR_UNSUPPORTED', async () => {
  const cluster = await open();
  await meets('ERR_UNSUPPORTED', cluster.beginTransaction(), /transaction\(fn\)/);
  await meets('ERR_UNSUPPORTED', cluster.query('BEGIN'), /getConnection\(\)/);
});

test('ERR_CLOSED', async () => {
  const cluster = await open();
  const connection = await cluster.getConnection();
  connection.release();
  await meets('ERR_CLOSED', connection.query('SELECT 1'), /getConnection\(\)/);
  await cluster.close();
  await meets('ERR_CLOSED', cluster.query('SELECT 1'), /closed/);
});

test('ERR_ABORTED and ERR_TIMEOUT', async () => {
  const cluster = await open();
  const controller = new AbortController();
  const running = cluster.query({ sql: 'SELECT SLEEP(20)', signal: controller.signal });
  await eventually('it runs', () => cluster.stats().some(({ inFlight }) => inFlight === 1));
  controller.abort();
  await meets('ERR_ABORTED', running, /aborted by the caller/);
  await meets('ERR_TIMEOUT', cluster.query({ sql: 'SELECT SLEEP(20)', timeoutMs: 100 }), /100 ms/);
});

test('ERR_NODE_UNREACHABLE and ERR_PROTOCOL', async () => {
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  const { port } = nobody.address() as { port: number };
  await new Promise((resolve) => nobody.close(resolve));
  const dead = createMysqlCluster({ primary: `mysql://app:pw@127.0.0.1:${port}/shop` });
  const error = await meets('ERR_NODE_UNREACHABLE', dead, `127.0.0.1:${port}`);
  expect(error.cause).toBeDefined();
  const foreign = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => foreign.listen(port, '127.0.0.1', resolve));
  const other = createMysqlCluster({ primary: `mysql://app:pw@127.0.0.1:${port}/shop` });
  await meets('ERR_PROTOCOL', other, `127.0.0.1:${port}`);
  await new Promise((resolve) => foreign.close(resolve));
});

test('ERR_ACCESS_DENIED and ERR_MISSING_PRIVILEGE', async () => {
  const primary = new URL(options.primary);
  primary.password = 'never-shown';
  const denied = createMysqlCluster({ primary: primary.href });
  const error = await meets('ERR_ACCESS_DENIED', denied, servers.primary.id);
  expect(error.message).not.toContain('never-shown');
  const { user, password } = servers.accounts.app;
  await meets('ERR_MISSING_PRIVILEGE', open({ monitor: { credentials: { user, password } } }), /GRANT/);
});

test('ERR_POOL_TIMEOUT and ERR_POOL_QUEUE_FULL', async () => {
  const cluster = await open({ pool: { max: 1, maxQueue: 1, acquireTimeoutMs: 300 } });
  const holder = await cluster.getConnection();
  await holder.beginTransaction();
  const waiting = cluster.query('INSERT INTO t VALUES (100, 1)');
  const late = meets('ERR_POOL_TIMEOUT', waiting, /raise `pool.max`/);
  await eventually('it waits', () => cluster.stats().some(({ pool }) => pool.waiting === 1));
  await meets('ERR_POOL_QUEUE_FULL', cluster.query('INSERT INTO t VALUES (101, 1)'), /`pool.maxQueue`/);
  await late;
  await holder.rollback();
  holder.release();
  expect(await servers.primary.query('SELECT * FROM shop.t WHERE id IN (100, 101)')).toEqual([]);
});

test('ERR_BREAKER_OPEN', async () => {
  const cluster = await open({ blockMs: 50 });
  const release = cluster.failoverPorts().targets.isolate(servers.primary.id, 'it is being upgraded');
  await meets('ERR_BREAKER_OPEN', cluster.query('INSERT INTO t VALUES (102, 1)'), /it is being upgraded/);
  release();
  await cluster.query('INSERT INTO t VALUES (102, 1)');
});

test('ERR_NO_REPLICA', async () => {
  const cluster = await open({ reads: { preference: 'replica', maxLagMs: 2_000 } });
  for (const replica of servers.replicas) await replica.query('STOP SLAVE SQL_THREAD');
  await eventually('it is seen', async () => cluster.explain('SELECT 1').node === undefined);
  const error = await meets('ERR_NO_REPLICA', cluster.query('SELECT 1'), /maxLagMs/);
  const ids = servers.databases.map(({ id }) => id).sort();
  const { rejected } = error as unknown as { rejected: { node: string; reason: string }[] };
  expect(rejected.map(({ node }) => node).sort()).toEqual(ids);
  for (const replica of servers.replicas) await replica.query('START SLAVE SQL_THREAD');
  await servers.waitForReplication();
});

test('ERR_NO_PRIMARY and ERR_WRITE_REFUSED', async () => {
  const cluster = await open({ blockMs: 100 });
  const holder = await cluster.getConnection();
  await holder.query('SET @mine = 1');
  await servers.primary.query('SET GLOBAL read_only = 1');
  try {
    const refused = holder.query('INSERT INTO t VALUES (103, @mine)');
    await meets('ERR_WRITE_REFUSED', refused, /did not execute it/);
    await eventually('it is seen', () => cluster.topology().writer.kind === 'no-primary');
    await meets('ERR_NO_PRIMARY', cluster.query('INSERT INTO t VALUES (104, 1)'), servers.primary.id);
  } finally {
    await servers.primary.query('SET GLOBAL read_only = 0');
  }
  holder.release();
  await eventually('it is the primary again', () => cluster.topology().writer.kind === 'primary');
  await cluster.query('INSERT INTO t VALUES (105, 1)');
  expect(await servers.primary.query('SELECT id FROM shop.t WHERE id > 102 ORDER BY id')).toEqual([
    { id: 105 },
  ]);
});

test('ERR_TRANSACTION_LOST and ERR_CONNECTION_LOST', async () => {
  const cluster = await open();
  const connection = await cluster.getConnection();
  await connection.beginTransaction();
  await connection.query('INSERT INTO t VALUES (106, 1)');
  await servers.primary.query(`KILL ${connection.threadId}`);
  await meets('ERR_TRANSACTION_LOST', connection.query('SELECT 1'), /Roll back/);
  await connection.rollback();
  await connection.query('CREATE TEMPORARY TABLE mine (i INT)');
  await servers.primary.query(`KILL ${connection.threadId}`);
  await meets('ERR_CONNECTION_LOST', connection.query('SELECT * FROM mine'), /temp-table/);
  connection.release();
  expect(await servers.primary.query('SELECT * FROM shop.t WHERE id = 106')).toEqual([]);
});

test('ERR_OUTCOME_UNKNOWN', async () => {
  const cluster = await open();
  const write = cluster.query('INSERT INTO t VALUES (107, SLEEP(20))');
  const running = async (): Promise<number | undefined> => {
    const sql = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT INTO t VALUES (107%'";
    return (await servers.primary.query<{ ID: number }>(sql))[0]?.ID;
  };
  const id = await eventually('it runs', running);
  const told = meets('ERR_OUTCOME_UNKNOWN', write, /Look at the data/);
  await servers.primary.query(`KILL ${id}`);
  await told;
});

test('ERR_SPLIT_BRAIN', async () => {
  const cluster = await open({ blockMs: 100 });
  const [usurper, follower] = servers.replicas;
  if (usurper === undefined || follower === undefined) throw new Error('the cluster has too few replicas');
  for (const sql of ['STOP SLAVE', 'RESET SLAVE ALL', 'SET GLOBAL read_only = 0']) await usurper.query(sql);
  const { user, password } = servers.accounts.repl;
  await follower.query('STOP SLAVE');
  await follower.query(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${usurper.realPort}, MASTER_USER='${user}', MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos`,
  );
  await follower.query('START SLAVE');
  // Each of them has something that the other one lacks.
  await servers.primary.query('INSERT INTO shop.t VALUES (200, 1)');
  await usurper.query('INSERT INTO shop.t VALUES (201, 1)');
  await eventually('it is seen', () => cluster.topology().writer.kind === 'split-brain');
  const error = await meets(
    'ERR_SPLIT_BRAIN',
    cluster.query('INSERT INTO t VALUES (108, 1)'),
    servers.primary.id,
  );
  expect(error.message).toContain(usurper.id);
});

test('that is every code of the page’s parts about the MySQL client', () => {
  const parts = ['Everywhere', 'MySQL client'];
  // One is of the command line only.
  const listed = [...errorPage()]
    .filter(([code, { part }]) => parts.includes(part) && code !== 'ERR_INTERNAL')
    .map(([code]) => code);
  expect([...met.keys()].sort()).toEqual(listed.sort());
});
