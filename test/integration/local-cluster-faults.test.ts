/** The network of real servers broken on purpose: what clients and replicas see of it. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  type LocalCluster,
  type LocalDatabaseNode,
  type LocalNode,
  startLocalCluster,
} from '../../src/testing/index.js';
import { eventually } from './eventually.js';
import { Wire } from './wire.js';

let cluster: LocalCluster;
let cache: LocalNode;
const connections: { destroy(): void }[] = [];

beforeAll(async () => {
  cluster = await startLocalCluster({ memcached: 1, php: false });
  const [first] = cluster.memcached;
  if (first === undefined) throw new Error('no memcached');
  cache = first;
  await cluster.primary.query('CREATE TABLE shop.notes (text VARCHAR(100))');
  await cluster.waitForReplication();
});
afterAll(async () => {
  await cluster?.close();
});
afterEach(() => {
  cluster.faults.heal();
  for (const connection of connections.splice(0)) connection.destroy();
});

async function asApp(node: LocalNode): Promise<Connection> {
  const { user, password } = cluster.accounts.app;
  const connection = await createConnection({
    host: node.host,
    port: node.port,
    user,
    password,
    database: 'shop',
  });
  connection.on('error', () => undefined);
  connections.push(connection);
  return connection;
}

async function wire(node: LocalNode): Promise<Wire> {
  const made = await Wire.open(node.port);
  connections.push({ destroy: () => made.close() });
  return made;
}

/** Talks to a node past its proxy: whatever its proxy lets through has passed by then. */
async function talkPast(node: LocalNode): Promise<void> {
  const direct = await Wire.open(node.realPort);
  connections.push({ destroy: () => direct.close() });
  for (let turn = 0; turn < 5; turn += 1) {
    direct.received = '';
    direct.send('version\r\n');
    await direct.gets('\r\n');
  }
}

async function has(node: LocalDatabaseNode, text: string): Promise<boolean> {
  return (await node.query('SELECT 1 FROM shop.notes WHERE text = ?', [text])).length > 0;
}

/** Whether a promise has settled by now. */
function watch(work: Promise<unknown>): { settled: boolean } {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  work.then(settle, settle);
  return state;
}

test('latency keeps an answer back, and only on the node that has it', async () => {
  const client = await wire(cache);
  cache.faults.latency({ ms: 600_000 });
  client.send('version\r\n');
  await talkPast(cache);
  expect(client.received).toBe('');
  expect(cluster.faults.active).toEqual(['latency']);
  cache.faults.heal();
  expect(await client.gets('\r\n')).toMatch(/^VERSION/);
});

test('a partitioned database hangs, on old and on new connections, and both go on when it is healed', async () => {
  const old = await asApp(cluster.primary);
  const { faults } = cluster.primary;
  faults.partition();
  const answer = old.query('SELECT 1 AS one');
  const late = asApp(cluster.primary);
  const states = [watch(answer), watch(late)];
  for (let turn = 0; turn < 5; turn += 1) await cluster.primary.query('SELECT 1');
  expect(states).toEqual([{ settled: false }, { settled: false }]);
  faults.heal();
  expect((await answer)[0]).toEqual([{ one: 1 }]);
  expect((await (await late).query('SELECT 2 AS two'))[0]).toEqual([{ two: 2 }]);
});

test('a reset is seen as ECONNRESET at once, and by new connections', async () => {
  const old = await wire(cache);
  old.send('version\r\n');
  await old.gets('\r\n');
  using fault = cache.faults.reset();
  expect(await old.fails()).toBe('ECONNRESET');
  const late = await wire(cache);
  late.send('version\r\n');
  expect(await late.fails()).toMatch(/ECONNRESET|EPIPE/);
  expect(fault.active).toBe(true);
});

test('a half-open connection: the server has forgotten the client, which waits for an answer', async () => {
  const client = await asApp(cluster.primary);
  const [[row]] = (await client.query('SELECT CONNECTION_ID() AS id')) as unknown as [[{ id: number }]];
  const fault = cluster.primary.faults.halfOpen();
  await eventually('the server has forgotten it', async () => {
    const seen = await cluster.primary.query('SELECT 1 FROM information_schema.processlist WHERE id = ?', [
      row.id,
    ]);
    return seen.length === 0;
  });
  const answer = client.query('SELECT 1');
  const state = watch(answer);
  for (let turn = 0; turn < 5; turn += 1) await cluster.primary.query('SELECT 1');
  expect(state.settled).toBe(false);
  fault.heal();
  await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a partition of replication only: clients write on, replicas fall behind and catch up', async () => {
  const fault = cluster.primary.faults.partition({ only: 'replication' });
  const client = await asApp(cluster.primary);
  await client.query("INSERT INTO notes VALUES ('behind')");
  expect(await has(cluster.primary, 'behind')).toBe(true);
  await expect(cluster.waitForReplication({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  for (const replica of cluster.replicas) expect(await has(replica, 'behind')).toBe(false);
  fault.heal();
  await cluster.waitForReplication();
  for (const replica of cluster.replicas) expect(await has(replica, 'behind')).toBe(true);
});

test('a partition of clients only: they hang, replication goes on', async () => {
  const client = await asApp(cluster.primary);
  cluster.primary.faults.partition({ only: 'clients' });
  const answer = client.query('SELECT 1');
  const state = watch(answer);
  await cluster.primary.query("INSERT INTO shop.notes VALUES ('unseen by clients')");
  await cluster.waitForReplication();
  expect(state.settled).toBe(false);
  cluster.faults.heal();
  await answer;
});

test('an isolated replica hears nothing from its source, also on new connections; the others do', async () => {
  const [isolated, other] = cluster.replicas;
  if (isolated === undefined || other === undefined) throw new Error('no replicas');
  const client = await asApp(isolated);
  const fault = cluster.isolate(isolated);
  const state = watch(client.query('SELECT 1'));
  await isolated.query('STOP SLAVE IO_THREAD');
  await isolated.query('START SLAVE IO_THREAD');
  await cluster.primary.query("INSERT INTO shop.notes VALUES ('not for everybody')");
  await eventually('the other replica has it', () => has(other, 'not for everybody'));
  expect([await has(isolated, 'not for everybody'), state.settled]).toEqual([false, false]);
  fault.heal();
  await cluster.waitForReplication();
  expect(await has(isolated, 'not for everybody')).toBe(true);
});

test('replication survives a network that tears and delays', async () => {
  cluster.faults.slice({ bytes: 7 });
  cluster.faults.latency({ ms: 1, jitterMs: 3, direction: 'both' });
  const client = await asApp(cluster.primary);
  await client.query(`INSERT INTO notes VALUES ('${'torn'.repeat(20)}')`);
  await cluster.waitForReplication();
  for (const replica of cluster.replicas) expect(await has(replica, 'torn'.repeat(20))).toBe(true);
});

test('faults of the cluster are faults of every node, and stay over a restart', async () => {
  const fault = cluster.faults.reset();
  expect(cluster.nodes.map((node) => node.faults.active)).toEqual(cluster.nodes.map(() => ['reset']));
  await cache.restart();
  const client = await wire(cache);
  client.send('version\r\n');
  expect(await client.fails()).toMatch(/ECONNRESET|EPIPE/);
  fault.heal();
  expect(fault.active).toBe(false);
  await cluster.waitForReplication();
});
