/** A failover that somebody insists on while the old primary lives: it is closed before, or nothing is done, and no crash leaves it closed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverHooks } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { AppFleet } from '../support/app-fleet.js';
import { type CrashPoint, crashInForcedFailover, writableNodes } from '../support/crash-at-step.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

/** Undone, undone with a replica that has forgotten its source, and finished. All steps: test/chaos. */
const POINTS: readonly CrashPoint[] = [
  { step: 'refuse-writes', phase: 'finished' },
  { step: 'forget-source', phase: 'finished' },
  { step: 'epoch', phase: 'finished' },
];

describe.each(CLIENT_DATABASES)('$name', ({ options }) => {
  let servers: LocalCluster;
  let fleet: AppFleet | undefined;
  let open: Cluster | undefined;
  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  }, 120_000);
  afterAll(async () => {
    await open?.close();
    await fleet?.close();
    await servers?.close();
  });

  async function failOver(hooks: FailoverHooks = {}): Promise<unknown> {
    const { admin, repl } = servers.accounts;
    open = await createCluster({
      mysql: servers.options().mysql,
      failover: {
        mode: 'auto',
        automatic: false,
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        leaseMs: 2_000,
        hooks,
      },
    });
    try {
      return await open.failover.failover({ force: true, acceptLoss: true });
    } finally {
      await open.close();
    }
  }

  test('the old primary answers and cannot be closed', { timeout: 180_000 }, async () => {
    const [old] = await writableNodes(servers);
    if (old === undefined) throw new Error('no node takes writes');
    await old.query('CREATE TABLE shop.locked (id INT PRIMARY KEY)');
    const holder = await createCluster({ mysql: servers.options().mysql });
    const connection = await holder.mysql.getConnection();
    try {
      await connection.query('LOCK TABLES locked WRITE');
      expect(await failOver()).toMatchObject({
        ok: false,
        at: `refuse-writes@${old.id}`,
        clusterState: 'undone',
      });
    } finally {
      await connection.query('UNLOCK TABLES').catch(() => undefined);
      connection.release();
      await holder.close();
    }
    await eventually('it takes writes as before', async () => {
      const writable = await writableNodes(servers);
      return writable.length === 1 && writable[0] === old;
    });
    expect(await old.query('SELECT * FROM ha_meta.closed')).toEqual([]);
    expect(await failOver({ fence: () => ({ state: 'unknown', detail: 'no answer' }) })).toMatchObject({
      ok: false,
      at: 'fence',
      clusterState: 'undone',
    });
    expect(await writableNodes(servers)).toEqual([old]);
  });

  test.each(POINTS)('the process is killed when $step has $phase', { timeout: 600_000 }, async (point) => {
    if (fleet === undefined) {
      fleet = await AppFleet.open(servers);
      const mysql = { blockMs: 60_000 };
      for (const name of ['a', 'b'])
        await fleet.start({ name, writers: 2, mysql, failover: { leaseMs: 3_000, host: name } });
      const apps = fleet;
      await eventually(
        'everybody writes',
        () => apps.operations().filter(({ outcome }) => outcome === 'acknowledged').length > 30,
        60_000,
      );
    }
    const result = await crashInForcedFailover(servers, fleet, point);
    console.log(JSON.stringify({ ...result, verdict: { ...result.verdict } }));
    expect(result).toMatchObject({ died: true });
    expect(result.verdict).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
  });
});
