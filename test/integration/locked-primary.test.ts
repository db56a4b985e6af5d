/** A primary on which a backup holds the lock of the whole server, on real servers: it is told as that, and nobody acts on it. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkDatabases } from '../../src/cli/doctor/check-databases.js';
import { checkFailover } from '../../src/cli/doctor/check-failover.js';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import { type Cluster, createCluster, type FailureKind } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from './database-matrix.js';
import { eventually } from './eventually.js';

// The newest MariaDB belongs to the long form.
const chosen = process.env['STORMLAMP_CHAOS_SERVER'];
const SERVERS = DATABASES.filter(({ name }) =>
  chosen === undefined ? name !== 'MariaDB 11.8' : name.includes(chosen),
);

describe.each(SERVERS)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: Cluster;
  const sessions: Connection[] = [];
  const told: { readonly kind: FailureKind; readonly warranted: boolean }[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 2, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)');
    await servers.waitForReplication();
    const { admin, repl } = servers.accounts;
    cluster = await createCluster({
      mysql: { ...servers.options().mysql, blockMs: 60_000 },
      failover: {
        mode: 'auto',
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        leaseMs: 2_000,
        detector: { downAfterMs: 1_000, troubleAfterMs: 1_000, upAfterMs: 500 },
      },
    });
    cluster.failover.on('failure-detected', ({ kind, warranted }) => told.push({ kind, warranted }));
  });
  beforeEach(async () => {
    await eventually(
      'all is well',
      () =>
        cluster.failover.state.failure === null &&
        cluster.failover.state.nodes.every(({ suspicion }) => suspicion === 'up'),
    );
    told.length = 0;
  });
  // What a failed test leaves behind would lock the next one out.
  afterEach(() => {
    for (const connection of sessions.splice(0)) connection.destroy();
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  /** A session beside the cluster that executes `statements`. */
  const session = async (...statements: readonly string[]) => {
    const connection = await createConnection({
      host: '127.0.0.1',
      port: servers.primary.realPort,
      ...servers.accounts.admin,
    });
    sessions.push(connection);
    for (const statement of statements) await connection.query(statement);
    return connection;
  };
  const write = (): Promise<unknown> => cluster.mysql.query('INSERT INTO t (n) VALUES (1)');
  const rows = async (): Promise<number> =>
    Number((await servers.primary.query('SELECT COUNT(*) AS n FROM shop.t'))[0]?.['n']);

  const errorOf = (result: ChangeResult): string => {
    if (result.ok) return 'none';
    const { code, cause } = result.error as { code?: string; cause?: { errno?: number } };
    return `${code} because of ${cause?.errno}`;
  };

  test('FLUSH TABLES WITH READ LOCK: locked, no failover, a switchover is undone, and writes go on', async () => {
    const { primary } = servers;
    const before = await rows();
    const backup = await session('FLUSH TABLES WITH READ LOCK');
    const written = write();
    await eventually('the lock is detected', () => told.some(({ kind }) => kind === 'locked'));
    expect(cluster.failover.state).toMatchObject({
      failure: 'locked',
      because: expect.stringContaining('wait for the lock of the whole server'),
      failover: { warranted: false },
      writer: { kind: 'primary', node: primary.id },
    });
    expect(cluster.failover.state.nodes.find(({ node }) => node === primary.id)?.suspicion).toBe('up');
    const result = await cluster.failover.switchover();
    // Not even the note of it could be written.
    expect(result).toMatchObject({ ok: false, at: `begin@${primary.id}`, clusterState: 'unchanged' });
    expect(errorOf(result)).toBe('ERR_CHANGE_REFUSED because of 1205');
    const words = result.ok ? '' : result.error.message;
    expect(words).toMatch(/session \d+ \(app@\S+\).* waits? for a lock, too/);
    if (flavor === 'mysql')
      expect(words).toContain(
        `session ${backup.threadId} (admin@127.0.0.1) holds the lock of the whole server`,
      );
    else expect(words).toContain("`INSTALL SONAME 'metadata_lock_info'` lets it");
    await backup.query('UNLOCK TABLES');
    await backup.end();
    await written;
    await write();
    expect(await rows()).toBe(before + 2);
    expect(await primary.query('SELECT @@GLOBAL.read_only AS shut')).toEqual([{ shut: 0 }]);
    await servers.waitForReplication();
    await eventually('the lock is over', () => cluster.failover.state.failure === null);
    expect(told).toEqual([{ kind: 'locked', warranted: false }]);
  });

  test.each([
    ['a table is locked', 'LOCK TABLES shop.t WRITE', 'has locked shop.t'],
    [
      'a statement takes its time',
      'INSERT INTO shop.t (n) SELECT SLEEP(20)',
      'may have it: its statement has run for',
    ],
  ])('%s: a switchover is undone, and says which session it is and how to end it', async (_, sql, told) => {
    const { primary } = servers;
    // Without it the server tells nobody who has locked a table.
    const plugin = (verb: string) =>
      primary.query(`${verb} SONAME 'metadata_lock_info'`).then(
        () => true,
        () => false,
      );
    const tells = flavor === 'mysql' || (await plugin('INSTALL'));
    const holder = await session();
    const running = holder.query(sql).catch(() => undefined);
    // A session that has not begun yet waits like one that has locked its table.
    if (told.startsWith('may')) {
      await eventually('it has begun', async () => {
        const [row] = await primary.query(
          `SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE ID=${holder.threadId} AND STATE='User sleep'`,
        );
        return Number(row?.['n']) === 1;
      });
    } else await running;
    const result = await cluster.failover.switchover();
    expect(result).toMatchObject({ ok: false, at: `refuse-writes@${primary.id}`, clusterState: 'undone' });
    expect(errorOf(result)).toBe('ERR_CHANGE_REFUSED because of 1205');
    const words = result.ok ? '' : result.error.message;
    // Not every package of MariaDB has the plugin.
    if (!tells) expect(words).toContain("`INSTALL SONAME 'metadata_lock_info'` lets it");
    if (tells || told.startsWith('may')) {
      expect(words).toMatch(new RegExp(`session ${holder.threadId} \\(admin@[\\d.:]+\\) ${told}`));
      expect(words).toContain(`\`KILL ${holder.threadId}\` on ${primary.id}`);
    }
    expect(await primary.query('SELECT @@GLOBAL.read_only AS shut')).toEqual([{ shut: 0 }]);
    // The remedy that it names.
    await primary.query(`KILL ${holder.threadId}`);
    await running;
    // Its client is told before the server is done with it, and MySQL may still store the row.
    await eventually('the session is gone', async () => {
      const [row] = await primary.query(
        `SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE ID=${holder.threadId}`,
      );
      return Number(row?.['n']) === 0;
    });
    if (flavor === 'mariadb') await plugin('UNINSTALL');
    const before = await rows();
    await write();
    expect(await rows()).toBe(before + 1);
  });

  test("a transaction has locked a row of the manager's own table: a switchover ends with that, and says which session it is", async () => {
    const { primary } = servers;
    // A switchover that is undone leaves its note there.
    const table = await session('LOCK TABLES shop.t WRITE');
    await cluster.failover.switchover();
    await table.end();
    const holder = await session('START TRANSACTION', 'SELECT * FROM ha_meta.operation FOR UPDATE');
    const result = await cluster.failover.switchover();
    expect(result).toMatchObject({ ok: false, at: `begin@${primary.id}`, clusterState: 'unchanged' });
    expect(errorOf(result)).toBe('ERR_CHANGE_REFUSED because of 1205');
    const words = result.ok ? '' : result.error.message;
    expect(words).toMatch(
      new RegExp(
        `session ${holder.threadId} \\(admin@[\\d.:]+\\) may have it: its transaction has locked rows`,
      ),
    );
    expect(words).toContain(`\`KILL ${holder.threadId}\` on ${primary.id}`);
    await primary.query(`KILL ${holder.threadId}`);
    await write();
  });

  test('an account of the monitor that would not see it: preflight and the doctor say which GRANT it lacks', async () => {
    const privilege = flavor === 'mysql' ? 'SELECT ON performance_schema.threads' : 'PROCESS ON *.*';
    const grant = `GRANT ${privilege} TO 'monitor'@'%'`;
    const { signal } = new AbortController();
    const { mysql } = servers.options();
    const { admin, repl } = servers.accounts;
    const preflight = async () =>
      (await cluster.failover.preflight()).checks.filter(({ name }) => name === 'monitor-privileges');
    const doctor = async () =>
      [
        ...(await checkDatabases(mysql, signal)),
        ...(await checkFailover(mysql, { mode: 'auto', credentials: admin, replication: repl }, signal)),
      ].filter(({ what, found }) => what === 'who waits for a lock' || found.includes('sessions of others'));
    const ids = [servers.primary, ...servers.replicas].map(({ id }) => id);

    await servers.primary.query(`REVOKE ${privilege} FROM 'monitor'@'%'`);
    await servers.waitForReplication();
    expect(await preflight()).toEqual(
      ids.map((node) =>
        expect.objectContaining({ node, result: 'warn', detail: expect.stringContaining(grant) }),
      ),
    );
    expect((await cluster.failover.preflight()).ok).toBe(true);
    expect(await doctor()).toEqual(
      ids.map((subject) =>
        expect.objectContaining({ subject, state: 'warning', fix: `run \`${grant}\` on the primary` }),
      ),
    );

    await servers.primary.query(grant);
    await servers.waitForReplication();
    expect((await preflight()).map(({ result }) => result)).toEqual(['pass', 'pass', 'pass']);
    expect((await doctor()).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
  });

  test('what only keeps tables from being changed is no trouble while writes go through', async () => {
    const backup = await session(
      ...(flavor === 'mysql'
        ? ['LOCK INSTANCE FOR BACKUP']
        : ['BACKUP STAGE START', 'BACKUP STAGE FLUSH', 'BACKUP STAGE BLOCK_DDL']),
    );
    const waits = await session();
    const changed = waits.query('ALTER TABLE shop.t COMMENT "changed"');
    const since = performance.now();
    // Four times as long as it takes to be told; nothing else shows that something does not happen.
    await eventually('writes went through for four seconds', async () => {
      await write();
      return performance.now() - since > 4_000;
    });
    await backup.query(flavor === 'mysql' ? 'UNLOCK INSTANCE' : 'BACKUP STAGE END');
    await changed;
    await Promise.all([backup.end(), waits.end()]);
    expect(told).toEqual([]);
  });
});
