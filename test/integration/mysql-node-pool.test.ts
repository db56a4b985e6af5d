/** A node's pool against real servers of both families: what it survives, and what its callers are told. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { Charsets } from 'mysql2';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Deadline } from '../../src/common/deadline.js';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { createConnectionFactory } from '../../src/mysql/connection-factory.js';
import { type MysqlNodeOptions, parseMysqlNode } from '../../src/mysql/connection-options.js';
import { NodePool, type NodePoolOptions } from '../../src/mysql/node-pool.js';
import type { PhysicalConnection } from '../../src/mysql/physical-connection.js';
import { type PoolOptions, resolvePoolOptions } from '../../src/mysql/pool-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';

/** Asks until it holds. */
const eventually = (check: () => unknown): Promise<unknown> =>
  vi.waitFor(check, { timeout: 60_000, interval: 20 });

const soon = (): Deadline => Deadline.of({ timeoutMs: 10_000 });

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  let cluster: LocalCluster;
  const pools: NodePool[] = [];

  beforeAll(async () => {
    cluster = await startLocalCluster({ ...options, replicas: 0, memcached: 1, php: false });
  });
  afterEach(async () => {
    cluster?.faults.heal();
    await Promise.all(pools.splice(0).map((pool) => pool.close(Deadline.of({ timeoutMs: 1 }))));
  });
  afterAll(async () => {
    await cluster?.close();
  });

  function open(
    settings: PoolOptions = {},
    node: MysqlNodeOptions = {},
    hooks: Partial<NodePoolOptions> = {},
  ): NodePool {
    const config = parseMysqlNode('node', { url: cluster.options().mysql.primary, ...node }, 'any');
    const factory = createConnectionFactory(config);
    const pool = new NodePool({
      node: factory.node,
      factory,
      settings: resolvePoolOptions('pool', settings),
      ...hooks,
    });
    pools.push(pool);
    return pool;
  }

  async function read(connection: PhysicalConnection, expression: string): Promise<unknown> {
    const [row] = await connection.ask(`SELECT ${expression} AS value`, soon());
    return row?.['value'];
  }

  async function command(connection: PhysicalConnection, sql: string): Promise<Record<string, unknown>> {
    const answer: unknown = await connection.ask(sql, soon());
    return answer as Record<string, unknown>;
  }

  test('connections know their server', async () => {
    const pool = open();
    const connection = await pool.acquire(soon());
    expect(connection.flavor).toBe(flavor);
    expect(connection.version.text).toBe(await read(connection, 'VERSION()'));
    expect(connection.threadId).toBe(await read(connection, 'CONNECTION_ID()'));
    pool.release(connection);
    expect(pool.stats).toEqual({ total: 1, idle: 1, borrowed: 0, waiting: 0, max: expect.any(Number) });
  });

  test('what the server says of a statement that it refused tells no password of it', async () => {
    const pool = open();
    const connection = await pool.acquire(soon());
    const asked = connection.ask("CHANGE MASTER TO MASTER_PASSWORD='not-for-logs', WRONG=1", soon());
    const error = await asked.catch((thrown: unknown) => thrown as Error);
    pool.release(connection);
    expect(error).toMatchObject({ sql: expect.stringContaining('CHANGE MASTER TO') });
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('not-for-logs');
  });

  test('a touched connection comes back clean, with the session that a new one has', async () => {
    const session = { time_zone: '+05:30', sql_mode: 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' };
    const pool = open({ max: 1 }, { session });
    const everything =
      flavor === 'mysql'
        ? "CONCAT_WS('|', @@character_set_client, @@collation_connection, @@character_set_results, @@time_zone, @@sql_mode, @@session_track_gtids, DATABASE())"
        : "CONCAT_WS('|', @@character_set_client, @@collation_connection, @@character_set_results, @@time_zone, @@sql_mode, @@session_track_system_variables, DATABASE())";
    const first = await pool.acquire(soon());
    const fresh = await read(first, everything);
    expect(fresh).toContain('utf8mb4|utf8mb4_unicode_ci|utf8mb4|+05:30|ANSI_QUOTES');
    expect(fresh).toContain(flavor === 'mysql' ? 'OWN_GTID' : 'last_gtid');
    await command(first, "SET NAMES latin1, time_zone = '+00:00', @left = 1, sql_mode = ''");
    await command(first, 'START TRANSACTION');
    first.touched = true;
    pool.release(first);
    const second = await pool.acquire(soon());
    expect(second).toBe(first);
    expect(second.touched).toBe(false);
    expect(await read(second, everything)).toBe(fresh);
    expect(await read(second, '@left')).toBeNull();
    expect(await read(second, "CONVERT('ä€😀' USING utf8mb4)")).toBe('ä€😀');
    pool.release(second);
  });

  test('a session without wishes is the same after a reset, also when the server defaults to latin1', async () => {
    await cluster.primary.query('SET GLOBAL character_set_server = latin1');
    await cluster.primary.query("SET GLOBAL character_set_client = 'latin1'").catch(() => undefined);
    try {
      const pool = open({ max: 1 });
      const everything =
        "CONCAT_WS('|', @@character_set_client, @@collation_connection, @@character_set_results, @@sql_mode)";
      const first = await pool.acquire(soon());
      const fresh = await read(first, everything);
      first.touched = true;
      pool.release(first);
      const second = await pool.acquire(soon());
      expect(await read(second, everything)).toBe(fresh);
      expect(await read(second, "HEX('ä')")).toBe('C3A4');
    } finally {
      await cluster.primary.query('SET GLOBAL character_set_server = utf8mb4');
      await cluster.primary.query("SET GLOBAL character_set_client = 'utf8mb4'").catch(() => undefined);
    }
  });

  test('commits report their GTID, before and after a reset', async () => {
    const pool = open({ max: 1 });
    for (const table of ['gtid_a', 'gtid_b']) {
      const connection = await pool.acquire(soon());
      const header = await command(connection, `CREATE TABLE ${table} (id INT PRIMARY KEY)`);
      const changes = header['stateChanges'] as { gtids: string[]; systemVariables: Record<string, string> };
      const gtid = flavor === 'mysql' ? changes.gtids[0] : changes.systemVariables['last_gtid'];
      expect(gtid).toMatch(flavor === 'mysql' ? /^[0-9a-f-]{36}:/ : /^\d+-\d+-\d+$/);
      connection.touched = true;
      pool.release(connection);
    }
  });

  test('a charset of the user is the one of the session, also after a reset', async () => {
    for (const charset of ['latin1', 'UTF8MB4_BIN', 'utf8']) {
      const pool = open({ max: 1 }, { charset });
      const connection = await pool.acquire(soon());
      const before = await read(connection, '@@collation_connection');
      expect(String(before).replace('utf8mb3', 'utf8')).toContain(charset.toLowerCase());
      connection.touched = true;
      pool.release(connection);
      const again = await pool.acquire(soon());
      expect(await read(again, '@@collation_connection')).toBe(before);
      pool.release(again);
    }
  });

  test('every character set of the driver works, or is refused by name', async () => {
    const names = Object.keys(Charsets).map((name) => (name.split('_', 1)[0] ?? name).toLowerCase());
    const refused: string[] = [];
    for (const charset of new Set(names)) {
      const connecting = (async () =>
        createConnectionFactory(
          parseMysqlNode('node', { url: cluster.options().mysql.primary, charset }, 'any'),
        ).connect(Deadline.of({ timeoutMs: 60_000 })))();
      const connection = await connecting.catch((error: unknown) => {
        expect(error, charset).toMatchObject({
          code: ErrorCode.INVALID_OPTION,
          message: expect.stringContaining(charset),
        });
        expect(String(error)).toContain('`charset`');
        refused.push(charset);
      });
      if (connection === undefined) continue;
      expect(String(await read(connection, '@@character_set_client')), charset).toMatch(
        new RegExp(`^${charset}(mb3)?$`),
      );
      connection.destroy();
    }
    expect(refused).toEqual(
      expect.arrayContaining(['ucs2', 'utf16', 'utf16le', 'utf32', 'swe7', 'dec8', 'hp8']),
    );
    expect(refused).not.toContain('latin1');
    expect(refused.includes('gb18030')).toBe(flavor === 'mariadb');
  });

  test('session variables that the server does not know are an error that names the option', async () => {
    const pool = open({}, { session: { no_such_variable: 1 } });
    await expect(pool.acquire(soon())).rejects.toMatchObject({
      code: ErrorCode.INVALID_OPTION,
      message: expect.stringContaining('no_such_variable'),
    });
  });

  test('connections that the server kills while idle are replaced, and nobody crashes', async () => {
    const pool = open({ max: 3 });
    const all = await Promise.all([1, 2, 3].map(() => pool.acquire(soon())));
    for (const connection of all) pool.release(connection);
    expect(pool.stats.idle).toBe(3);
    for (const { threadId } of all) await cluster.primary.query(`KILL ${threadId}`);
    await eventually(() => expect(pool.stats.total).toBe(0));
    const next = await pool.acquire(soon());
    expect(await read(next, '1')).toBe(1);
    expect(all).not.toContain(next);
    pool.release(next);
  });

  test('connections that the server closes for idleness are noticed', async () => {
    const pool = open({ max: 1 }, { session: { wait_timeout: 1 } });
    const connection = await pool.acquire(soon());
    const lost = new Promise<Error>((resolve) => connection.onLost(resolve));
    pool.release(connection);
    expect(await lost).toBeInstanceOf(Error);
    expect(pool.stats.total).toBe(0);
  });

  test('a server that dies: callers are told at once, few connections are tried, and it is used again', async () => {
    let attempts = 0;
    const pool = open({ max: 4, acquireTimeoutMs: 5_000 }, {}, { onConnectError: () => (attempts += 1) });
    const held = await Promise.all([1, 2, 3, 4].map(() => pool.acquire(soon())));
    for (const connection of held.slice(1)) pool.release(connection);
    await cluster.primary.kill();
    try {
      await eventually(() => expect(held.every(({ lost }) => lost !== undefined)).toBe(true));
      for (const connection of held.slice(0, 1)) pool.discard(connection);
      const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => pool.acquire(soon())));
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: ErrorCode.NODE_UNREACHABLE } });
      }
      const [first] = outcomes;
      const reason: unknown = first?.status === 'rejected' ? first.reason : undefined;
      expect(reason).toMatchObject({ node: cluster.primary.id, cause: expect.any(Error) });
      expect(attempts).toBeLessThanOrEqual(4);
      expect(pool.stats).toEqual({ total: 0, idle: 0, borrowed: 0, waiting: 0, max: expect.any(Number) });
    } finally {
      await cluster.primary.start();
    }
    await eventually(async () => {
      const connection = await pool.acquire(soon());
      expect(await read(connection, '1')).toBe(1);
      pool.release(connection);
    });
  });

  test('a server that hangs: the sign of life of a rested connection is bounded, and so is a new connection', async () => {
    const pool = open({ max: 2, validateAfterIdleMs: 50, acquireTimeoutMs: 500 });
    const both = await Promise.all([pool.acquire(soon()), pool.acquire(soon())]);
    for (const connection of both) pool.release(connection);
    const restedAt = performance.now() + 60;
    await eventually(() => expect(performance.now()).toBeGreaterThan(restedAt));
    cluster.primary.faults.partition();
    await expect(pool.acquire(soon())).rejects.toMatchObject({ code: ErrorCode.POOL_TIMEOUT });
    await eventually(() => expect(pool.stats).toMatchObject({ total: 0, borrowed: 0 }));
    await eventually(async () => {
      await expect(pool.acquire(soon())).rejects.toMatchObject({
        code: ErrorCode.NODE_UNREACHABLE,
        cause: { code: 'ETIMEDOUT' },
      });
    });
    cluster.primary.faults.heal();
    await eventually(async () => pool.release(await pool.acquire(soon())));
  });

  test('a frozen server does not answer a reset: the connection is given up, not the pool', async () => {
    const pool = open({ max: 1 });
    const connection = await pool.acquire(soon());
    connection.touched = true;
    await cluster.primary.pause();
    try {
      pool.release(connection);
      await eventually(() => expect(pool.stats).toMatchObject({ total: 0, borrowed: 0 }));
    } finally {
      await cluster.primary.resume();
    }
    pool.release(await pool.acquire(soon()));
  });

  test('a network that tears the login to pieces is no foreign peer', async () => {
    cluster.primary.faults.slice({ bytes: 1 });
    const pool = open();
    const connection = await pool.acquire(soon());
    expect(await read(connection, 'DATABASE()')).toBe(cluster.database);
    pool.release(connection);
  });

  test('a network that resets every connection: those at rest are gone, new ones fail with the reason', async () => {
    const pool = open({ max: 2 });
    pool.release(await pool.acquire(soon()));
    cluster.primary.faults.reset();
    await eventually(() => expect(pool.stats.total).toBe(0));
    await expect(pool.acquire(soon())).rejects.toMatchObject({
      code: ErrorCode.NODE_UNREACHABLE,
      cause: expect.any(Error),
    });
    cluster.primary.faults.heal();
    await eventually(async () => pool.release(await pool.acquire(soon())));
  });

  test('a full server: callers wait for the connections that there are', async () => {
    const [row] = await cluster.primary.query('SELECT @@GLOBAL.max_connections AS value');
    await cluster.primary.query('SET GLOBAL max_connections = 10');
    const filler = open({ max: 20 });
    const pool = open({ max: 4 });
    try {
      const first = await pool.acquire(soon());
      const taken: PhysicalConnection[] = [];
      let refusal: unknown;
      // On a busy machine the answer of the server may take longer than the call waits.
      while ((refusal as Error | undefined)?.cause === undefined) {
        await filler.acquire(Deadline.of({ timeoutMs: 300 })).then(
          (connection) => void taken.push(connection),
          (error: unknown) => {
            refusal = error;
          },
        );
      }
      expect(refusal).toMatchObject({ code: ErrorCode.POOL_TIMEOUT, cause: { cause: { errno: 1040 } } });
      const waiting = pool.acquire(soon());
      await eventually(() => expect(pool.stats.waiting).toBe(1));
      pool.release(first);
      expect(await waiting).toBe(first);
      pool.release(first);
      for (const connection of taken) filler.release(connection);
    } finally {
      filler.destroy();
      await cluster.primary.query(`SET GLOBAL max_connections = ${Number(row?.['value'])}`);
    }
  });

  test('refused logins say what to correct, and never show the password', async () => {
    const wrong = open({}, { password: 'not-the-secret' });
    const error: unknown = await wrong.acquire(soon()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: ErrorCode.ACCESS_DENIED, node: cluster.primary.id });
    expect(String(error)).toContain('check user and password');
    expect(String(error)).not.toContain('not-the-secret');
    await expect(open({}, { database: 'no_such' }).acquire(soon())).rejects.toMatchObject({
      code: ErrorCode.ACCESS_DENIED,
      message: expect.stringContaining('database'),
    });
    await cluster.primary.query("CREATE USER IF NOT EXISTS locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK");
    const locked = open({}, { user: 'locked', password: 'x' });
    await expect(locked.acquire(soon())).rejects.toMatchObject({
      code: ErrorCode.ACCESS_DENIED,
      message: expect.stringContaining('UNLOCK'),
    });
  });

  test('credentials are asked for before every connection', async () => {
    const { app } = cluster.accounts;
    let asked = 0;
    const pool = open(
      { max: 1 },
      {
        credentials: async () => {
          asked += 1;
          return asked === 2 ? { user: app.user, password: 'old' } : app;
        },
      },
    );
    pool.discard(await pool.acquire(soon()));
    await expect(pool.acquire(soon())).rejects.toMatchObject({ code: ErrorCode.ACCESS_DENIED });
    await eventually(async () => pool.release(await pool.acquire(soon())));
    expect(asked).toBe(3);
  });

  test('a function of credentials that gives no user logs in to nothing, also where anybody may', async () => {
    await cluster.primary.query("CREATE USER IF NOT EXISTS ''@'%'");
    const nothing: unknown[] = [
      { user: undefined, password: undefined },
      { user: '', password: 'secret-word' },
      { user: 'app' },
      5,
      null,
      undefined,
    ];
    try {
      for (const given of nothing) {
        const pool = open({}, { credentials: (() => given) as never });
        const error: unknown = await pool.acquire(soon()).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: ErrorCode.ACCESS_DENIED,
          message: expect.stringMatching(/`credentials` gave nothing to log in.*\{ user, password \}/),
        });
        expect(String(error)).not.toContain('secret-word');
      }
    } finally {
      await cluster.primary.query("DROP USER ''@'%'");
    }
  });

  test('one connection and no queue are enough for who does one thing after the other', async () => {
    const pool = open({ max: 1, maxQueue: 0 });
    for (let round = 0; round < 20; round += 1) {
      const connection = await pool.acquire(soon());
      // It is reset when it comes back, and nobody else is there.
      connection.touched = true;
      pool.release(connection);
    }
    const held = await pool.acquire(soon());
    await expect(pool.acquire(soon())).rejects.toMatchObject({ code: ErrorCode.POOL_QUEUE_FULL });
    pool.release(held);
  });

  test('a peer that is not MySQL is told from one that is down', async () => {
    const speaker: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('SSH-2.0-OpenSSH_9.2\r\n');
    });
    await new Promise<void>((resolve) => speaker.listen(0, '127.0.0.1', resolve));
    const address = speaker.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await expect(open({}, { port }).acquire(soon())).rejects.toMatchObject({ code: ErrorCode.PROTOCOL });
    } finally {
      speaker.close();
    }
    const cache = cluster.memcached[0];
    const silent = open({}, { port: cache?.port ?? 0, connectTimeout: 300 });
    await expect(silent.acquire(soon())).rejects.toMatchObject({ code: ErrorCode.PROTOCOL });
    await expect(open({}, { host: 'no-such-host.invalid' }).acquire(soon())).rejects.toMatchObject({
      code: ErrorCode.NODE_UNREACHABLE,
      message: expect.stringContaining('resolved'),
    });
    await expect(open({}, { ssl: true }).acquire(soon())).rejects.toMatchObject({ code: ErrorCode.PROTOCOL });
  });

  test('an attempt to connect that is never answered does not hold up its caller', async () => {
    const { hostname, port } = new URL(cluster.options().mysql.primary);
    const sockets: Socket[] = [];
    let accepted = 0;
    const network = createServer((client) => {
      sockets.push(client.on('error', () => undefined));
      accepted += 1;
      // Nothing of the first one arrives.
      if (accepted === 1) return;
      const server = connect(Number(port), hostname).on('error', () => client.destroy());
      sockets.push(server);
      client.pipe(server).pipe(client);
    });
    await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
    const address = network.address();
    const pool = open(
      { max: 4, acquireTimeoutMs: 50_000 },
      {
        host: '127.0.0.1',
        port: typeof address === 'object' ? (address?.port ?? 0) : 0,
        connectTimeout: 60_000,
      },
    );
    try {
      const connection = await pool.acquire(Deadline.of({ timeoutMs: 40_000 }));
      expect(await read(connection, '1')).toBe(1);
      pool.release(connection);
    } finally {
      for (const socket of sockets) socket.destroy();
      network.close();
    }
  });

  if (flavor === 'mysql') {
    test('TLS: connections are encrypted, and killing them while idle harms nobody', async () => {
      const pool = open({ max: 1 }, { ssl: { rejectUnauthorized: false } });
      const connection = await pool.acquire(soon());
      const [row] = await connection.ask("SHOW STATUS LIKE 'Ssl_cipher'", soon());
      expect(row?.['Value']).toMatch(/./);
      connection.touched = true;
      pool.release(connection);
      const again = await pool.acquire(soon());
      expect(again).toBe(connection);
      pool.release(again);
      await cluster.primary.query(`KILL ${connection.threadId}`);
      await eventually(() => expect(pool.stats.total).toBe(0));
      const next = await pool.acquire(soon());
      await cluster.primary.pause();
      next.destroy();
      pool.release(next);
      await cluster.primary.resume();
      expect(pool.stats.total).toBe(0);
    });
  }

  test('a unix socket serves as well', async () => {
    const pool = open({}, { socketPath: cluster.primary.socketPath });
    const connection = await pool.acquire(soon());
    expect(connection.node).toBe(cluster.primary.socketPath);
    expect(await read(connection, 'DATABASE()')).toBe(cluster.database);
    pool.release(connection);
  });

  test('closing waits for borrowers, then leaves nothing on the server', async () => {
    const pool = open({ max: 2 });
    const held = await pool.acquire(soon());
    const id = held.threadId;
    const closing = pool.close(soon());
    await expect(pool.acquire(soon())).rejects.toMatchObject({ code: ErrorCode.CLOSED });
    expect(await read(held, '1')).toBe(1);
    pool.release(held);
    await closing;
    expect(pool.stats.total).toBe(0);
    await eventually(async () => {
      const rows = await cluster.primary.query(
        `SELECT 1 FROM information_schema.processlist WHERE id = ${id}`,
      );
      expect(rows).toEqual([]);
    });
  });
});
