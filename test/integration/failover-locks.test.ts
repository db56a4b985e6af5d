/** Named locks on real servers: who holds a majority, and what frees it. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkAutomaticRight } from '../../src/failover/change/change-rights.js';
import { assertClosed } from '../../src/failover/change/compare-nodes.js';
import { MajorityLock, type MajorityLockOptions } from '../../src/failover/locks/majority-lock.js';
import type { SentStatement } from '../../src/failover/locks/statement-log.js';
import { MetaStore } from '../../src/failover/meta/meta-store.js';
import { lockName } from '../../src/failover/protocol/lock-name.js';
import { type Voter, votersOf } from '../../src/failover/voters.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { createConnectionFactory } from '../../src/mysql/connection-factory.js';
import { forAdministration, parseMysqlNode } from '../../src/mysql/connection-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const LOCK = lockName('test', 'change');
let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});

function options(more: Partial<MajorityLockOptions> = {}): MajorityLockOptions {
  const targets = servers.databases.map((node) => {
    const config = parseMysqlNode('node', `mysql://${node.id}`, 'any');
    const factory = createConnectionFactory(forAdministration(config, servers.accounts.monitor));
    return { voter: node.id, connect: factory.connect };
  });
  return { targets, locks: [LOCK], ...more };
}

/** The locks on all voters; undefined when one of them is not to be had. */
async function takeAll(locks: readonly string[] = [LOCK]): Promise<MajorityLock | undefined> {
  const taken = await MajorityLock.take(options({ locks })).catch(() => undefined);
  if (taken === undefined || taken.sessions.size === servers.databases.length) return taken;
  await taken.release();
  return undefined;
}

test('one holds all voters, a second one is told who is missing and holds nothing', async () => {
  const first = await MajorityLock.take(options());
  expect(first.held).toBe(true);
  expect(first.sessions.size).toBe(3);
  const second = await MajorityLock.take(options()).catch((error: unknown) => error);
  expect(second).toMatchObject({ code: 'ERR_NO_MAJORITY' });
  for (const node of servers.databases) expect((second as Error).message).toContain(node.id);
  await first.release();
  expect(first.held).toBe(false);
  const third = await MajorityLock.take(options());
  await third.release();
});

test('a majority is enough, and less is a loss that is told', async () => {
  const [one, two] = servers.replicas;
  if (one === undefined || two === undefined) throw new Error('two replicas are needed');
  const lock = await MajorityLock.take(options({ waitTimeoutS: 2, timeoutMs: 500 }));
  const lost = new Promise<Error>((resolve) => lock.onLost(resolve));
  await one.pause();
  await eventually('the paused voter is given up', () => !lock.sessions.has(one.id));
  expect(lock.held).toBe(true);
  await two.pause();
  expect(await lost).toMatchObject({ code: 'ERR_NO_MAJORITY' });
  expect(lock.held).toBe(false);
  await Promise.all([one.resume(), two.resume()]);
  // A server that was frozen frees the locks of the session that was given up meanwhile.
  const next = await eventually('all can be locked again', () => takeAll());
  await next.release();
});

test('a holder that sends nothing any more loses its locks by itself, and cannot execute afterwards', async () => {
  const log: SentStatement[] = [];
  const lock = await MajorityLock.take(options({ waitTimeoutS: 1, onStatement: (sent) => log.push(sent) }));
  const [session] = lock.sessions.values();
  if (session === undefined) throw new Error('a session is needed');
  // The process stalls, timers and all.
  const until = performance.now() + 1_600;
  while (performance.now() < until);
  expect(session.aliveUntil).toBeLessThan(performance.now());
  expect(lock.held).toBe(false);
  const other = await eventually('somebody else gets the locks', () =>
    MajorityLock.take(options()).catch(() => undefined),
  );
  await expect(session.ask('DO 1')).rejects.toThrow();
  expect(log.some(({ sql }) => sql.includes('GET_LOCK'))).toBe(true);
  await other.release();
});

test('a statement that takes longer than the servers keep silent sessions costs no lock', async () => {
  const lock = await MajorityLock.take(options({ waitTimeoutS: 1 }));
  let lost = 0;
  lock.onLost(() => {
    lost += 1;
  });
  await Promise.all([...lock.sessions.values()].map((session) => session.ask('SELECT SLEEP(2.5)', 10_000)));
  expect(lost).toBe(0);
  expect(await lock.renew()).toBe(true);
  await lock.release();
});

test('a node that was made to take writes between the look and the lock is found', async () => {
  const [replica] = servers.replicas;
  const lock = await MajorityLock.take(options());
  const session = lock.sessions.get(replica?.id ?? '');
  await assertClosed(session, 1_000);
  await replica?.query('SET GLOBAL read_only=0');
  await expect(assertClosed(session, 1_000)).rejects.toMatchObject({ code: 'ERR_CHANGE_REFUSED' });
  await replica?.query('SET GLOBAL read_only=1');
  await lock.release();
});

/** A manager that acts when it is asked, on all three servers. */
async function openManager(leaseMs: number): Promise<Cluster> {
  const { admin, repl } = servers.accounts;
  const failover = { mode: 'auto', maxLoss: 'any', credentials: admin, replication: repl } as const;
  return await createCluster({
    mysql: servers.options().mysql,
    failover: { ...failover, cluster: 'test', automatic: false, leaseMs },
  });
}

test('who asks for a plan while the locks of a change are given back waits for that', async () => {
  const cluster = await openManager(5_000);
  try {
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    const lock = await eventually('all can be locked', () => takeAll([LOCK, lockName('test', 'promote')]));
    await nobodyMayWrite(cluster);
    const asked = cluster.failover.plan('switchover');
    await lock.release();
    expect(await asked).toMatchObject({ from: servers.primary.id });
  } finally {
    await cluster.close();
  }
});

/** Whether a failover would be made by itself, by what the nodes of the cluster `test` remember. */
function automaticRight(): {
  readonly meta: MetaStore;
  readonly primary: Voter;
  right(blockMs?: number, from?: string): Promise<string>;
  becomes(what: string): Promise<void>;
} {
  const { admin, monitor } = servers.accounts;
  const voters = votersOf({
    nodes: servers.databases.map((node) => parseMysqlNode('node', `mysql://${node.id}`, 'any')),
    witnesses: [],
    watchAs: monitor,
    actAs: admin,
    addresses: {},
  });
  const meta = new MetaStore('test');
  const [primary] = voters.filter(({ id }) => id === servers.primary.id);
  if (primary === undefined) throw new Error('the primary is a voter');
  const right = (blockMs = 600_000, from = primary.id): Promise<string> =>
    checkAutomaticRight(meta, voters, blockMs, from).then(
      () => 'granted',
      (error: Error) => error.message,
    );
  const becomes = async (what: string): Promise<void> => {
    await eventually(`the right is ${what}`, async () => new RegExp(what).test(await right()));
  };
  return { meta, primary, right, becomes };
}

/** Resolves when nobody may write, because another change holds the locks. */
async function nobodyMayWrite({ failover }: Cluster): Promise<void> {
  await eventually('nobody has the right to write', () =>
    failover.pause({ ttlMs: 1, reason: 'a question' }).then(
      () => false,
      (error: { code?: string }) => error.code === 'ERR_NO_PRIMARY',
    ),
  );
}

test('no second automatic failover before somebody has looked at the first, and none in a pause', async () => {
  const cluster = await openManager(3_000);
  try {
    const { meta, primary, right, becomes } = automaticRight();
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    await becomes('granted');

    const done = { opId: 'first', kind: 'failover', from: 'db9:3306', to: primary.id, actor: 'a test' };
    await meta.prepare(primary);
    await meta.begin(primary, done);
    // Its process may have died. Who fails over from the same node goes on with it.
    await becomes('first from db9:3306 .* nobody has looked at it');
    expect(await right(600_000, 'db9:3306')).toBe('granted');
    await meta.end(primary, 'first', 'done', '');
    await becomes("first from db9:3306 .* nobody has looked at it.*acknowledge\\('first', name\\)");
    // Once the time is over nobody has to have looked.
    await eventually('the block ends', async () => (await right(1)) === 'granted');
    await expect(cluster.failover.acknowledge('second', 'alice')).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    expect(await right()).not.toBe('granted');
    await cluster.failover.acknowledge('first', 'alice');
    await becomes('granted');
    expect(await cluster.failover.history()).toContainEqual(
      expect.objectContaining({ kind: 'change-acknowledged', opId: 'first' }),
    );

    const pause = await cluster.failover.pause({ ttlMs: 3_600_000, reason: 'new disks' });
    await becomes('paused: new disks');
    const shorter = await cluster.failover.pause({ ttlMs: 60_000, reason: 'deploy' });
    await becomes('paused: new disks .*, and 1 more');
    await shorter[Symbol.asyncDispose]();
    await becomes('paused: new disks [^,]*\\. Call failover\\(\\) to make this one, or resume\\(\\)');
    await pause[Symbol.asyncDispose]();
    await becomes('granted');
    // A pause that nobody ends is over by itself.
    await cluster.failover.pause({ ttlMs: 1, reason: 'forgotten' });
    await becomes('granted');
  } finally {
    await cluster.close();
  }
});

test('what an operator says while there is no primary holds until there is one, and is written on that', async () => {
  const cluster = await openManager(3_000);
  try {
    const { meta, primary, right, becomes } = automaticRight();
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    const opId = 'before';
    await meta.prepare(primary);
    await meta.begin(primary, { opId, kind: 'failover', from: 'db9:3306', to: primary.id, actor: 'a test' });
    await meta.end(primary, opId, 'done', '');
    const { id } = await cluster.failover.pause({ ttlMs: 3_600_000, reason: 'new disks' });
    await servers.waitForReplication();

    const lock = await eventually('all can be locked', () => takeAll([LOCK, lockName('test', 'promote')]));
    await nobodyMayWrite(cluster);
    await expect(cluster.failover.acknowledge('nothing', 'bob')).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    expect(await cluster.failover.resume('nothing')).toBe(false);
    const resumed = cluster.failover.resume(id);
    await becomes(`before from db9:3306`);
    const acknowledged = cluster.failover.acknowledge(opId, 'alice');
    await becomes('granted');
    const row = `SELECT acknowledged_by AS who FROM ha_meta.operation WHERE op_id='${opId}'`;
    expect(await servers.primary.query(row)).toEqual([{ who: null }]);
    await lock.release();
    await acknowledged;
    expect(await resumed).toBe(true);
    expect(await servers.primary.query(row)).toEqual([{ who: 'alice' }]);
    expect(await right()).toBe('granted');
  } finally {
    await cluster.close();
  }
});

test('an order whose row somebody else has locked goes on standing until it is written', async () => {
  const cluster = await openManager(3_000);
  const { admin } = servers.accounts;
  const { realPort: port } = servers.primary;
  const holder = await createConnection({ host: '127.0.0.1', port, ...admin });
  try {
    const { meta, primary, becomes } = automaticRight();
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    const opId = 'locked';
    await meta.prepare(primary);
    await meta.begin(primary, { opId, kind: 'failover', from: 'db9:3306', to: primary.id, actor: 'a test' });
    await meta.end(primary, opId, 'done', '');
    await servers.waitForReplication();
    await servers.primary.query('SET GLOBAL innodb_lock_wait_timeout=1');
    await holder.query('START TRANSACTION');
    await holder.query('SELECT * FROM ha_meta.operation FOR UPDATE');
    const acknowledged = cluster.failover.acknowledge(opId, 'alice');
    await becomes('granted');
    await holder.query('ROLLBACK');
    await acknowledged;
    const row = `SELECT acknowledged_by AS who FROM ha_meta.operation WHERE op_id='${opId}'`;
    expect(await servers.primary.query(row)).toEqual([{ who: 'alice' }]);
  } finally {
    holder.destroy();
    await servers.primary.query('SET GLOBAL innodb_lock_wait_timeout=50');
    await cluster.close();
  }
});

test('an order that is given the moment after the primary died stands until it is back', async () => {
  const cluster = await openManager(5_000);
  const [replica] = servers.replicas;
  try {
    const { meta, primary } = automaticRight();
    await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
    const opId = 'dead';
    await meta.prepare(primary);
    await meta.begin(primary, { opId, kind: 'failover', from: 'db9:3306', to: primary.id, actor: 'a test' });
    await meta.end(primary, opId, 'done', '');
    const { id } = await cluster.failover.pause({ ttlMs: 3_600_000, reason: 'new disks' });
    await servers.waitForReplication();
    await servers.primary.kill();
    // The lease still names it.
    const given = Promise.all([cluster.failover.acknowledge(opId, 'alice'), cluster.failover.resume(id)]);
    given.catch(() => undefined);
    await eventually('both stand', async () => {
      const sql = `SELECT IS_USED_LOCK('ha1:order:acknowledge:${opId}') IS NOT NULL AND IS_USED_LOCK('ha1:order:resume:${id}') IS NOT NULL AS stand`;
      const [row] = (await replica?.query(sql)) ?? [];
      return Number(row?.['stand']) === 1;
    });
    await servers.primary.start();
    expect(await given).toEqual([undefined, true]);
    const row = `SELECT acknowledged_by AS who FROM ha_meta.operation WHERE op_id='${opId}'`;
    expect(await servers.primary.query(row)).toEqual([{ who: 'alice' }]);
    expect(await servers.primary.query(`SELECT id FROM ha_meta.pauses WHERE id='${id}'`)).toEqual([]);
  } finally {
    await servers.primary.start();
    await cluster.close();
  }
});
