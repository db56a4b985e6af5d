/** Scheduled events of real servers: they run on the primary and only there, through a switchover, a failover, and new data of a node. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENTS_SQL, readEvents, type ScheduledEvent } from '../../src/failover/survey/scheduled-events.js';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';

/** Everything of an event that must not change with the primary. */
const LASTING =
  'SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, TIME_ZONE, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, SQL_MODE, STARTS, ENDS, ' +
  'ON_COMPLETION, EVENT_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION, EVENT_DEFINITION ' +
  "FROM information_schema.EVENTS WHERE EVENT_SCHEMA='shop' ORDER BY EVENT_NAME";

describe.each(DATABASES)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  const open: Cluster[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({
      php: false,
      memcached: 0,
      ...options,
      serverArgs: { mysql: ['--event-scheduler=ON'] },
    });
    const { primary, accounts } = servers;
    const { user, password } = accounts.admin;
    const session = await createConnection({
      host: '127.0.0.1',
      port: primary.port,
      user,
      password,
      charset: 'LATIN1_SWEDISH_CI',
    });
    const body = "INSERT INTO shop.ran (event, server, text) VALUES ('NAME', @@port, 'grün')";
    const of = (name: string): string => body.replace('NAME', name);
    for (const sql of [
      'CREATE TABLE shop.ran (id BIGINT AUTO_INCREMENT PRIMARY KEY, event VARCHAR(20), server INT, text VARCHAR(20)) DEFAULT CHARSET=utf8mb4',
      "CREATE USER 'jobs'@'%' IDENTIFIED BY 'jobs'",
      "GRANT INSERT, EVENT ON shop.* TO 'jobs'@'%'",
      "SET SESSION time_zone='+02:00', sql_mode='NO_ZERO_DATE'",
      `CREATE DEFINER='jobs'@'%' EVENT shop.often ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE COMMENT 'it''s' DO ${of('often')}`,
      // The administrator writes past read_only.
      `CREATE EVENT shop.mighty ON SCHEDULE EVERY 1 SECOND DO ${of('mighty')}`,
      `CREATE DEFINER='jobs'@'%' EVENT shop.off ON SCHEDULE EVERY 1 SECOND DISABLE DO ${of('off')}`,
      `CREATE DEFINER='jobs'@'%' EVENT shop.once ON SCHEDULE AT '2038-01-01 00:00:00' DO ${of('once')}`,
    ])
      await session.query(sql);
    session.destroy();
    await servers.waitForReplication();
  });
  afterAll(async () => {
    await closeAll();
    await servers?.close();
  });

  async function closeAll(): Promise<void> {
    await Promise.all(open.splice(0).map((cluster) => cluster.close()));
  }
  async function manager(more: Partial<FailoverOptions> = {}): Promise<Cluster['failover']> {
    const { admin, repl } = servers.accounts;
    const cluster = await createCluster({
      mysql: { ...servers.options().mysql, blockMs: 30_000 },
      failover: {
        mode: 'auto',
        maxLoss: 'any',
        blockMs: 0,
        credentials: admin,
        replication: repl,
        leaseMs: 2_000,
        ...more,
      },
    });
    open.push(cluster);
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    return cluster.failover;
  }
  const eventsOf = async (node: LocalDatabaseNode): Promise<readonly ScheduledEvent[]> =>
    readEvents(await node.query(EVENTS_SQL));
  const statusOf = async (node: LocalDatabaseNode): Promise<Readonly<Record<string, string>>> =>
    Object.fromEntries((await eventsOf(node)).map(({ name, status }) => [name, status]));
  const lasting = async (node: LocalDatabaseNode): Promise<string> =>
    JSON.stringify(await node.query(LASTING));
  const lastId = async (node: LocalDatabaseNode): Promise<number> =>
    Number((await node.query('SELECT COALESCE(MAX(id), 0) AS id FROM shop.ran'))[0]?.['id']);
  /** Both events run on `node`, and nothing that is newer was written by another server. */
  async function runsOn(node: LocalDatabaseNode): Promise<void> {
    const since = await lastId(node);
    const [self] = await node.query('SELECT @@port AS id');
    const rows = await eventually(`the events run on ${node.name}`, async () => {
      const found = await node.query('SELECT DISTINCT event, server, text FROM shop.ran WHERE id > ?', [
        since,
      ]);
      return new Set(found.map(({ event }) => event)).size >= 2 ? found : undefined;
    });
    expect(new Set(rows.map(({ server }) => server))).toEqual(new Set([self?.['id']]));
    expect(new Set(rows.map(({ text }) => text))).toEqual(new Set(['grün']));
  }
  /** Has an ordinary account define `mighty`. */
  async function mightyOfJobs(primary: LocalDatabaseNode): Promise<void> {
    await primary.query('DROP EVENT IF EXISTS shop.mighty');
    await primary.query(
      "CREATE DEFINER='jobs'@'%' EVENT shop.mighty ON SCHEDULE EVERY 1 SECOND DO INSERT INTO shop.ran (event, server, text) VALUES ('mighty', @@port, 'grün')",
    );
  }
  async function follows(node: LocalDatabaseNode, primary: LocalDatabaseNode): Promise<boolean> {
    const [status] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
    return (
      Number(status?.['Master_Port']) === primary.port &&
      status?.['Slave_IO_Running'] === 'Yes' &&
      status['Slave_SQL_Running'] === 'Yes'
    );
  }
  const [running, resting] = [
    { often: 'enabled', mighty: 'enabled', once: 'enabled' },
    {
      often: 'replica-side-disabled',
      mighty: 'replica-side-disabled',
      once: 'replica-side-disabled',
    },
  ];
  async function isRight(primary: LocalDatabaseNode): Promise<void> {
    await eventually('every server has its events as it should', async () => {
      const all = await Promise.all(
        servers.databases.map(async (node) => [node, await statusOf(node)] as const),
      );
      return all.every(([node, { off, ...rest }]) => {
        const wanted = node === primary ? running : resting;
        return off === 'disabled' && Object.entries(wanted).every(([name, status]) => rest[name] === status);
      });
    }).catch(async (error: unknown) => {
      const all = await Promise.all(servers.databases.map(async (node) => [node.id, await eventsOf(node)]));
      const journal = await open[0]?.failover.history(30);
      throw new Error(
        `${String(error)}\n${JSON.stringify(all)}\n${journal?.map(({ message }) => message).join('\n')}`,
      );
    });
    const before = await lasting(primary);
    for (const node of servers.databases) expect(await lasting(node)).toBe(before);
    await runsOn(primary);
  }

  test('a replica is told what is disabled, and a switchover there and back takes the rest along, unchanged', {
    timeout: 180_000,
  }, async () => {
    const failover = await manager();
    const [first, second] = [servers.primary, servers.replicas[0] as LocalDatabaseNode];
    const before = await lasting(first);
    await isRight(first);
    for (const to of [second, first]) {
      const result = await eventually(`${to.name} is the primary`, async () => {
        const made = await failover
          .switchover({ to: to.id })
          .catch((error: Error) => console.log(error.message));
        return made?.ok === true ? made : undefined;
      });
      expect(result.plan.warnings).toEqual([]);
      expect(await statusOf(to)).toMatchObject(running);
      await isRight(to);
      expect(await lasting(to)).toBe(before);
      for (const node of servers.databases)
        if (node !== to) await eventually('it follows', () => follows(node, to));
    }
    const failed = (await failover.history(200)).filter(({ message }) => message.includes('event-'));
    expect(failed).toEqual([]);
  });

  test('a replica that executes them, too, as one that was made anew, ceases within seconds', {
    timeout: 120_000,
  }, async () => {
    const [replica] = servers.replicas;
    if (replica === undefined) throw new Error('no replica');
    const { user, password } = servers.accounts.admin;
    const session = await createConnection({ host: '127.0.0.1', port: replica.port, user, password });
    if (flavor === 'mysql') await session.query('SET GLOBAL super_read_only=0');
    await session.query('SET SESSION sql_log_bin=0');
    await session.query('SET NAMES latin1 COLLATE latin1_swedish_ci');
    await session.query("ALTER DEFINER='jobs'@'%' EVENT shop.often ENABLE");
    session.destroy();
    await isRight(servers.primary);
  });

  test('an account that may not alter them is told so before, and the primary changes all the same', {
    timeout: 180_000,
  }, async () => {
    await closeAll();
    const [primary] = await writableNodes(servers);
    if (primary === undefined) throw new Error('no primary');
    const everywhere =
      flavor === 'mysql'
        ? 'SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, REPLICATION CLIENT, RELOAD'
        : 'READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, REPLICA MONITOR, BINLOG MONITOR, BINLOG ADMIN, RELOAD';
    for (const sql of [
      "CREATE USER 'lean'@'%' IDENTIFIED BY 'lean'",
      `GRANT ${everywhere} ON *.* TO 'lean'@'%'`,
      "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ha_meta.* TO 'lean'@'%'",
      "GRANT EVENT ON *.* TO 'lean'@'%'",
    ])
      await primary.query(sql);
    const failover = await manager({ credentials: { user: 'lean', password: 'lean' } });
    const checks = (await failover.preflight()).checks.filter(({ name }) => name === 'scheduled-events');
    const definer = flavor === 'mysql' ? 'SET_ANY_DEFINER' : 'SET USER';
    expect(checks).toHaveLength(3);
    for (const { result, detail } of checks) {
      expect(result).toBe('warn');
      expect(detail).toContain(`GRANT ${definer} ON *.* TO 'lean'@'%'`);
    }
    const plan = await failover.plan('switchover');
    expect(plan.warnings.join()).toContain(`lacks ${definer}`);
    expect(plan.steps.filter(({ id }) => id.startsWith('event-'))).toEqual([]);

    // With it those of ordinary definers move; on MySQL an administrator's takes SYSTEM_USER, and nothing ends for want of that.
    await primary.query(`GRANT ${definer} ON *.* TO 'lean'@'%'`);
    await eventually('everybody has it', async () => {
      const now = (await failover.preflight()).checks.filter(({ name }) => name === 'scheduled-events');
      return now.every(({ result }) => result === 'pass');
    });
    const result = await eventually('a switchover is made', async () => {
      const made = await failover.switchover().catch((error: Error) => console.log(error.message));
      return made?.ok === true ? made : undefined;
    });
    const next = servers.databases.find(({ id }) => id === result.plan.to) as LocalDatabaseNode;
    expect(await statusOf(next)).toMatchObject({ often: 'enabled', once: 'enabled' });
    const old = await statusOf(primary);
    expect(old).toMatchObject({ often: 'replica-side-disabled', once: 'replica-side-disabled' });
  });

  test('a backup on the new primary keeps its events waiting, and nobody from writing', {
    timeout: 240_000,
  }, async () => {
    await closeAll();
    const [from] = await writableNodes(servers);
    const to = servers.databases.find((node) => node !== from);
    if (from === undefined || to === undefined) throw new Error('no primary, or no replica');
    // What no account could move before is nowhere as it should be.
    await mightyOfJobs(from);
    const failover = await manager();
    await isRight(from);
    // There and back, so that it has ceased to execute them itself before.
    for (const node of [to, from]) {
      await eventually(`${node.name} is the primary`, async () => {
        const made = await failover.switchover({ to: node.id }).catch(() => undefined);
        return made?.ok;
      });
      await isRight(node);
    }
    const { user, password } = servers.accounts.admin;
    const backup = await createConnection({ host: '127.0.0.1', port: to.port, user, password });
    const isMysql = flavor === 'mysql';
    for (const sql of isMysql
      ? ['LOCK INSTANCE FOR BACKUP']
      : ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_DDL'])
      await backup.query(sql);
    const sent: string[] = [];
    const failed: string[] = [];
    failover.on('statement', ({ node, sql, outcome }) => {
      if (node !== to.id || outcome !== undefined) return;
      if (/RELEASE_LOCK.*:promote/.test(sql)) sent.push('writes flow');
      if (sql.startsWith('ALTER')) sent.push('an event waits');
    });
    failover.on('change-step', ({ phase, detail }) => void (phase === 'failed' && failed.push(detail)));
    const result = await failover.switchover({ to: to.id });
    if (isMysql) {
      // No replica of MySQL stops to replicate then.
      expect(result).toMatchObject({ ok: false, clusterState: 'undone' });
      backup.destroy();
      await isRight(from);
      return;
    }
    if (!result.ok) throw result.error;
    expect(result.left).toEqual([]);
    expect(sent.slice(0, 2)).toEqual(['writes flow', 'an event waits']);
    // What waited in vain has not taken its session with it.
    expect(failed.length).toBeGreaterThan(0);
    for (const detail of failed) expect(detail).toMatch(/lock wait timeout/i);
    backup.destroy();
    await isRight(to);
  });

  test('a failover has the new primary execute what ran, and the old one has ceased when it follows again', {
    timeout: 240_000,
  }, async () => {
    const [primary] = await writableNodes(servers);
    if (primary === undefined) throw new Error('no primary');
    await closeAll();
    // Before anybody can keep it from that, a server that is started again executes what its definer may write past read_only.
    await mightyOfJobs(primary);
    await manager();
    await isRight(primary);
    await primary.kill();
    const next = await eventually(
      'another one takes over',
      async () => (await writableNodes(servers)).find((node) => node !== primary),
      90_000,
    );
    await runsOn(next);
    expect(await statusOf(next)).toMatchObject({ ...running, off: 'disabled' });
    // As its configuration should have it.
    Object.assign(primary, { startsReadOnly: true });
    await primary.start();
    await eventually('the old one follows', () => follows(primary, next), 90_000);
    expect(await statusOf(primary)).toMatchObject(resting);
    await isRight(next);
    const diverged = (await open[0]?.failover.history(200))?.filter(({ kind }) => kind === 'node-diverged');
    expect(diverged).toEqual([]);
  });
});
