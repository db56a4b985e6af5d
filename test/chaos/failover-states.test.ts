/** What the failover manager makes of servers in a bad state: locks, full houses, broken replicas, lost logs, wrong accounts. */
import { spawn } from 'node:child_process';
import { cpSync, renameSync } from 'node:fs';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, describe, expect } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import { frozenIn } from '../../src/failover/plan/frozen-replicas.js';
import { isWithin, NO_TRANSACTIONS, readTransactions } from '../../src/failover/survey/transaction-set.js';
import type { LocalDatabaseNode } from '../../src/testing/index.js';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { lawlessWriter } from '../support/handover.js';
import { inWordsOf } from '../support/replication-words.js';
import { scenario } from '../support/scenarios.js';
import { SmallDisk } from '../support/small-disk.js';

/** So that a restart is no reason for a failover. */
const PATIENT = { detector: { downAfterMs: 120_000 } };

interface Told {
  readonly to: string;
  readonly excluded: readonly { readonly node: string; readonly why: string }[];
}

/** A session of the administrator on a server itself. */
async function sessionOn(world: World, node: LocalDatabaseNode): Promise<Connection> {
  const { admin } = world.servers.accounts;
  return await createConnection({ host: '127.0.0.1', port: node.realPort, database: 'shop', ...admin });
}

async function unlogged(
  world: World,
  node: LocalDatabaseNode,
  ...statements: readonly string[]
): Promise<void> {
  const session = await sessionOn(world, node);
  const open = world.servers.flavor === 'mysql' ? ['SET GLOBAL super_read_only=0'] : [];
  for (const sql of [...open, 'SET SESSION sql_log_bin=0', ...statements])
    await session.query(inWordsOf(world.servers.flavor, sql));
  await session.end();
}

/** The two replicas. */
function pair(world: World): readonly [LocalDatabaseNode, LocalDatabaseNode] {
  const [one, other] = world.servers.replicas;
  if (one === undefined || other === undefined) throw new Error('two replicas are needed');
  return [one, other];
}

async function writesGoOn(world: World): Promise<void> {
  const at = now();
  await world.until('writes go on', () => world.acknowledgedAfter(at) > 10);
}

/** What the elected process takes for wrong. */
async function failureOf(world: World): Promise<string | null> {
  return (await world.leader().ask<{ failure: string | null }>('state')).failure;
}

/** Ends the sessions of an account. */
async function killSessions(node: LocalDatabaseNode, user: string): Promise<void> {
  const sessions = `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER='${user}'`;
  for (const { id } of await node.query<{ id: number }>(sessions))
    await node.query(`KILL ${id}`).catch(() => undefined);
}

/** When a write was last acknowledged. */
function lastWrite(world: World): number {
  return Math.max(
    ...world.fleet
      .operations()
      .filter(({ outcome }) => outcome === 'acknowledged')
      .map(({ ended = 0 }) => ended),
  );
}

let disk: SmallDisk | undefined;
afterAll(() => disk?.unmount());

describe('a primary that lives', () => {
  scenario('27 no connection is left on the primary', {}, async (world) => {
    const since = now();
    const { app } = world.servers.accounts;
    // The monitors' sessions are there already: only who has to log in anew meets it.
    const kept = await sessionOn(world, world.first);
    await world.first.query('SET GLOBAL max_connections=10');
    const taken: Connection[] = [];
    for (let full = false; !full; ) {
      await createConnection({ host: '127.0.0.1', port: world.first.realPort, ...app }).then(
        (connection) => taken.push(connection),
        ({ errno }) => {
          expect(errno).toBe(1040);
          full = true;
        },
      );
    }
    await world.until('it is told as overloaded', async () => {
      await killSessions(world.first, world.servers.accounts.monitor.user);
      return (await failureOf(world)) === 'overloaded';
    });
    await world.noFailover(since, 8_000);
    // Who is there, and the one administrator more that a server lets in, still work.
    await kept.query('DO 1');
    await world.until('an administrator logs in', async () => {
      const session = await sessionOn(world, world.first).catch(() => undefined);
      await session?.end();
      return session !== undefined;
    });
    await world.first.query('SET GLOBAL max_connections=200');
    for (const connection of [kept, ...taken]) connection.destroy();
    await world.until('nothing is wrong any more', async () => (await failureOf(world)) === null);
    await writesGoOn(world);
    expect(await writableNodes(world.servers)).toEqual([world.first]);
    await world.finish();
  });

  scenario('29 a table is locked: the switchover is undone', {}, async (world) => {
    const session = await sessionOn(world, world.first);
    await session.query('LOCK TABLES ledger WRITE');
    const result = await world
      .leader()
      .ask<ChangeResult>('switchover')
      .catch(() => ({ ok: false }));
    expect(result).toMatchObject({ ok: false });
    await session.end();
    await writesGoOn(world);
    expect(await writableNodes(world.servers)).toEqual([world.first]);
    await world.finish();
  });

  scenario('39 no replica acknowledges any more, semi-synchronous', { semiSync: true }, async (world) => {
    const since = now();
    const cut = world.first.faults.partition({ only: 'replication' });
    await world.noFailover(since, 8_000);
    const seen = await world.until('it is told', async () => (await failureOf(world)) ?? undefined);
    expect(['locked-semisync', 'all-replicas-broken']).toContain(seen);
    expect(await writableNodes(world.servers)).toEqual([world.first]);
    cut.heal();
    await writesGoOn(world);
    await world.finish();
    return { seen };
  });

  scenario('41 the disk of the primary is slow', {}, async (world) => {
    const since = now();
    const slow = ['-f', '-q', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'];
    const inject = ['-e', 'inject=fsync,fdatasync:delay_enter=800000', '-p', String(world.first.pid)];
    const strace = spawn('strace', [...slow, ...inject], { stdio: 'ignore' });
    await world.noFailover(since, 10_000);
    expect(strace.exitCode).toBeNull();
    strace.kill('SIGTERM');
    await writesGoOn(world);
    await world.finish();
  });

  scenario(
    '41b the disk of the primary is full',
    {
      prepare: async ({ primary }) => {
        disk = await SmallDisk.under(primary);
      },
    },
    async (world) => {
      try {
        const since = now();
        disk?.fill();
        await world.until('nothing is written any more', () => now() - lastWrite(world) > 3_000);
        const failure = await failureOf(world);
        await world.noFailover(since, 15_000);
        const asked = await world
          .leader()
          .ask<ChangeResult>('switchover')
          .catch((error: unknown) => ({ ok: false, error: String(error) }));
        expect(asked).toMatchObject({ ok: false });
        const freedAt = now();
        disk?.free();
        await writesGoOn(world);
        expect(await writableNodes(world.servers)).toEqual([world.first]);
        const writesAfterMs = Math.round(lastWrite(world) - freedAt);
        await world.finish();
        return { failure, switchover: asked, writesAfterMs };
      } finally {
        disk?.unmount();
      }
    },
  );

  for (const [number, what, shut, open] of [
    [
      '44',
      'has another password',
      "IDENTIFIED BY 'changed'",
      (password: string) => `IDENTIFIED BY '${password}'`,
    ],
    ['44b', 'is locked', 'ACCOUNT LOCK', () => 'ACCOUNT UNLOCK'],
  ] as const)
    scenario(`${number} the account of the monitor ${what} on the primary only`, {}, async (world) => {
      const since = now();
      const { user, password } = world.servers.accounts.monitor;
      await unlogged(world, world.first, `ALTER USER '${user}'@'%' ${shut}`);
      await killSessions(world.first, user);
      await world.until('it is known to live, and to refuse the monitor', async () => {
        const { nodes } = await world
          .leader()
          .ask<{ nodes: { node: string; suspicion: string; because: string }[] }>('state');
        const { suspicion, because = '' } = nodes.find(({ node }) => node === world.first.id) ?? {};
        return suspicion === 'suspect' && because.includes('access-denied');
      });
      await world.noFailover(since, 8_000);
      expect(await writableNodes(world.servers)).toEqual([world.first]);
      await unlogged(world, world.first, `ALTER USER '${user}'@'%' ${open(password)}`);
      await writesGoOn(world);
      await world.finish();
    });

  scenario('45 the wall clock of all processes jumps by an hour', {}, async (world) => {
    for (const shift of [3_600_000, -7_200_000]) {
      const since = now();
      await Promise.all(world.fleet.apps.map((app) => app.ask('shiftClock', shift)));
      await world.noFailover(since, 4_000);
      await writesGoOn(world);
    }
    await world.finish();
  });
});

describe('replicas that cannot take over', () => {
  scenario('33 the most advanced replica stopped with an error', {}, async (world) => {
    const [broken, behind] = pair(world);
    await world.first.query('CREATE TABLE shop.clash (id INT PRIMARY KEY)');
    const made = async (node: LocalDatabaseNode): Promise<boolean> =>
      (await node.query("SHOW TABLES FROM shop LIKE 'clash'")).length === 1;
    await world.until('both have it', async () => (await made(broken)) && (await made(behind)));
    await unlogged(world, broken, 'INSERT INTO clash VALUES (1)');
    // Both must know of the death themselves, so that neither is merely stopped.
    const blocker = await sessionOn(world, behind);
    await blocker.query('LOCK TABLES clash WRITE');
    await world.first.query('INSERT INTO shop.clash VALUES (1)');
    await world.until('its SQL thread has stopped', async () => {
      const [status] = await world.ask(broken, 'SHOW SLAVE STATUS');
      return status?.['Slave_SQL_Running'] === 'No';
    });
    await blocker.end();
    const plan = await world.leader().ask<Told>('plan', { kind: 'switchover' });
    expect(plan.to).toBe(behind.id);
    expect(plan.excluded).toContainEqual(
      expect.objectContaining({ node: broken.id, why: expect.stringContaining('1062') }),
    );
    const since = now();
    await world.first.kill();
    // Its vote would be missing: with two of three voters gone nobody could write anywhere.
    await world.until(
      'it is refused',
      () =>
        world.event('failover-blocked', since, ({ detail }) => String(detail['why']).includes(broken.id)) !==
        undefined,
    );
    const [status] = await world.ask(broken, 'SHOW SLAVE STATUS');
    // What it received is the only copy that there may be.
    expect(Number(status?.['Last_SQL_Errno'])).toBe(1062);
    await unlogged(world, broken, 'DELETE FROM clash', 'START SLAVE SQL_THREAD');
    await world.failedOver(since);
    await world.finish({ mayLose: true });
  });

  scenario('35 a replica is delayed by a minute', {}, async (world) => {
    const [slow, other] = pair(world);
    for (const sql of ['STOP SLAVE', 'CHANGE MASTER TO MASTER_DELAY=60', 'START SLAVE'])
      await world.ask(slow, sql);
    const plan = await world.leader().ask<Told>('plan', { kind: 'switchover' });
    expect(plan.to).toBe(other.id);
    expect(plan.excluded).toContainEqual(
      expect.objectContaining({ node: slow.id, why: expect.stringMatching(/delayed|lacks/) }),
    );
    await world.finish();
  });

  scenario('36 a replica replicates only a part', {}, async (world) => {
    const [part, other] = pair(world);
    for (const sql of ['STOP SLAVE', "SET GLOBAL replicate_ignore_db='elsewhere'", 'START SLAVE'])
      await world.ask(part, sql);
    const since = now();
    await world.first.kill();
    const plan = await world.failedOver(since);
    expect(plan.to).toBe(other.id);
    expect(plan.excluded).toContainEqual(
      expect.objectContaining({ node: part.id, why: expect.stringMatching(/only a part|lacks/) }),
    );
    await world.finish({ mayLose: true });
  });

  scenario('36s a replica would log statements: it is warned of, and not excluded', {}, async (world) => {
    const [part] = pair(world);
    await part.query("SET GLOBAL binlog_format='STATEMENT'");
    const { checks } = await world
      .leader()
      .ask<{ checks: { name: string; node: string; result: string }[] }>('preflight');
    const told = checks.filter(({ name, result }) => name === 'row-format' && result !== 'pass');
    expect(told).toMatchObject([{ node: part.id, result: 'warn' }]);
    await world.finish();
  });
});

describe('a primary that fences itself', () => {
  const fence = { failover: { selfFenceMs: 4_000 }, serverArgs: ['--event-scheduler=ON'] };

  scenario(
    '46 self-fence: dropped, switched off, and the primary cut off from everybody',
    fence,
    async (world) => {
      const [off, other] = pair(world);
      const has = async (node: LocalDatabaseNode): Promise<boolean> =>
        (await node.query("SHOW EVENTS FROM ha_meta WHERE Name='self_fence'")).length === 1;
      const everywhere = async (): Promise<boolean> =>
        (await Promise.all(world.servers.databases.map(has))).every((each) => each);
      await world.until('all nodes have the event', everywhere);
      await unlogged(world, other, 'DROP EVENT ha_meta.self_fence');
      await world.until('it is made anew', () => has(other));
      await off.query('SET GLOBAL event_scheduler=OFF');
      const plan = await world.leader().ask<Told>('plan', { kind: 'switchover' });
      expect(plan.to).toBe(other.id);
      expect(plan.excluded).toContainEqual(
        expect.objectContaining({ node: off.id, why: expect.stringContaining('event_scheduler is OFF') }),
      );
      await off.query('SET GLOBAL event_scheduler=ON');
      await world.until('the event runs on all nodes', everywhere);

      const lawless = await lawlessWriter(world.servers, world.first);
      const since = now();
      const cut = world.servers.isolate(world.first);
      const { to } = await world.failedOver(since);
      const acknowledged = await lawless.stop();
      // What PHP was acknowledged by the old one was before the new one took writes from anybody.
      const [[last], [begun]] = await Promise.all([
        world.first.query<{ at: string }>(
          "SELECT UNIX_TIMESTAMP(MAX(at)) AS at FROM shop.ledger WHERE id LIKE 'lawless%'",
        ),
        world.node(to).query<{ at: string }>('SELECT UNIX_TIMESTAMP(at) AS at FROM ha_meta.topology'),
      ]);
      expect(acknowledged.length).toBeGreaterThan(0);
      const silenceMs = (Number(begun?.at) - Number(last?.at)) * 1_000;
      expect(silenceMs).toBeGreaterThan(0);
      cut.heal();
      await world.until('it is told as diverged', () => world.event('node-diverged', since) !== undefined);
      expect(await world.twoPrimaries(acknowledged)).toEqual([]);
      const { lost } = await world.finish({ mayLose: true, others: acknowledged });
      return {
        silenceMs: Math.round(silenceMs),
        lost: lost.length,
        outageMs: Math.round(world.fleet.longestGapMs(since)),
        writtenPastLease: acknowledged.length,
      };
    },
  );
});

describe('nodes that come back', () => {
  scenario('9 a replica is started anew with what it received and did not execute', {}, async (world) => {
    const [blocked, other] = pair(world);
    const session = await sessionOn(world, blocked);
    await session.query('LOCK TABLES ledger WRITE');
    const from = now();
    await world.until('more is written', () => world.acknowledgedAfter(from) > 40);
    await Promise.all([world.first.kill(), blocked.kill()]);
    session.destroy();
    await blocked.start();
    const plan = await world.failedOver(from);
    // What it has thrown away at its start, as MariaDB does, it has not: the other one has more.
    if (world.servers.flavor === 'mariadb') expect(plan.to).toBe(other.id);
    await world.finish({ mayLose: true });
  });

  scenario(
    '38 an old primary comes back with what nobody acknowledged',
    { semiSync: true },
    async (world) => {
      const since = now();
      const cut = world.first.faults.partition({ only: 'replication' });
      await new Promise((done) => setTimeout(done, 300));
      await world.first.kill();
      // Not before: what waits in the cut would still arrive.
      const { to } = await world.failedOver(since);
      cut.heal();
      const back = now();
      await world.first.start();
      const told = await world.until('it is diverged', () => world.event('node-diverged', back));
      await world.until(
        'it refuses writes',
        async () => !(await writableNodes(world.servers)).includes(world.first),
      );
      expect(await world.ask(world.first, 'SHOW SLAVE STATUS')).toEqual([]);
      // What was noted proves that nobody was told of it: one had to acknowledge, both are known, and neither had it.
      const [noted] = await world.ask(
        world.node(to),
        "SELECT details FROM ha_meta.operation WHERE kind='failover' ORDER BY began_at DESC LIMIT 1",
      );
      const { replicas = {}, commitWaits } = frozenIn(String(noted?.['details'])) ?? {};
      expect(commitWaits).toMatchObject({ acknowledgers: 2, waitFor: 1 });
      expect(Object.values(replicas).map(({ acknowledges }) => acknowledges)).toEqual([true, true]);
      const { flavor } = world.servers;
      const tail = String(told.detail['gtids']).replace(/\.\.\d+/g, '');
      const wanted = readTransactions(flavor, tail) ?? NO_TRANSACTIONS;
      expect(wanted.size).toBeGreaterThan(0);
      for (const { received } of Object.values(replicas))
        expect(isWithin(wanted, readTransactions(flavor, received) ?? NO_TRANSACTIONS)).toBe(false);
      await world.finish();
      return { tail };
    },
  );

  scenario('42 the primary is restored from an older copy', { failover: PATIENT }, async (world) => {
    const since = now();
    const [{ folder } = { folder: '' }] = await world.first.query<{ folder: string }>(
      'SELECT @@datadir AS folder',
    );
    const data = folder.replace(/\/$/, '');
    await world.first.stop();
    cpSync(data, `${data}.old`, { recursive: true });
    await world.first.start();
    await writesGoOn(world);
    await world.first.kill();
    renameSync(data, `${data}.new`);
    renameSync(`${data}.old`, data);
    await world.first.start();
    const back = now();
    await world.until(
      'it gets no writes',
      () =>
        world.event('lease-lost', since, ({ detail }) =>
          String(detail['why']).includes('restored from an older copy'),
        ) !== undefined,
    );
    await world.noFailover(since, 1_000);
    const forced = await world.leader().ask<ChangeResult>('failover', { force: true, acceptLoss: true });
    expect(forced).toMatchObject({ ok: true });
    await writesGoOn(world);
    // What it took before anybody had looked at it is told by nobody.
    const { lost } = await world.finish({ mayLose: 'untold' });
    return {
      lost: lost.length,
      seenAfterMs: Math.round((world.event('lease-lost', back)?.at ?? back) - back),
    };
  });

  scenario('40 the primary has no such logs any more', {}, async (world) => {
    const [away] = pair(world);
    await away.kill();
    await writesGoOn(world);
    await world.first.query('FLUSH BINARY LOGS');
    const logs = await world.first.query<{ Log_name: string }>('SHOW BINARY LOGS');
    await world.until('the logs are gone', async () => {
      await world.first.query('PURGE BINARY LOGS TO ?', [logs.at(-1)?.Log_name]);
      return (await world.first.query('SHOW BINARY LOGS')).length < logs.length;
    });
    const since = now();
    await away.start();
    await world.until('it is told', () => world.event('rebuild-needed', since) !== undefined);
    expect(world.event('rebuild-needed', since)?.detail).toMatchObject({ node: away.id, why: 'purged' });
    await world.finish();
  });
});
