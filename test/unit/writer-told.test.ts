/** A process that has no right to write says so everywhere, however well the primary looks from here. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeMysql } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { type AnyCluster, readinessOf } from '../../src/cluster-readiness.js';
import { ErrorCode, StormlampError } from '../../src/common/stormlamp-error.js';
import { Cluster } from '../../src/create-cluster.js';
import { dashboardState } from '../../src/dashboard/dashboard-state.js';
import type { ClusterSnapshot } from '../../src/failover/cluster-snapshot.js';
import { createFailoverManager, type FailoverManager } from '../../src/failover/failover-manager.js';
import { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { resolveMysqlOptions } from '../../src/mysql/mysql-options.js';
import { databaseMetrics } from '../../src/telemetry/database-metrics.js';
import { FakeDatabases } from '../../src/testing/fake/fake-databases.js';

const [DB1, DB2, DB3] = ['db1:3306', 'db2:3306', 'db3:3306'] as const;
const MISSING = 'This process has no right to write now, nothing was sent: db1 does not answer';

let databases: FakeDatabases;
let mysql: MysqlCluster;
let follower: FailoverManager;
/** What the voters say, and what the manager makes of it. */
let said: Partial<ClusterSnapshot>;
let cluster: AnyCluster;

beforeEach(async () => {
  databases = new FakeDatabases(['db1', 'db2', 'db3']);
  const url = (node: string): string => `mysql://fake@${node}/shop`;
  const nodes = { primary: url('db1'), replicas: [url('db2'), url('db3')], discover: false };
  mysql = new MysqlCluster(resolveMysqlOptions(nodes), databases);
  await mysql.start();
  follower = createFailoverManager(mysql.failoverPorts());
  said = {};
  const failover = new Proxy(follower, {
    get(target, key) {
      if (key === 'state') return { ...target.state, mode: 'approve', ...said };
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  cluster = new Cluster({ mysql, failover, sessions: undefined, cache: undefined });
});
afterEach(async () => {
  await cluster.close();
});

function vote(voted: string | null, failure: ClusterSnapshot['failure'] = null): void {
  said = { voted, failure, because: failure === null ? '' : 'only 1 of 3 voters can be reached' };
  mysql.failoverPorts().targets.guardWrites({
    node: DB1,
    voted: voted ?? undefined,
    admits: (node) => node === voted,
    covers: (node) => node === voted,
    settle: () => Promise.resolve(false),
    wait: () => Promise.reject(new Error('not here')),
    missing: () => new StormlampError(ErrorCode.LEASE_LOST, MISSING),
  });
}

async function told() {
  const { ready, writes, because } = readinessOf(cluster, ['writes']);
  const page = dashboardState(cluster, [], [], 0);
  const primary = databaseMetrics.find(({ name }) => name === 'stormlamp_node_primary');
  const { node, because: why, considered } = mysql.explain('INSERT INTO cart VALUES (1)');
  const report = await describeMysql(mysql, cluster.failover, new Map());
  return {
    readiness: [ready, writes, ...because],
    page: [page.writer, ...page.problems.map(({ severity, text }) => `${severity}: ${text}`)],
    primary: primary?.read(cluster).map(({ value }) => value),
    explained: [node, why],
    fit: considered.filter(({ fit }) => fit).map((one) => one.node),
    reason: considered.find((one) => one.node === DB1)?.reason,
    status: problemsOf({ mysql: { ...report, troubles: [] } }),
  };
}

test('with the votes of a majority writes go to the primary', async () => {
  vote(DB1);
  expect(await told()).toEqual({
    readiness: [true, true],
    page: [DB1],
    primary: [1, 0, 0],
    explained: [DB1, 'it writes'],
    fit: [DB1],
    reason: '',
    status: [],
  });
});

test.each<[string, string | null, ClusterSnapshot['failure'], string, readonly string[], readonly string[]]>([
  [
    'too few voters answer',
    null,
    'majority-lost',
    'majority-lost',
    ['critical: majority-lost: only 1 of 3 voters can be reached'],
    ['majority-lost: only 1 of 3 voters can be reached'],
  ],
  // It was restored from an older copy, or belongs to an earlier epoch.
  ['voters answer, and it gets no lease', null, null, `no majority votes for ${DB1}`, [], []],
  ['voters vote for another one', DB2, null, `a majority votes for ${DB2}`, [], []],
])('nothing is written when %s', async (_, voted, failure, words, onPage, inStatus) => {
  vote(voted, failure);
  const { explained, reason, ...rest } = await told();
  expect(rest).toEqual({
    readiness: [false, false, `this process may not write: ${words}`],
    page: [null, ...onPage, `critical: This process may not write (${words}): its writes wait, and fail`],
    primary: [0, 0, 0],
    fit: [],
    status: [...inStatus, `Nothing may be written to ${DB1}: ${words}`],
  });
  const why = voted === null ? expect.stringContaining(MISSING) : words;
  expect([explained, reason]).toEqual([[undefined, why], why]);
});

test('a read needs no votes', () => {
  vote(null);
  expect([DB2, DB3]).toContain(mysql.explain('SELECT 1').node);
  expect(readinessOf(cluster, ['reads']).ready).toBe(true);
});

test('but none that would go to the primary goes to another node than the one that has them', async () => {
  const explained = () =>
    mysql.run({ preference: 'primary-preferred' }, async () => mysql.explain('SELECT 1'));
  vote(DB1);
  expect((await explained()).node).toBe(DB1);
  vote(DB2);
  const { node, considered } = await explained();
  expect([DB2, DB3]).toContain(node);
  expect(considered.find((one) => one.node === DB1)?.reason).toBe(`a majority votes for ${DB2}`);
});

test('a process that only follows goes by what it sees', async () => {
  expect(await told()).toMatchObject({
    readiness: [true, true],
    page: [DB1],
    primary: [1, 0, 0],
    status: [],
  });
});
