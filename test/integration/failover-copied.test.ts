/** A MariaDB server that was made by a copy, and does not name who was the primary before: it counts as what it is. */
import { expect, test } from 'vitest';
import { createFailoverManager } from '../../src/failover/failover-manager.js';
import { createMysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { eventually } from './eventually.js';

async function wrote(on: LocalDatabaseNode, table: string, reaches: LocalDatabaseNode): Promise<void> {
  await on.query(`CREATE TABLE shop.${table} (id INT PRIMARY KEY)`);
  const sql = `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='shop' AND TABLE_NAME='${table}'`;
  await eventually(`${table} is on the other one`, async () => (await reaches.query(sql)).length > 0);
}

test('it takes over where it has the most, and others follow it', { timeout: 120_000 }, async () => {
  await using servers = await startLocalCluster({ php: false, memcached: 0 });
  const old = servers.primary;
  const [next, copy] = servers.replicas;
  if (next === undefined || copy === undefined) throw new Error('two replicas are needed');
  const client = await createMysqlCluster(servers.options().mysql);
  const manager = createFailoverManager({
    ...client.failoverPorts(),
    mode: 'approve',
    automatic: false,
    leaseMs: 1_200,
    hooks: { approve: () => ({ veto: 'nobody is asked' }) },
    credentials: servers.accounts.admin,
    replication: servers.accounts.repl,
  });
  try {
    await eventually('the primary is seen', () => manager.state.voted === old.id);
    expect(await manager.switchover({ to: next.id })).toMatchObject({ ok: true });
    await eventually('the new primary is seen', () => manager.state.voted === next.id);
    await wrote(next, 'after_change', copy);
    // As mariadb-backup and a dump with a position leave it: it has the data and the position, and its log is empty.
    for (const sql of ['STOP SLAVE', 'RESET MASTER', 'START SLAVE']) await copy.query(sql);
    const [state] = await copy.query<{ log: string; position: string }>(
      'SELECT @@GLOBAL.gtid_binlog_state AS log, @@GLOBAL.gtid_slave_pos AS position',
    );
    expect(state).toEqual({ log: '', position: expect.stringMatching(/^0-\d+-\d+$/) });
    const { checks } = await manager.preflight();
    const warned = checks.filter(({ name, result }) => name === 'names-history' && result !== 'pass');
    expect(warned).toMatchObject([{ node: copy.id, result: 'warn' }]);

    // Who stands where its log begins, or before, finds that place in no log of it.
    await wrote(next, 'since_copy', copy);
    await wrote(next, 'on_all', old);
    await old.query('STOP SLAVE IO_THREAD');
    await wrote(next, 'only_on_copy', copy);
    await eventually('it was seen', async () => (await manager.plan('failover')).to === copy.id);
    await next.kill();
    const made = await manager.failover({ force: true, acceptLoss: true });
    expect(made).toMatchObject({ ok: true, plan: { to: copy.id, loss: { transactions: 0 } } });
    expect(await writableNodes(servers)).toEqual([copy]);
    const done = (await manager.history(20)).find(
      ({ opId, kind }) => opId === made.plan.opId && kind === 'change-done',
    );
    const received = { received: expect.stringMatching(/^\d+-\d+-\d+/), acknowledges: false };
    expect(done?.frozen).toEqual({
      replicas: { [copy.id]: received, [old.id]: received },
      commitWaits: null,
    });
    await wrote(copy, 'after_copy', old);
  } finally {
    await manager.close();
    await client.close();
  }
});
