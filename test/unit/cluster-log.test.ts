import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { type LoggedParts, logCluster } from '../../src/cluster-log.js';
import { createFailoverManager } from '../../src/failover/failover-manager.js';
import { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { resolveMysqlOptions } from '../../src/mysql/mysql-options.js';
import { FakeDatabases } from '../../src/testing/fake/fake-databases.js';
import { fakeCluster } from '../../src/testing/index.js';
import { initialTopology } from '../../src/topology/describe-topology.js';

const NOTHING = initialTopology([]);

const NO_PARTS: LoggedParts = {
  mysql: undefined,
  sessions: undefined,
  failover: undefined,
  cache: undefined,
};

function linesOf(parts: Partial<LoggedParts>): string[] {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: string): void => {
      lines.push(`${level} ${message.replace('stormlamp: ', '')}`);
    };
  logCluster(
    { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') },
    { ...NO_PARTS, ...parts },
  );
  return lines;
}

test('the last word about a primary that dies, is back and dies again is that it is lost', async () => {
  const fake = await fakeCluster();
  try {
    const { mysql, failover } = fake.cluster;
    const lines = linesOf({ mysql, failover });
    const last = (about: RegExp) =>
      expect.poll(() => lines.findLast((line) => about.test(line)), { timeout: 8_000 });
    await fake.kill('db1');
    await last(/primary db1/).toContain('is lost');
    await fake.start('db1');
    await last(/primary db1/).toContain('is back');
    await last(/node db1/).toContain('is up');
    await fake.kill('db1');
    await last(/primary db1/).toContain('is lost');
    await last(/node db1/).toContain('is down');
    await last(/takes writes|writes go/).toContain('no node takes writes');
  } finally {
    await fake.close();
  }
});

/** Lines of level `error` of a process that begins while `dead` does not answer; then that is there, and it is waited for `until`. */
async function linesOfStart(dead: string | undefined, until?: RegExp): Promise<readonly string[]> {
  const databases = new FakeDatabases(['db1', 'db2', 'db3']);
  const node = dead === undefined ? undefined : databases.all.get(dead);
  if (node !== undefined) node.isUp = false;
  const url = (name: string): string => `mysql://fake@${name}/shop`;
  const nodes = { primary: url('db1'), replicas: [url('db2'), url('db3')], discover: false };
  const mysql = new MysqlCluster(resolveMysqlOptions({ ...nodes, monitor: { intervalMs: 50 } }), databases);
  await mysql.start();
  const failover = createFailoverManager(mysql.failoverPorts());
  await failover.start();
  try {
    const lines = linesOf({ mysql, failover });
    if (node !== undefined) node.isUp = true;
    if (until !== undefined)
      await expect.poll(() => lines.some((line) => until.test(line)), { timeout: 8_000 }).toBe(true);
    return lines.filter((line) => /^error|writes go/.test(line));
  } finally {
    await failover.close();
    await mysql.close();
  }
}

test('a process that begins while the primary is dead says so at once, and when it is there', async () => {
  expect(await linesOfStart('db1', /writes go/)).toEqual([
    'error no node takes writes as this process begins: no-primary',
    'info writes go to db1:3306',
  ]);
});

test('a process that begins while all is well, or a replica is dead, has lost nothing', async () => {
  expect(await linesOfStart(undefined)).toEqual([]);
  expect(await linesOfStart('db3', /node db3:3306 is up/)).toEqual([]);
});

test('a process that begins without the votes says that it may not write', () => {
  const topology = { ...NOTHING, writer: { kind: 'primary', node: 'db1' } } as const;
  const mysql = Object.assign(new EventEmitter(), { topology: () => topology });
  const begun = (state: object): readonly string[] =>
    linesOf({ mysql, failover: Object.assign(new EventEmitter(), { state }) } as never);
  expect(begun({ failure: null, voted: null })).toEqual([
    'error this process begins, and may not write: no majority votes for db1',
  ]);
  expect(begun({ failure: null })).toEqual([]);
});

test('a breaker that opens again after each trial is told once in a while', () => {
  const mysql = new EventEmitter();
  const lines = linesOf({ mysql: mysql as never });
  const change = (before: string, after: string): boolean =>
    mysql.emit('breaker-changed', {
      node: 'db2',
      operation: 'read',
      before: { phase: before },
      after: { phase: after },
    });
  change('closed', 'open');
  change('open', 'half-open');
  change('half-open', 'open');
  expect(lines).toEqual(['warn breaker of db2 for read: open', 'debug breaker of db2 for read: half-open']);
  change('open', 'closed');
  change('closed', 'open');
  expect(lines.slice(2)).toEqual([
    'info breaker of db2 for read: closed',
    'warn breaker of db2 for read: open',
  ]);
});
