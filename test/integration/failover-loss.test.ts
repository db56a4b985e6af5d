/** What a plan says of its loss with semi-synchronous replication, on real servers: proven only when it is. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFailoverManager, type FailoverManager } from '../../src/failover/failover-manager.js';
import type { ExpectedLoss } from '../../src/failover/plan/failover-plan.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import type { Observation } from '../../src/topology/node-description.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const isLong = process.env['STORMLAMP_CLIENT_DATABASES'] !== undefined;
const TIMEOUT = { timeout: 120_000 };

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  const [source, replica] = flavor === 'mysql' ? ['source', 'replica'] : ['master', 'slave'];
  let servers: LocalCluster;
  let client: MysqlCluster;
  let manager: FailoverManager;
  let seen: Observation | undefined;

  beforeAll(async () => {
    const plugins = ['--plugin-load-add=semisync_source.so', '--plugin-load-add=semisync_replica.so'];
    const mysql = [
      ...(flavor === 'mysql' ? plugins : []),
      `--loose-rpl-semi-sync-${replica}-enabled=1`,
      `--loose-rpl-semi-sync-${source}-wait-point=AFTER_SYNC`,
      `--loose-rpl-semi-sync-${source}-timeout=600000`,
    ];
    servers = await startLocalCluster({ ...options, php: false, memcached: 0, serverArgs: { mysql } });
    // One that was started after the primary was last seen may have dropped what it acknowledged.
    for (const each of servers.replicas)
      await eventually('it has been up for longer than the primary is silent here', async () => {
        const [uptime] = await each.query("SHOW GLOBAL STATUS LIKE 'Uptime'");
        return Number(uptime?.['Value']) > 10;
      });
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${source}_enabled=1`);
    client = await createMysqlCluster(servers.options().mysql);
    const ports = client.failoverPorts();
    ports.watcher.on('node-observed', (look) => {
      if (look.node === servers.primary.id && look.ok) seen = look;
    });
    manager = createFailoverManager({
      ...ports,
      mode: 'approve',
      automatic: false,
      leaseMs: 1_500,
      hooks: { approve: () => ({ veto: 'nobody is asked' }) },
      credentials: servers.accounts.admin,
      replication: servers.accounts.repl,
    });
  });
  afterAll(async () => {
    await manager?.close();
    await client?.close();
    await servers?.close();
  });

  /** The loss of the plan that is made when the primary is silent, once `is` is true of it. */
  async function lossWhenSilent(
    timeoutMs: number,
    is: (loss: ExpectedLoss) => boolean,
  ): Promise<ExpectedLoss> {
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${source}_timeout=${timeoutMs}`);
    await servers.primary.query('CREATE TABLE IF NOT EXISTS shop.noted (id INT)');
    await eventually('it was seen like that', () => {
      const semiSync = seen?.ok === true ? seen.facts.semiSync : undefined;
      return semiSync?.timeoutMs === timeoutMs && semiSync.acknowledgers === 2 && semiSync.waiting === 0;
    });
    await servers.primary.pause();
    try {
      return await eventually('it is told', async () => {
        const plan = await manager.plan('failover').catch((error: Error) => {
          // A node that has just been frozen is still the candidate, and says nothing any more: it is to be planned again.
          if (/could not be read .*plan it again/s.test(error.message)) return undefined;
          throw error;
        });
        return plan !== undefined && is(plan.loss) && plan.loss;
      });
    } finally {
      await servers.primary.resume();
    }
  }

  test('both replicas are there, and the plugin waits for long: nothing is lost', TIMEOUT, async () => {
    expect(await lossWhenSilent(600_000, ({ unseenMs }) => unseenMs > 4_000)).toMatchObject({
      known: true,
      transactions: 0,
    });
  });

  test('the plugin may have given up since it was last seen', TIMEOUT, async () => {
    expect(await lossWhenSilent(3_000, ({ unseenMs }) => unseenMs > 4_000)).toMatchObject({
      known: false,
      transactions: 0,
      why: expect.stringContaining('waits 3000 ms, and may have given up unseen'),
    });
  });

  test('it waits for connected replicas only: then it acknowledged what no replica has', async () => {
    const { primary, replicas } = servers;
    const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    const setting = `rpl_semi_sync_${source}_wait_no_${replica}`;
    await primary.query(`SET GLOBAL ${setting}=0`);
    try {
      const semiSync = await eventually('it was seen like that', () => {
        const facts = seen?.ok === true ? seen.facts.semiSync : undefined;
        return facts?.waitsAlone === false && facts.acknowledgers === 2 && facts;
      });
      expect(semiSync).toMatchObject({ active: true, afterSync: true });
      const { loss } = await manager.plan('failover');
      expect(loss).toMatchObject({ known: false, why: expect.stringContaining('wait_no_slave=OFF') });
      const { checks } = await manager.preflight();
      const names = new Set(checks.map(({ name }) => name));
      expect(['clocks-agree', 'own-clock', 'restarts-closed'].filter((name) => !names.has(name))).toEqual([]);
      const named = checks.filter(({ name, result }) => name === 'waits-alone' && result !== 'pass');
      expect(named).toMatchObject([
        { node: primary.id, detail: expect.stringContaining(`SET GLOBAL ${setting}=1`) },
      ]);
      if (!isLong) return;
      // Its timeout is ten minutes.
      for (const each of replicas) await each.query(`STOP ${word} IO_THREAD`);
      await primary.query('CREATE TABLE shop.alone (id INT)');
    } finally {
      await primary.query(`SET GLOBAL ${setting}=1`);
      for (const each of isLong ? replicas : []) await each.query(`START ${word} IO_THREAD`);
    }
  });

  test('a replica that may have acknowledged is silent, too', TIMEOUT, async () => {
    const [, silent] = servers.replicas;
    if (silent === undefined) throw new Error('two replicas are needed');
    try {
      const loss = lossWhenSilent(600_000, ({ known }) => !known);
      await eventually('the primary is frozen', () => manager.state.failure !== null);
      await silent.pause();
      expect((await loss).why).toContain(`${silent.id} may have acknowledged what no node that answers has`);
    } finally {
      await silent.resume();
    }
  });
});
