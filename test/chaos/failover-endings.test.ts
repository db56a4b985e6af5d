/** Whom a change ends when it closes the old primary: commits that wait for a replica, and administrators who write past `read_only`. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';

const chosen = process.env['STORMLAMP_CHAOS_SERVER'];
const SERVERS = DATABASES.filter(({ name }) => chosen === undefined || name.includes(chosen));

describe.each(SERVERS)('$name', ({ flavor, options }) => {
  const [source, replica] = flavor === 'mysql' ? ['source', 'replica'] : ['master', 'slave'];
  const plugins = ['--plugin-load-add=semisync_source.so', '--plugin-load-add=semisync_replica.so'];
  let servers: LocalCluster;
  let cluster: Cluster;
  const sessions: Connection[] = [];
  const said = new Map<string, string>();

  beforeAll(async () => {
    const mysql = [
      ...(flavor === 'mysql' ? plugins : []),
      `--loose-rpl-semi-sync-${replica}-enabled=1`,
      `--loose-rpl-semi-sync-${source}-wait-point=AFTER_SYNC`,
      `--loose-rpl-semi-sync-${source}-timeout=600000`,
    ];
    servers = await startLocalCluster({ ...options, php: false, memcached: 0, serverArgs: { mysql } });
    await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)');
    await servers.primary.query("CREATE USER 'cron'@'%' IDENTIFIED BY 'cron'");
    await servers.primary.query("GRANT ALL PRIVILEGES ON *.* TO 'cron'@'%'");
    await servers.waitForReplication();
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${source}_enabled=1`);
    const { admin, repl } = servers.accounts;
    cluster = await createCluster({
      mysql: servers.options().mysql,
      failover: {
        mode: 'auto',
        automatic: false,
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        leaseMs: 2_000,
      },
    });
    cluster.failover.on('change-step', ({ step, phase, detail }) => {
      if (phase !== 'started') said.set(step.id, `${phase} ${detail}`);
    });
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
  });
  afterEach(() => {
    for (const connection of sessions.splice(0)) connection.destroy();
    said.clear();
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  const primary = async (): Promise<LocalDatabaseNode> => {
    const [node] = await writableNodes(servers);
    if (node === undefined) throw new Error('nobody takes writes');
    return node;
  };
  const connect = async (
    { realPort: port }: LocalDatabaseNode,
    user: string,
    password: string,
  ): Promise<Connection> => {
    const connection = await createConnection({ host: '127.0.0.1', port, user, password, database: 'shop' });
    connection.on('error', () => undefined);
    sessions.push(connection);
    return connection;
  };
  const numbers = async (node: LocalDatabaseNode): Promise<readonly number[]> =>
    (await node.query('SELECT n FROM shop.t')).map(({ n }) => Number(n));

  test.runIf(flavor === 'mariadb')(
    'a switchover ends an administrator in the midst of a transaction, and leaves alone who is at nothing, or may not commit anyway',
    { timeout: 120_000 },
    async () => {
      const old = await primary();
      const [busy, idle] = [await connect(old, 'cron', 'cron'), await connect(old, 'cron', 'cron')];
      const { user, password } = servers.accounts.app;
      const plain = await connect(old, user, password);
      await busy.query('BEGIN');
      await busy.query('INSERT INTO t (n) VALUES (-1)');
      await plain.query('BEGIN');
      await plain.query('INSERT INTO t (n) VALUES (-2)');
      await idle.query('SELECT COUNT(*) FROM t');
      const result = await cluster.failover.switchover();
      expect(result).toMatchObject({ ok: true, plan: { from: old.id } });
      expect(said.get(`end-writers@${old.id}`)).toMatch(
        new RegExp(`^finished ended the sessions ${busy.threadId} \\(cron@[^,]*\\)$`),
      );
      await expect(busy.query('COMMIT')).rejects.toThrow();
      await expect(plain.query('COMMIT')).rejects.toMatchObject({ errno: 1290 });
      expect(await idle.query('SELECT 1')).toBeDefined();
      for (const node of servers.databases) {
        const has = await numbers(node);
        expect(has.filter((n) => n < 0)).toEqual([]);
      }
      const history = await cluster.failover.history();
      expect(history.some(({ message }) => message.includes(`ended the sessions ${busy.threadId} `))).toBe(
        true,
      );
      await eventually('the old primary follows', async () => {
        const [status] = await askInOldWords(old, flavor, 'SHOW SLAVE STATUS');
        return status?.['Slave_IO_Running'] === 'Yes' && status['Slave_SQL_Running'] === 'Yes';
      });
    },
  );

  test('a failover from a primary whose commits wait for a replica: all that are about to commit are ended, and nobody was told that it is stored', {
    timeout: 120_000,
  }, async () => {
    const old = await primary();
    const { user, password } = servers.accounts.app;
    const others = servers.databases.filter((node) => node !== old);
    const acknowledged: number[] = [];
    let unknown = 0;
    let isOver = false;
    /** Writes without a pause, as PHP does, and knows no lease; every other one in transactions. */
    const writer = async (from: number): Promise<void> => {
      for (let n = from; !isOver; n += 1) {
        const connection = await connect(old, user, password);
        try {
          if (from % 2_000 === 0) await connection.query('BEGIN');
          await connection.query('INSERT INTO t (n) VALUES (?)', [n]);
          await connection.query('COMMIT');
          acknowledged.push(n);
        } catch (error) {
          if (Number((error as { errno?: unknown }).errno) === 1290) return;
          unknown += 1;
        } finally {
          connection.destroy();
        }
      }
    };
    const writers = Array.from({ length: 12 }, (_, index) => writer((index + 1) * 1_000));
    await eventually('they write', () => acknowledged.length > 20);
    for (const node of others) await askInOldWords(node, flavor, 'STOP SLAVE IO_THREAD');
    await eventually('they wait', async () => {
      const rows = await old.query('SHOW FULL PROCESSLIST');
      return rows.some(({ State }) => /Waiting for semi-sync ACK/.test(String(State)));
    });
    const result = await cluster.failover.failover({ force: true, acceptLoss: true });
    isOver = true;
    expect(result.ok ? '' : result.error.message).toBe('');
    expect(said.get(`refuse-writes@${old.id}`)).toMatch(/^finished ended the sessions \d+ \(app@/);
    await Promise.all(writers);
    expect(unknown).toBeGreaterThan(0);
    // Its commits would wait again.
    expect(
      await old.query(`SELECT @@GLOBAL.read_only AS shut, @@GLOBAL.rpl_semi_sync_${source}_enabled AS waits`),
    ).toEqual([{ shut: 1, waits: 1 }]);
    expect(await primary()).not.toBe(old);
    const has = new Set(await numbers(await primary()));
    expect(acknowledged.filter((n) => !has.has(n))).toEqual([]);
  });
});
