/** The event by which a primary stops taking writes by itself, on real servers, without the manager that makes it. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lockName } from '../../src/failover/protocol/lock-name.js';
import {
  CLOCK_SQL,
  createFence,
  DROP_FENCE,
  GUARD_ANSWER_MS,
  guardSql,
} from '../../src/failover/self-fence/fence-event.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const FENCE_MS = 3_000;
/** Long beside the moment that a look takes. */
const LONG_FENCE_MS = 8_000;
const GUARD = lockName('c', 'guard');

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let admin: Connection;
  const open: Connection[] = [];

  beforeAll(async () => {
    const serverArgs = { mysql: ['--event-scheduler=ON'] };
    servers = await startLocalCluster({ php: false, memcached: 0, replicas: 1, ...options, serverArgs });
    admin = await session();
    await admin.query('CREATE DATABASE ha_meta');
    await admin.query('SET SESSION sql_log_bin=0');
  });
  afterAll(async () => {
    for (const connection of open) connection.destroy();
    await servers?.close();
  });
  beforeEach(async () => {
    await writable();
    await admin.query(DROP_FENCE);
    await eventually('no loop runs', async () => (await holder('fence-watch')) === null);
    await writable();
  });

  async function session(account: 'admin' | 'app' = 'admin'): Promise<Connection> {
    const { accounts, primary } = servers;
    const connection = await createConnection({
      host: '127.0.0.1',
      port: primary.realPort,
      database: 'shop',
      ...accounts[account],
    });
    open.push(connection);
    return connection;
  }
  async function value(sql: string): Promise<unknown> {
    const [rows] = await admin.query(`SELECT ${sql} AS value`);
    return (rows as { value: unknown }[])[0]?.value;
  }
  const holder = (purpose: 'guard' | 'fence-watch' | 'fenced'): Promise<unknown> =>
    value(`IS_USED_LOCK('${lockName('c', purpose)}')`);
  const isClosed = async (): Promise<boolean> => Number(await value('@@GLOBAL.read_only')) === 1;
  async function writable(): Promise<void> {
    if (flavor === 'mysql') await admin.query('SET GLOBAL super_read_only=0');
    await admin.query('SET GLOBAL read_only=0');
  }
  async function guarded(): Promise<Connection> {
    const guard = await session();
    await guard.query(`SELECT GET_LOCK('${GUARD}', 5)`);
    return guard;
  }
  async function begin(fenceMs: number = FENCE_MS): Promise<void> {
    await admin.query(createFence(flavor, 'c', fenceMs));
    await eventually('the loop runs', async () => (await holder('fence-watch')) !== null);
  }

  test('a guarded server takes writes; one that nobody guards refuses them, and says that nobody wanted that', async () => {
    const guard = await guarded();
    await begin();
    const writer = await session('app');
    await writer.query('CREATE TABLE IF NOT EXISTS noted (at DATETIME(6))');
    const until = performance.now() + 2 * FENCE_MS;
    await eventually('twice the time is over', async () => {
      await writer.query('INSERT INTO noted VALUES (SYSDATE(6))');
      return performance.now() > until;
    });
    expect(await isClosed()).toBe(false);
    guard.destroy();
    await eventually('it refuses writes', isClosed);
    await expect(writer.query('INSERT INTO noted VALUES (SYSDATE(6))')).rejects.toMatchObject({
      errno: 1290,
    });
    expect(await holder('fenced')).toBe(await holder('fence-watch'));
    // Opened and guarded again it stays open, and the mark is gone.
    const again = await guarded();
    await writable();
    await eventually('the mark is gone', async () => (await holder('fenced')) === null);
    expect(await isClosed()).toBe(false);
    again.destroy();
  });

  test('the server of a guard that is silent refuses writes, too', async () => {
    const guard = await guarded();
    await guard.query('SET SESSION wait_timeout=2');
    await begin();
    guard.on('error', () => undefined);
    await eventually('it refuses writes', isClosed);
    expect(await holder('fenced')).not.toBeNull();
  });

  test('a server that refuses writes already is no fenced one', async () => {
    await admin.query('SET GLOBAL read_only=1');
    await begin();
    const until = performance.now() + 2 * FENCE_MS;
    await eventually('twice the time is over', () => performance.now() > until);
    expect(await holder('fenced')).toBeNull();
    // From here on it is counted.
    await admin.query('SET GLOBAL read_only=0');
    expect(await isClosed()).toBe(false);
    await eventually('it refuses writes', isClosed);
  });

  test('after a freeze of the whole server in which its guard went away it refuses writes at once', async () => {
    const guard = await guarded();
    await begin(LONG_FENCE_MS);
    expect(await lastWriteAfterFreeze(() => guard.destroy())).toBeLessThan(LONG_FENCE_MS - 2_000);
  });

  test('also when a renewal was in its socket, and the guard was cut off before it could take that back', async () => {
    const guard = await session();
    const renewal = async (): Promise<string> => {
      const [rows] = await guard.query(CLOCK_SQL);
      const clock = Number((rows as { clock: unknown }[])[0]?.clock);
      return guardSql('c', clock + GUARD_ANSWER_MS * 1_000);
    };
    // The first one takes the lock, the second one keeps it.
    for (const what of ['taken', 'kept']) {
      await eventually(`it is ${what}`, async () => {
        const [rows] = await guard.query(await renewal());
        return Number((rows as { held: unknown }[])[0]?.held) === 1;
      });
      expect(await holder('guard')).toBe(guard.threadId);
    }
    await begin(LONG_FENCE_MS);
    const late = await renewal();
    await guard.query(late);
    expect(await lastWriteAfterFreeze(() => void guard.query(late).catch(() => undefined))).toBeLessThan(
      LONG_FENCE_MS - 2_000,
    );
  });

  /**
   * Freezes the server for as long as an unguarded one takes writes; how long it took some when it went on, by its own clock,
   * milliseconds. One that does not count the freeze takes them for all that time once more.
   */
  async function lastWriteAfterFreeze(meanwhile: () => void): Promise<number> {
    const writer = await session('app');
    await writer.query('CREATE TABLE IF NOT EXISTS frozen (at DATETIME(6))');
    await writer.query('DELETE FROM frozen');
    await servers.primary.pause();
    meanwhile();
    const until = performance.now() + LONG_FENCE_MS;
    await eventually('the time of an unguarded server is over', () => performance.now() > until);
    await servers.primary.resume();
    await admin.query('SET @thaw = SYSDATE(6)');
    await eventually('writes are refused', async () => {
      const insert = writer.query('INSERT INTO frozen VALUES (SYSDATE(6))');
      return (await insert.catch((error: unknown) => error)) instanceof Error;
    });
    const lastMs = await value(
      'COALESCE((SELECT TIMESTAMPDIFF(MICROSECOND, @thaw, MAX(at)) FROM frozen), 0) / 1000',
    );
    return Number(lastMs);
  }

  test('a backup with the global read lock keeps it from nothing, at the latest when that is gone', async () => {
    const guard = await guarded();
    await begin();
    const backup = await session();
    await backup.query('FLUSH TABLES WITH READ LOCK');
    guard.destroy();
    await eventually('it tries', async () => (await holder('fenced')) !== null);
    await backup.query('UNLOCK TABLES');
    await eventually('it refuses writes', isClosed);
  });

  test('nothing of it reaches the replica, nor is left of it when it is dropped', async () => {
    const gtid = flavor === 'mysql' ? '@@GLOBAL.gtid_executed' : '@@GLOBAL.gtid_binlog_pos';
    const before = await value(gtid);
    await begin();
    await eventually('it refuses writes', isClosed);
    expect(await value(gtid)).toBe(before);
    const [replica] = servers.replicas;
    expect(await replica?.query('SHOW EVENTS FROM ha_meta')).toEqual([]);
    if (flavor === 'mysql') await admin.query('SET GLOBAL super_read_only=0');
    await admin.query(DROP_FENCE);
    await eventually('the loop has ended', async () => (await holder('fence-watch')) === null);
    expect(await holder('fenced')).toBeNull();
  });
});
