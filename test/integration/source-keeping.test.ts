/** On MySQL a replica may choose another source by itself, and with it another vote: that is seen, and ended by the first change. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PreflightCheck } from '../../src/failover/preflight/preflight.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

const TABLE = 'performance_schema.replication_connection_configuration';
const acting = { user: 'acting', password: 'acting secret' };
let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0, replicas: 2, flavor: 'mysql' });
  await servers.primary.query(`CREATE USER '${acting.user}'@'%' IDENTIFIED BY '${acting.password}'`);
  await servers.primary.query(
    'GRANT SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, REPLICATION CLIENT, RELOAD ON *.* TO acting',
  );
  await servers.primary.query('GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ha_meta.* TO acting');
  await servers.waitForReplication();
});
afterAll(async () => {
  await servers?.close();
});

const start = async (mode: 'approve' | 'auto'): Promise<Cluster> =>
  await createCluster({
    mysql: servers.options().mysql ?? {},
    failover: {
      mode,
      credentials: acting,
      replication: servers.accounts.repl,
      maxLoss: 'any',
      leaseMs: 3_000,
      ...(mode === 'approve' ? { hooks: { approve: () => ({ veto: 'nobody is asked' }) } } : {}),
    },
  });
const checksOf = async (cluster: Cluster): Promise<readonly PreflightCheck[]> =>
  (await cluster.failover.preflight()).checks.filter(({ name }) => name === 'keeps-source');

test('it is seen with the privilege, keeps `auto` from starting, and ends with the first change', {
  timeout: 120_000,
}, async () => {
  const [first, second] = servers.replicas;
  if (first === undefined || second === undefined) throw new Error('not two replicas');
  await second.query('STOP REPLICA');
  await second.query('CHANGE REPLICATION SOURCE TO SOURCE_CONNECTION_AUTO_FAILOVER=1');
  await second.query('START REPLICA');
  await using cluster = await start('approve');
  const unseen = await checksOf(cluster);
  expect(unseen.map(({ result }) => result)).toEqual(['warn', 'warn', 'warn']);
  const grant = `GRANT SELECT ON ${TABLE} TO 'acting'@'%'`;
  expect(unseen[0]?.detail.split('; ')[1]).toBe(grant);
  await servers.primary.query(grant);
  await servers.waitForReplication();
  expect((await checksOf(cluster)).map(({ node, result }) => [node, result])).toEqual(
    servers.databases.map(({ id }) => [id, id === second.id ? 'fail' : 'pass']),
  );
  await expect(start('auto')).rejects.toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringContaining(`${second.id} changes its source by itself`),
  });
  expect(await cluster.failover.switchover({ to: first.id })).toMatchObject({ ok: true, left: [] });
  expect((await checksOf(cluster)).map(({ result }) => result)).toEqual(['pass', 'pass', 'pass']);
});
