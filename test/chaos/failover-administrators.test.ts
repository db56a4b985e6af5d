/** Administrators, whom `read_only` of a MariaDB does not stop, write through switchovers, and nothing that they were told is lost. */
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
const SWITCHOVERS = 6;

describe.each(SERVERS)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: Cluster;
  const sessions = new Set<Connection>();
  const said = new Map<string, string>();

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)');
    await servers.primary.query("CREATE USER 'cron'@'%' IDENTIFIED BY 'cron'");
    await servers.primary.query("GRANT ALL PRIVILEGES ON *.* TO 'cron'@'%'");
    await servers.waitForReplication();
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
      if (phase !== 'started') said.set(step.id, `${phase} ${detail}`.trim());
    });
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
  });
  afterEach(() => {
    for (const connection of sessions) connection.destroy();
    sessions.clear();
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
  const connect = async ({ realPort: port }: LocalDatabaseNode, user = 'cron'): Promise<Connection> => {
    const account = user === 'cron' ? { user, password: 'cron' } : servers.accounts.app;
    const connection = await createConnection({ host: '127.0.0.1', port, database: 'shop', ...account });
    connection.on('error', () => undefined);
    sessions.add(connection);
    return connection;
  };
  const switchOver = async (): Promise<void> => {
    const result = await cluster.failover.switchover();
    expect(result.ok ? '' : `${result.at}: ${result.error.message}`).toBe('');
  };
  const everybodyFollows = async (): Promise<void> => {
    const now = await primary();
    for (const node of servers.databases.filter((each) => each !== now))
      await eventually('it follows', async () => {
        const [status] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
        return status?.['Slave_IO_Running'] === 'Yes' && status['Slave_SQL_Running'] === 'Yes';
      });
  };
  const numbers = async (node: LocalDatabaseNode): Promise<ReadonlySet<number>> =>
    new Set((await node.query('SELECT n FROM shop.t')).map(({ n }) => Number(n)));

  /** Writes without a pause to the node that takes writes, with all privileges; every other one in transactions. */
  async function writer(from: number, acknowledged: number[], isOver: () => boolean): Promise<void> {
    let connection: Connection | undefined;
    for (let n = from; !isOver(); n += 1) {
      try {
        connection ??= await connect(await primary());
        if (from % 2_000_000 === 0) await connection.query('BEGIN');
        await connection.query('INSERT INTO t (n) VALUES (?)', [n]);
        await connection.query('COMMIT');
        acknowledged.push(n);
      } catch {
        connection?.destroy();
        connection = undefined;
      }
    }
  }

  test(`${SWITCHOVERS} switchovers while administrators write: all are made, and nothing acknowledged is lost`, {
    timeout: 180_000,
  }, async () => {
    const acknowledged: number[] = [];
    let isOver = false;
    const writers = Array.from({ length: 6 }, (_, index) =>
      writer((index + 1) * 1_000_000, acknowledged, () => isOver),
    );
    try {
      for (let count = 0; count < SWITCHOVERS; count += 1) {
        const before = acknowledged.length;
        await eventually('they write', () => acknowledged.length > before + 20);
        await switchOver();
        await everybodyFollows();
      }
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
    const has = await numbers(await primary());
    expect(acknowledged.filter((n) => !has.has(n))).toEqual([]);
    for (const node of servers.databases)
      await eventually(`${node.id} has the same`, async () => {
        const its = await numbers(node);
        return its.size === has.size && [...its].every((n) => has.has(n));
      });
  });

  test.runIf(flavor === 'mariadb')(
    'a statement that takes long, and a backup that copies, keep nobody from being held, and go on',
    { timeout: 120_000 },
    async () => {
      const old = await primary();
      const reader = await connect(old, 'app');
      await reader.query('BEGIN');
      await reader.query('SELECT COUNT(*) FROM t');
      const long = reader.query('SELECT MAX(id), SLEEP(8) FROM t');
      await eventually('it runs', async () => {
        const rows = await old.query('SHOW FULL PROCESSLIST');
        return rows.some(({ Info }) => /^SELECT MAX/.test(String(Info)));
      });
      await switchOver();
      expect(said.get(`hold-writes@${old.id}`)).toBe('finished');
      expect(said.get(`let-writes@${old.id}`)).toBe('finished');
      expect(await long).toBeDefined();
      await everybodyFollows();

      const next = await primary();
      const backup = await connect(next);
      await backup.query('BACKUP STAGE START');
      await switchOver();
      expect(said.get(`hold-writes@${next.id}`)).toBe('finished');
      await backup.query('BACKUP STAGE END');
      await everybodyFollows();
    },
  );
});
