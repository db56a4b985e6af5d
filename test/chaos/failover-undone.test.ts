/** A switchover that is given up in its last moment: whoever was to be the primary goes on where it was, and the old one takes writes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';

const chosen = process.env['STORMLAMP_CHAOS_SERVER'];
const SERVERS = DATABASES.filter(({ name }) => chosen === undefined || name.includes(chosen));

describe.each(SERVERS)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: Cluster;
  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    await servers.primary.query('CREATE TABLE shop.t (n INT PRIMARY KEY)');
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
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  test('the candidate receives again, with nothing missing, and nobody is held any more', {
    timeout: 120_000,
  }, async () => {
    const last = flavor === 'mysql' ? 'empty-relay-log' : 'stop-replication';
    const giveUp = new AbortController();
    const seen: string[] = [];
    cluster.failover.on('change-step', ({ step, phase }) => {
      seen.push(`${step.id.split('@')[0]} ${phase}`);
      if (step.id.startsWith(`${last}@`) && phase === 'finished') giveUp.abort(new Error('given up'));
    });
    await servers.primary.query('INSERT INTO shop.t VALUES (1)');
    const result = await cluster.failover.switchover({ signal: giveUp.signal });
    expect(result).toMatchObject({ ok: false, clusterState: 'undone' });
    expect(seen).toContain(`${last} finished`);
    expect(seen).not.toContain('forget-source started');
    if (flavor === 'mariadb') expect(seen).toContain('undo-hold-writes finished');
    expect(await writableNodes(servers)).toEqual([servers.primary]);
    // With all privileges: also on a MariaDB it would wait while others are held.
    await servers.primary.query('INSERT INTO shop.t VALUES (2)');
    await servers.waitForReplication();
    for (const node of servers.replicas) {
      const [status] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
      expect(status).toMatchObject({ Slave_IO_Running: 'Yes', Slave_SQL_Running: 'Yes' });
      expect(await node.query('SELECT COUNT(*) AS n FROM shop.t')).toEqual([{ n: 2 }]);
    }
  });
});
