/** Failovers beside a replica that has transactions of its own: it is not taken, and who has looked decides about what is given up. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFailoverManager, type FailoverManager } from '../../src/failover/failover-manager.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 120_000 };

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let client: MysqlCluster;
  let manager: FailoverManager;

  beforeAll(async () => {
    // As by default: a strict replica stops at the next event, and its vote is lost with that.
    const serverArgs = { mysql: ['--loose-gtid-strict-mode=0'] };
    servers = await startLocalCluster({ ...options, php: false, memcached: 0, serverArgs });
    client = await createMysqlCluster(servers.options().mysql);
    manager = createFailoverManager({
      ...client.failoverPorts(),
      mode: 'approve',
      automatic: false,
      leaseMs: 1_200,
      hooks: { approve: () => ({ veto: 'nobody is asked' }) },
      credentials: servers.accounts.admin,
      replication: servers.accounts.repl,
    });
    await seen(servers.primary);
    // As an administrator's ANALYZE TABLE, or a cron job of his, would write there.
    await past(stray(), () => stray().query('CREATE DATABASE errant'));
  }, 120_000);
  afterAll(async () => {
    await manager?.close();
    await client?.close();
    await servers?.close();
  });

  /** What the primary had is remembered once it is looked at; who has seen nothing of it cannot tell. */
  async function seen(primary: LocalDatabaseNode): Promise<void> {
    await eventually('the primary is seen', async () => {
      if (manager.state.voted !== primary.id) return false;
      const { from, loss } = await manager.plan('failover');
      return from === primary.id && loss.seenAt !== null;
    });
  }

  const stray = (): LocalDatabaseNode => servers.replicas[0] ?? servers.primary;
  const clean = (): LocalDatabaseNode => servers.replicas[1] ?? servers.primary;

  /** Does what the server lets nobody do who is not its administrator. */
  async function past(node: LocalDatabaseNode, work: () => Promise<unknown>): Promise<void> {
    if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only=0');
    await work();
    if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only=1');
  }

  async function hasTable(node: LocalDatabaseNode, schema: string, table: string): Promise<boolean> {
    const sql = `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='${schema}' AND TABLE_NAME='${table}'`;
    return (await node.query(sql)).length > 0;
  }

  async function wrote(on: LocalDatabaseNode, table: string, reaches: LocalDatabaseNode): Promise<void> {
    await on.query(`CREATE TABLE shop.${table} (id INT PRIMARY KEY)`);
    await eventually(`${table} is on the other one`, () => hasTable(reaches, 'shop', table));
  }

  test(
    'every process leaves it out of reads, also one that only follows, unless its options name it',
    TIMEOUT,
    async () => {
      const { mysql } = servers.options();
      const stands = (cluster: MysqlCluster): { fit: boolean; reason: string } | undefined =>
        cluster.explain('SELECT 1').considered.find(({ node }) => node === stray().id);
      await using follower = await createMysqlCluster(mysql);
      await using allowing = await createMysqlCluster({ ...mysql, reads: { errantReplicas: [stray().id] } });
      await eventually(
        'it is left out',
        () => stands(follower)?.reason.startsWith('it has transactions that its primary lacks (') === true,
      );
      await eventually('the other one has found it, too', () =>
        allowing.topology().warnings.some(({ code }) => code === 'errant-transactions'),
      );
      expect([stands(follower)?.fit, stands(allowing)?.fit]).toEqual([false, true]);
    },
  );

  test('the one that has nothing of its own takes over, and the other one follows it', TIMEOUT, async () => {
    await wrote(servers.primary, 'before_death', clean());
    await servers.primary.kill();
    const { plan, ...result } = await manager.failover({ force: true, acceptLoss: true });
    expect(result.ok ? '' : `${result.at}: ${result.error.message}`).toBe('');
    expect(plan).toMatchObject({
      to: clean().id,
      excluded: [{ node: stray().id, why: expect.stringContaining('it has transactions of its own (') }],
      warnings: expect.arrayContaining([expect.stringContaining('of its own, which no primary wrote')]),
    });
    expect(await writableNodes(servers)).toEqual([clean()]);
    await wrote(clean(), 'after_death', stray());
    expect(await clean().query("SHOW DATABASES LIKE 'errant'")).toEqual([]);
  });

  test('where it has, besides, what the other one lacks, a person decides', TIMEOUT, async () => {
    const old = servers.primary;
    await old.start();
    await eventually('the new primary is seen', () => manager.state.voted === clean().id);
    expect(await manager.rejoin(old.id)).toMatchObject({ ok: true });
    await eventually('it has caught up', () => hasTable(old, 'shop', 'after_death'));
    await seen(clean());
    await askInOldWords(old, flavor, 'STOP SLAVE IO_THREAD');
    await wrote(clean(), 'given_up', stray());
    await clean().kill();
    await expect(manager.failover({ force: true, acceptLoss: true })).rejects.toThrow(
      `failover({ to: '${old.id}', acceptLoss: true }) makes ${old.id} the primary without what it lacks`,
    );
    const forced = await manager.failover({ to: old.id, force: true, acceptLoss: true });
    expect(forced).toMatchObject({ ok: true, plan: { to: old.id, loss: { known: false } } });
    expect(forced.plan.loss.transactions).toBeGreaterThanOrEqual(1);
    expect(await hasTable(old, 'shop', 'given_up')).toBe(false);
    expect(await writableNodes(servers)).toEqual([old]);
  });
});
