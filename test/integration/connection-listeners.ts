/** Listeners of the event `connection` of a pool, over a primary and one replica of any kind. */
import { expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import type { NewConnection } from '../../src/mysql/new-connection.js';
import type { LocalCluster } from '../../src/testing/index.js';

/** The tests; the servers are there when the first of them runs. */
export function connectionListenerStory(servers: () => LocalCluster): void {
  const zone = 'SELECT @@session.time_zone AS z, @@server_id AS id';
  const onReplica = (): unknown => [{ z: '+03:00', id: servers().replicas[0]?.serverId }];
  const onPrimary = (): unknown => [{ z: '+03:00', id: servers().primary.serverId }];
  const set = "SET time_zone = '+03:00'";

  async function started(pool: MysqlOptions['pool'] = { max: 1 }): Promise<MysqlCluster> {
    return createMysqlCluster({ ...servers().options().mysql, pool });
  }

  /** What it set is there for reads, writes, transactions and checkouts, on every node, also after a reset. */
  async function expectZone(db: MysqlCluster): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      expect((await db.query(zone))[0]).toEqual(onReplica());
      expect((await db.execute(`${zone} FOR UPDATE`))[0]).toEqual(onPrimary());
      expect(await db.transaction(async (tx) => (await tx.query(zone))[0])).toEqual(onPrimary());
      const connection = await db.getConnection();
      expect((await connection.query(zone))[0]).toEqual(onReplica());
      await connection.query('SET @a = 1');
      await connection.query("SET time_zone = '+05:00'");
      expect((await connection.query('SELECT @@session.time_zone AS z, @a AS a'))[0]).toEqual([
        { z: '+05:00', a: 1 },
      ]);
      connection.release();
    }
  }

  test('sets up every physical connection, once for each, and again after a reset', async () => {
    // With a promise, a callback, neither, several after each other, prepared, or by the callback pool.
    const ways: ((c: NewConnection) => unknown)[] = [
      (c) => c.query(set),
      (c) => void c.query(set),
      (c) => void c.query(set, (error) => expect(error).toBeNull()),
      (c) => void c.promise().query('DO 1', () => void c.connection.execute(set)),
      async (c) => {
        await c.execute('DO 1');
        await c.query('SET time_zone = ?', ['+03:00']);
      },
    ];
    for (const way of ways) {
      const db = await started({ max: 1, min: 1 });
      const sessions = new Set<unknown>();
      let calls = 0;
      db.on('connection', (connection) => {
        calls += 1;
        sessions.add(`${connection.node} ${connection.threadId}`);
        return way(connection);
      });
      await expectZone(db);
      expect([calls, sessions.size]).toEqual([2, 2]);
      await db.close();
    }
    const db = await started();
    db.callbackPool().on('connection', (connection) => connection.query(set));
    await expectZone(db);
    await db.close();
  });

  test('closes a connection that it could not set up, and says so; what it catches is its own', async () => {
    const wrong = 'SET no_such_variable = 1';
    const failing: ((c: NewConnection) => unknown)[] = [
      (c) => c.query(wrong),
      (c) => void c.query(wrong),
      () => {
        throw new Error('no_such_variable');
      },
      (c) => c.query('SET autocommit = 0'),
      (c) => c.query('BEGIN'),
    ];
    for (const listener of failing) {
      const db = await started();
      db.on('connection', listener);
      await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
      await db.close();
    }
    const forgiving: ((c: NewConnection) => unknown)[] = [
      (c) => void c.query(wrong, () => undefined),
      (c) => c.query(wrong).catch(() => undefined),
    ];
    for (const listener of forgiving) {
      const db = await started();
      let kept: NewConnection | undefined;
      db.on('connection', (connection) => {
        kept = connection;
        return listener(connection);
      });
      expect((await db.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
      // It is lent, and not the listener's any more.
      await expect(kept?.query('DO 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      await db.close();
    }
  });
}
