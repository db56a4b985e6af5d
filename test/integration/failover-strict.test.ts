/** A MariaDB replica with transactions of its own under gtid_strict_mode, which executes nothing after them: whether it votes, and who is told. */
import { afterEach, describe, expect, test } from 'vitest';
import { createFailoverManager, type FailoverManager } from '../../src/failover/failover-manager.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 120_000 };

describe.each(CLIENT_DATABASES.filter(({ flavor }) => flavor === 'mariadb'))('$name', ({ options }) => {
  let servers: LocalCluster;
  let client: MysqlCluster;
  let manager: FailoverManager;

  async function start(): Promise<void> {
    const serverArgs = { mysql: ['--gtid-strict-mode=ON'] };
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
    await eventually('the primary is seen', async () => {
      if (manager.state.voted !== servers.primary.id) return false;
      const { from, loss } = await manager.plan('failover');
      return from === servers.primary.id && loss.seenAt !== null;
    });
    await stray().query('CREATE DATABASE errant');
  }
  afterEach(async () => {
    await manager?.close();
    await client?.close();
    await servers?.close();
  });

  const stray = (): LocalDatabaseNode => servers.replicas[0] ?? servers.primary;
  const clean = (): LocalDatabaseNode => servers.replicas[1] ?? servers.primary;

  async function isStuck(): Promise<boolean> {
    const [status] = await stray().query('SHOW SLAVE STATUS');
    return Number(status?.['Last_SQL_Errno']) === 1950;
  }
  const warningOf = (code: string): string | undefined =>
    client.topology().warnings.find((warning) => warning.code === code && warning.node === stray().id)
      ?.message;

  test('it votes for a new primary as long as it has received nothing since', TIMEOUT, async () => {
    await start();
    await servers.primary.kill();
    expect(await manager.failover({ force: true, acceptLoss: true })).toMatchObject({
      ok: true,
      left: [],
      plan: { to: clean().id },
    });
    expect(await writableNodes(servers)).toEqual([clean()]);
    await clean().query('CREATE DATABASE after_death');
    await eventually('it stops at what the new one writes', isStuck);
    await eventually('its vote is left', () => manager.state.voted === clean().id);
    await client.query('CREATE TABLE by_clients (id INT PRIMARY KEY)');
  });

  test(
    'when it has, nothing is failed over without its vote, which is told before; with what is named it votes',
    TIMEOUT,
    async () => {
      await start();
      await servers.primary.query('CREATE DATABASE after_it');
      await eventually('it is stuck', isStuck);
      await eventually(
        'the warning',
        () => warningOf('replication-stopped')?.includes('gtid_strict_mode') === true,
      );
      const { checks } = await manager.preflight();
      const [check] = checks.filter(({ name, result }) => name === 'can-vote' && result !== 'pass');
      expect(check).toMatchObject({
        node: stray().id,
        result: 'warn',
        detail: expect.stringContaining(
          '1 of 3 voters are left that can, and 2 are needed: no failover would be made',
        ),
      });
      await eventually(
        'the other one has it',
        async () => (await clean().query("SHOW DATABASES LIKE 'after_it'")).length > 0,
      );
      await servers.primary.kill();
      const refusal = await manager
        .failover({ force: true, acceptLoss: true })
        .catch((error: Error) => error);
      expect(refusal).toMatchObject({
        code: 'ERR_CHANGE_REFUSED',
        message: expect.stringContaining('Only 1 of 3 voters could vote'),
      });
      const remedy = check?.detail.match(/`[^`]*`/g) ?? [];
      expect(remedy).toHaveLength(2);
      for (const sql of remedy) {
        expect(String(refusal)).toContain(sql);
        await stray().query(sql.slice(1, -1));
      }
      await eventually(
        'it goes on',
        async () => !(await isStuck()) && (await stray().query("SHOW DATABASES LIKE 'after_it'")).length > 0,
      );
      expect(await manager.failover({ force: true, acceptLoss: true })).toMatchObject({
        ok: true,
        left: [],
        plan: { to: clean().id },
      });
      expect(await writableNodes(servers)).toEqual([clean()]);
    },
  );
});
