/** A failover that somebody insists on while the old primary lives: it is closed before, or nothing is done, and no crash leaves it closed. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverHooks } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { AppFleet } from '../support/app-fleet.js';
import {
  type CrashPoint,
  crashInForcedFailover,
  everywhere,
  writableNodes,
} from '../support/crash-at-step.js';
import { CLIENT_DATABASES, ONE_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

/** Undone, undone with a replica that has forgotten its source, and finished. All steps: test/chaos. */
const POINTS: readonly CrashPoint[] = [
  { step: 'refuse-writes', phase: 'finished' },
  { step: 'forget-source', phase: 'finished' },
  { step: 'epoch', phase: 'finished' },
];

describe.each(CLIENT_DATABASES)('$name', ({ name, options }) => {
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

  async function manager(hooks: FailoverHooks, leaseMs = 2_000): Promise<Cluster> {
    const { admin, repl } = servers.accounts;
    return await createCluster({
      mysql: servers.options().mysql,
      failover: {
        mode: 'auto',
        automatic: false,
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        leaseMs,
        hooks,
      },
    });
  }

  async function failOver(hooks: FailoverHooks = {}): Promise<unknown> {
    open = await manager(hooks);
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

  const isMysql = options.flavor === 'mysql';
  const isLong = process.env['STORMLAMP_CLIENT_DATABASES'] !== undefined;
  const backup = isMysql ? ['LOCK INSTANCE FOR BACKUP'] : ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_DDL'];
  const locks: readonly (readonly [string, readonly string[], boolean])[] = [
    ['makes no tables, as during a backup, is closed with the note', backup, true],
    ['takes no writes of anybody is closed without one', ['FLUSH TABLES WITH READ LOCK'], false],
  ];
  // All of it takes long: of all servers where they are named.
  const isOne = name === ONE_CLIENT_DATABASE.name;
  const asked = isLong ? locks : locks.filter(([, , isNoted]) => isOne && !isNoted);
  test.each(asked)('an old primary that %s', { timeout: 180_000 }, async (_, statements, isNoted) => {
    const [old] = await writableNodes(servers);
    if (old === undefined) throw new Error('no node takes writes');
    const { user, password } = servers.accounts.admin;
    const holder = await createConnection({ host: '127.0.0.1', port: old.port, user, password });
    const salvaged: string[] = [];
    open = await manager({ salvage: ({ node }) => void salvaged.push(node) }, 1_200);
    try {
      await everywhere(servers, old);
      for (const sql of statements) await holder.query(sql);
      const result = await open.failover.failover({ force: true, acceptLoss: true });
      expect(result).toMatchObject({ ok: true });
      expect(salvaged).toEqual([old.id]);
      const notes = await old.query<{ op_id: string }>('SELECT op_id FROM ha_meta.closed');
      expect(notes.some(({ op_id }) => op_id === result.plan.opId)).toBe(isNoted);
      const [next, second] = await writableNodes(servers);
      if (next === undefined) throw new Error('no node takes writes');
      expect([next === old, second]).toEqual([false, undefined]);
      // What the manager itself writes is no reason that the old primary cannot follow.
      holder.destroy();
      expect(await open.failover.rejoin(old.id)).toMatchObject({ ok: true });
      // A plan made before it has the epoch would be another one under the locks.
      await everywhere(servers, next);
      expect(await open.failover.switchover({ to: old.id })).toMatchObject({ ok: true, left: [] });
    } finally {
      holder.destroy();
      await open.close();
    }
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
