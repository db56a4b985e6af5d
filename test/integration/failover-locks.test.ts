/** Named locks on real servers: who holds a majority, and what frees it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertClosed } from '../../src/failover/change/compare-nodes.js';
import { MajorityLock, type MajorityLockOptions } from '../../src/failover/locks/majority-lock.js';
import type { SentStatement } from '../../src/failover/locks/statement-log.js';
import { lockName } from '../../src/failover/protocol/lock-name.js';
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
async function takeAll(): Promise<MajorityLock | undefined> {
  const taken = await MajorityLock.take(options()).catch(() => undefined);
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
