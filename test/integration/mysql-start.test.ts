/** What stops the start of the MySQL client, and what does not. */
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';

describe('starting', () => {
  let servers: LocalCluster;
  let options: MysqlOptions & { primary: string; replicas: string[] };

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...ONE_CLIENT_DATABASE.options,
      replicas: 1,
      memcached: 0,
      php: false,
    });
    options = servers.options().mysql;
  });

  afterAll(async () => {
    await servers?.close();
  });

  async function fresh(changes: MysqlOptions): Promise<MysqlCluster> {
    return createMysqlCluster({ ...options, ...changes });
  }

  function withPassword(url: string, password: string): string {
    const changed = new URL(url);
    changed.password = password;
    return changed.href;
  }

  test('after a failed start nothing is left open', async () => {
    // Before any server is restarted: its replicas come back through connections of this process.
    await servers.waitForReplication();
    const before = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
    const primary = withPassword(options.primary, 'wrong');
    await expect(createMysqlCluster({ primary, replicas: options.replicas })).rejects.toThrow();
    await expect
      .poll(() => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length)
      .toBeLessThanOrEqual(before);
  });

  test('a wrong password is refused with the node and the account, and nothing shows the password', async () => {
    const primary = withPassword(options.primary, 'wrong-secret');
    const start = createMysqlCluster({ primary, replicas: options.replicas });
    await expect(start).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
      node: servers.primary.id,
      message: expect.not.stringContaining('wrong-secret'),
    });
  });

  test('a wrong password of the statements is found although the monitor may log in', async () => {
    const replica = withPassword(options.replicas[0] ?? '', 'wrong');
    await expect(fresh({ replicas: [replica] })).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
      node: servers.replicas[0]?.id,
    });
  });

  test.each([
    ['an account', { user: 'monitor', password: 'wrong-secret' }],
    ['a function', () => Promise.resolve({ user: 'monitor', password: 'wrong-secret' })],
  ])(
    'a wrong password of the monitor, given as %s, is told as the one of that option',
    async (_, credentials) => {
      const error = await fresh({ monitor: { credentials } }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'ERR_ACCESS_DENIED',
        node: servers.primary.id,
        message: expect.stringContaining("refused user 'monitor' of `mysql.monitor.credentials`: "),
      });
      expect(String(error)).toContain('correct user and password in `mysql.monitor.credentials`');
      expect(String(error)).not.toContain('wrong-secret');
    },
  );

  test('an unknown database is refused', async () => {
    const primary = options.primary.replace(/\/[^/]*$/, '/nowhere');
    await expect(fresh({ primary })).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
      message: expect.stringContaining('nowhere'),
    });
  });

  test('a replica that has not got the database of the primary yet stops nobody, and serves once it has', async () => {
    const [replica] = servers.replicas;
    const { user } = servers.accounts.app;
    if (replica === undefined) throw new Error('There is no replica');
    const inLater = (url: string): string => url.replace(/\/[^/]*$/, '/later');
    const create = async (on: LocalCluster['primary']): Promise<void> => {
      await on.query('SET sql_log_bin = 0');
      await on.query('CREATE DATABASE later');
      await on.query('SET sql_log_bin = 1');
    };
    await servers.primary.query(`GRANT ALL ON later.* TO ${user}@'%'`);
    await servers.waitForReplication();
    const given = { primary: inLater(options.primary), replicas: options.replicas.map(inLater) };
    const refused = {
      code: 'ERR_ACCESS_DENIED',
      message: expect.stringContaining("Unknown database 'later'"),
    };
    await expect(fresh(given)).rejects.toMatchObject({ ...refused, node: servers.primary.id });
    await create(servers.primary);
    // A name of its own is a mistake, which time does not mend.
    const misspelt = { ...given, replicas: given.replicas.map((url) => `${url}st`) };
    await expect(fresh(misspelt)).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
      node: replica.id,
    });
    const cluster = await fresh(given);
    try {
      const failed: unknown[] = [];
      cluster.on('connect-failed', (failure) => failed.push(failure));
      const serverOf = async (): Promise<unknown> => {
        const [rows] = await cluster.query('SELECT @@server_id AS id');
        return (rows as unknown as { id: number }[])[0]?.id;
      };
      for (let read = 0; read < 5; read += 1) expect(await serverOf()).toBe(servers.primary.serverId);
      await expect
        .poll(async () => {
          await serverOf();
          return failed;
        })
        .toContainEqual({
          node: replica.id,
          error: expect.objectContaining({
            ...refused,
            message: expect.stringMatching(/does not have the database.*Unknown database 'later'.*replica/),
          }),
        });
      await create(replica);
      await expect.poll(serverOf, { timeout: 30_000 }).toBe(replica.serverId);
    } finally {
      await cluster.close();
    }
  });

  test('a replica that has got neither the database nor the right to it yet stops nobody, and is told of', async () => {
    const [replica] = servers.replicas;
    const { user } = servers.accounts.app;
    if (replica === undefined) throw new Error('There is no replica');
    const inNewest = (url: string): string => url.replace(/\/[^/]*$/, '/newest');
    const give = async (on: LocalCluster['primary']): Promise<void> => {
      await on.query('SET sql_log_bin = 0');
      await on.query('CREATE DATABASE newest');
      await on.query(`GRANT ALL ON newest.* TO ${user}@'%'`);
      await on.query('SET sql_log_bin = 1');
    };
    await give(servers.primary);
    const cluster = await fresh({
      primary: inNewest(options.primary),
      replicas: options.replicas.map(inNewest),
    });
    try {
      const refused = expect.stringMatching(/refused the database.*newest/);
      expect(cluster.explain('SELECT 1')).toMatchObject({
        node: servers.primary.id,
        considered: expect.arrayContaining([
          { node: replica.id, role: 'replica', fit: false, reason: refused },
        ]),
      });
      const pictured = (): unknown => cluster.topology().nodes.find(({ id }) => id === replica.id)?.refusal;
      expect(pictured()).toEqual(refused);
      await cluster.query('SELECT 1');
      await give(replica);
      await expect
        .poll(
          async () => {
            await cluster.query('SELECT 1');
            return cluster.explain('SELECT 1').node;
          },
          { timeout: 30_000 },
        )
        .toBe(replica.id);
      expect(pictured()).toBeUndefined();
    } finally {
      await cluster.close();
    }
  });

  test('a monitor that may not see replication is refused with the GRANT, unless lag is left unchecked', async () => {
    const { user, password } = servers.accounts.app;
    const monitor = { credentials: { user, password } };
    await expect(fresh({ monitor })).rejects.toMatchObject({
      code: 'ERR_MISSING_PRIVILEGE',
      message: expect.stringMatching(/GRANT .* TO /),
    });
    const cluster = await fresh({ monitor: { ...monitor, lagSource: 'unchecked' } });
    expect(cluster.explain('SELECT 1')).toMatchObject({ node: servers.replicas[0]?.id });
    await cluster.close();
  });

  test('a peer that is not MySQL is named', async () => {
    const foreign = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const { port } = foreign.address() as { port: number };
    const primary = `mysql://app:pw@127.0.0.1:${port}/shop`;
    try {
      await expect(createMysqlCluster({ primary })).rejects.toMatchObject({
        code: 'ERR_PROTOCOL',
        node: `127.0.0.1:${port}`,
      });
    } finally {
      foreign.close();
    }
  });

  test('when nobody can be reached, every node and its cause are named', async () => {
    const closed = await freePort();
    const primary = `mysql://app:pw@127.0.0.1:${closed}/shop`;
    const start = createMysqlCluster({ primary, replicas: ['mysql://app:pw@no-such-host.invalid/shop'] });
    const error = await start.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    expect(String(error)).toContain(`127.0.0.1:${closed}`);
    expect(String(error)).toContain('ECONNREFUSED');
    expect(String(error)).toContain('no-such-host.invalid:3306');
  });

  test('a peer that accepts and says nothing does not hold the start up for ever', async () => {
    const silent = await listening(() => undefined);
    const { port } = silent.address() as { port: number };
    try {
      const primary = `mysql://app:pw@127.0.0.1:${port}/shop`;
      const start = createMysqlCluster({ primary, monitor: { timeoutMs: 200 }, startTimeoutMs: 5_000 });
      await expect(start).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    } finally {
      silent.close();
    }
  });

  test('a dead replica does not stop the start; it is told as an event', async () => {
    const closed = await freePort();
    const { user, password } = servers.accounts.app;
    const dead = `mysql://${user}:${encodeURIComponent(password)}@127.0.0.1:${closed}/shop`;
    const cluster = await fresh({ replicas: [...options.replicas, dead] });
    const told = new Promise((resolve) => {
      cluster.once('node-changed', ({ after }) => resolve(after));
    });
    expect(await told).toMatchObject({ id: `127.0.0.1:${closed}`, state: 'down', failure: 'refused' });
    expect(cluster.explain('SELECT 1')).toMatchObject({ node: servers.replicas[0]?.id });
    await cluster.close();
  });

  test('a dead primary does not stop the start: writes say what is missing, reads go on unless a bound is named', async () => {
    await servers.primary.kill();
    try {
      const cluster = await fresh({ blockMs: 300 });
      const read = (): Promise<unknown[]> => cluster.query('SELECT @@server_id AS id');
      const [rows] = await read();
      expect(rows).toEqual([{ id: servers.replicas[0]?.serverId }]);
      await expect(cluster.run({ maxLagMs: 60_000 }, read)).rejects.toMatchObject({
        code: 'ERR_NO_REPLICA',
        message: expect.stringContaining('its lag is unknown'),
      });
      const write = cluster.query('CREATE TABLE never (id INT)');
      await expect(write).rejects.toMatchObject({
        code: 'ERR_NO_PRIMARY',
        message: expect.stringContaining(servers.primary.id),
        cause: expect.any(Error),
      });
      await expect(write).rejects.toThrow(/refused/);
      await cluster.close();
    } finally {
      await servers.primary.start();
    }
  });

  test('options that do not exist, or not yet, are refused before anything is connected', async () => {
    await expect(fresh({ replica: [] } as never)).rejects.toThrow(/did you mean `replicas`/);
    await expect(fresh({ addressMap: { db1: 'x' } })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(fresh({ monitor: { share: true } })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(createMysqlCluster({})).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(createMysqlCluster(undefined as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });
});

function listening(onConnection: (socket: import('node:net').Socket) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer(onConnection);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

async function freePort(): Promise<number> {
  const server = await listening(() => undefined);
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
