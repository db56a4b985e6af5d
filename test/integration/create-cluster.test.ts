/** The whole line: `createCluster` on real servers, and the mistakes that people make with it. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, type ClusterOptions, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

let servers: LocalCluster;
const open: Cluster[] = [];
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled);
  servers = await startLocalCluster({ php: false });
  await servers.primary.query('CREATE TABLE shop.item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50))');
  await servers.waitForReplication();
});
afterAll(async () => {
  await servers?.close();
  process.off('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()));
  expect(unhandled).toEqual([]);
});

async function start(options: ClusterOptions = servers.options()): Promise<Cluster> {
  const cluster = await createCluster(options);
  open.push(cluster);
  return cluster;
}

function fails(options: unknown): Promise<Error & { code: string; node?: string }> {
  return createCluster(options as never).then(
    async (cluster) => {
      await cluster.close();
      throw new Error('expected an error');
    },
    (error) => error,
  );
}

test('one object gives queries on the right nodes, sessions, the picture and the failover manager', async () => {
  const cluster = await start();
  const [written] = await cluster.mysql.execute('INSERT INTO item (name) VALUES (?)', ['lamp']);
  expect(written).toMatchObject({ affectedRows: 1 });
  const rows = await servers.primary.query('SELECT name FROM shop.item');
  expect(rows).toEqual([{ name: 'lamp' }]);
  const [[read]] = (await cluster.mysql.query('SELECT @@server_id AS id')) as unknown as [[{ id: number }]];
  expect(servers.replicas.map((node) => node.serverId)).toContain(read.id);
  expect(cluster.topology().writer).toEqual({ kind: 'primary', node: servers.primary.id });
  expect(cluster.failover.state).toMatchObject({ mode: 'follow', writer: { node: servers.primary.id } });
  const session = cluster.sessions.create();
  session.data['a'] = 1;
  await cluster.sessions.save(session);
  expect((await cluster.sessions.load(session.id)).data).toEqual({ a: 1 });
});

test('the environment stands in for options', async () => {
  const { mysql, sessions } = servers.options();
  // One account for everything, as a URL gives it.
  await servers.primary.query("CREATE USER 'both'@'%' IDENTIFIED BY 'both'");
  await servers.primary.query("GRANT ALL ON shop.* TO 'both'@'%'");
  await servers.primary.query("GRANT REPLICA MONITOR ON *.* TO 'both'@'%'");
  await servers.waitForReplication();
  const withMonitor = (url: string): string => url.replace(/\/\/[^@]*@/, '//both:both@');
  Object.assign(process.env, {
    STORMLAMP_MYSQL_PRIMARY: withMonitor(mysql.primary),
    STORMLAMP_MYSQL_REPLICAS: mysql.replicas.map(withMonitor).join(','),
    STORMLAMP_MEMCACHED: sessions.nodes.join(' '),
  });
  try {
    const cluster = await createCluster();
    open.push(cluster);
    expect(cluster.topology().writer).toEqual({ kind: 'primary', node: servers.primary.id });
  } finally {
    for (const name of ['PRIMARY', 'REPLICAS']) delete process.env[`STORMLAMP_MYSQL_${name}`];
    delete process.env['STORMLAMP_MEMCACHED'];
  }
});

test('a part that was not asked for says which option brings it', async () => {
  const cluster = await start({ sessions: servers.options().sessions });
  expect(() => cluster.mysql).toThrow('The cluster was created without `mysql`');
  expect(() => cluster.failover).toThrow('The cluster was created without `mysql`');
});

describe('a mistake is one error that names the option or the node, the cause and the remedy', () => {
  let dead: string;
  const sites: Server[] = [];
  beforeAll(async () => {
    const probe = createServer();
    await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
    dead = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
    await new Promise((done) => probe.close(done));
  });
  afterAll(() => {
    for (const site of sites) site.close();
  });

  test.each([
    [{ mysql: { primry: 'mysql://a@b/c' } }, 'Unknown option `mysql.primry`; did you mean `primary`?'],
    [
      { mysql: { primary: 'mysql://a@b/c', pool: { maxx: 1 } } },
      'Unknown option `mysql.pool.maxx`; did you mean `max`?',
    ],
    [
      { sessions: { nodes: ['a:1'], acks: 'most' } },
      "Expected `sessions.acks` to be one of 'one', 'majority', 'all'",
    ],
    [{ sessions: { nodes: [] } }, 'Expected `sessions.nodes` to be a list'],
    [
      { mysql: { primary: 'mysql://a@b/c' }, failover: { mode: 'automatic' } },
      "Expected `failover.mode` to be one of 'follow', 'approve', 'auto'",
    ],
  ])('an option: %j', async (options, message) => {
    const error = await fails(options);
    expect(error.code).toBe('ERR_INVALID_OPTION');
    expect(error.message).toContain(message);
  });

  test('an unreachable primary without any other node', async () => {
    const error = await fails({ mysql: { primary: `mysql://app:pw@${dead}/shop` } });
    expect(error.code).toBe('ERR_NODE_UNREACHABLE');
    expect(error.message).toContain(dead);
    expect(error.message).not.toContain('pw');
  });

  test('a primary that is down while a replica is up does not stop the start, and a write names it', async () => {
    const options = servers.options();
    const cluster = await start({
      mysql: {
        ...options.mysql,
        discover: false,
        primary: options.mysql.primary.replace(servers.primary.id, dead),
        replicas: [options.mysql.replicas[0] ?? ''],
      },
    });
    const error = await cluster.mysql
      .query({ sql: 'INSERT INTO item (name) VALUES (1)', timeoutMs: 1000 })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_NO_PRIMARY' });
    expect((error as Error).message).toContain(dead);
  });

  test('a wrong password', async () => {
    const options = servers.options();
    const error = await fails({
      mysql: { primary: options.mysql.primary.replace(/\/\/[^@]*@/, '//app:wrong-one@') },
    });
    expect(error).toMatchObject({ code: 'ERR_ACCESS_DENIED', node: servers.primary.id });
    expect(error.message).not.toContain('wrong-one');
  });

  test('a monitor account without the privilege to see replication', async () => {
    const { primary, replicas } = servers.options().mysql;
    const error = await fails({ mysql: { primary, replicas } });
    expect(error.code).toBe('ERR_MISSING_PRIVILEGE');
    expect(error.message).toMatch(/GRANT .*REPLICA MONITOR|GRANT .*SLAVE MONITOR/);
  });

  test('a database port that is something else', async () => {
    const memcached = servers.memcached[0]?.id ?? '';
    const error = await fails({ mysql: { primary: `mysql://app:pw@${memcached}/shop` } });
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL', node: memcached });
  });

  test('a memcached port that is something else', async () => {
    const error = await fails({ sessions: { nodes: [servers.primary.id] } });
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL', node: servers.primary.id });
  });

  test('memcached nodes of which none answers', async () => {
    const error = await fails({ ...servers.options(), sessions: { nodes: [dead] } });
    expect(error).toMatchObject({ code: 'ERR_STORE_DOWN', node: dead });
  });

  test('a port that accepts and never speaks is a bounded wait', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined));
    sites.push(silent);
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const id = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    expect((await fails({ mysql: { primary: `mysql://app:pw@${id}/shop` } })).message).toContain(id);
    expect((await fails({ sessions: { nodes: [id] } })).message).toContain(id);
  });
});
