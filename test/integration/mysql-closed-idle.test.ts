/** Connections that the server has closed, which the client does not know yet: what was not executed is done on another one. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT } from '../support/run-node.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

/** Kills every connection of the application; run in another process while this one stands still. */
const KILLER = `
import mysql from 'mysql2/promise';
for (const { port, user, password, victim } of JSON.parse(process.argv[1])) {
  const admin = await mysql.createConnection({ host: '127.0.0.1', port, user, password });
  const [found] = await admin.query('SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?', [victim]);
  for (const { ID } of found) await admin.query('KILL ' + ID).catch(() => undefined);
  const left = async () => (await admin.query('SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ?', [victim]))[0][0].n;
  while ((await left()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await admin.end();
}`;

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  const killer = { user: 'killer', password: 'only for this test' };

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20))');
    await servers.primary.query(`CREATE USER killer@'%' IDENTIFIED BY '${killer.password}'`);
    await servers.primary.query("GRANT ALL ON *.* TO killer@'%'");
    await servers.waitForReplication();
    const { mysql } = servers.options();
    const monitor = { ...mysql.monitor, timeoutMs: 10_000 };
    cluster = await createMysqlCluster({ ...mysql, monitor, pool: { max: 6 } });
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  /** Both pools have several idle connections, and every one of them is dead, which nobody here has heard of. */
  beforeEach(async () => {
    const sleepy = 'SELECT SLEEP(0.05) FROM (SELECT 1) one';
    await Promise.all([
      ...Array.from({ length: 5 }, () => cluster.query(sleepy)),
      ...Array.from({ length: 5 }, () => cluster.query(`${sleepy} FOR UPDATE`)),
    ]);
    await eventually('all connections are back', () =>
      cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
    );
    const targets = servers.databases.map(({ realPort: port }) => ({
      ...killer,
      port,
      victim: servers.accounts.app.user,
    }));
    const args = ['--input-type=module', '-e', KILLER, JSON.stringify(targets)];
    execFileSync(process.execPath, args, { cwd: ROOT });
  });

  const stored = async (v: string): Promise<unknown> =>
    (await servers.primary.query('SELECT COUNT(*) AS n FROM shop.t WHERE v = ?', [v]))[0]?.['n'];

  test('reads are answered', async () => {
    const reads = Array.from({ length: 12 }, (_, n) => cluster.query('SELECT ? AS n', [n]));
    const answers = (await Promise.all(reads)).map(([rows]) => rows);
    expect(answers).toEqual(Array.from({ length: 12 }, (_, n) => [{ n }]));
  });

  test('a ping is answered, and a statement is prepared', async () => {
    await Promise.all([cluster.ping(), cluster.ping(), cluster.ping()]);
    const connection = await cluster.getConnection();
    const statement = await connection.prepare('SELECT ? + 1 AS n');
    expect((await statement.execute([1]))[0]).toEqual([{ n: 2 }]);
    await statement.close();
    connection.release();
  });

  test('transactions begin', async () => {
    const work = Array.from({ length: 6 }, () =>
      cluster.transaction((db) => db.query('INSERT INTO t (v) VALUES ("transaction")')),
    );
    await Promise.all(work);
    expect(await stored('transaction')).toBe(6);
  });

  test('settings follow', async () => {
    const connection = await cluster.getConnection();
    await connection.query("SET time_zone = '+05:00'");
    const [rows] = await connection.query('SELECT @@session.time_zone AS z FROM (SELECT 1) one FOR UPDATE');
    expect(rows).toEqual([{ z: '+05:00' }]);
    connection.release();
  });

  test('a write that was still to be prepared is executed, once', async () => {
    // A text that no connection has prepared.
    const writes = Array.from({ length: 4 }, (_, n) =>
      cluster.execute(`INSERT INTO t (v) VALUES (CONCAT(?, '${n}'))`, ['prepared ']),
    );
    await Promise.all(writes);
    for (const n of [0, 1, 2, 3]) expect(await stored(`prepared ${n}`)).toBe(1);
  });

  test('a write that was sent as text is done once or unknown, never twice', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, n) => cluster.query(`INSERT INTO t (v) VALUES ('text ${n}')`)),
    );
    for (const [n, outcome] of outcomes.entries()) {
      const count = await stored(`text ${n}`);
      if (outcome.status === 'fulfilled') expect(count).toBe(1);
      else {
        expect(outcome.reason).toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
        expect(count).toBe(0);
      }
    }
  });
});
