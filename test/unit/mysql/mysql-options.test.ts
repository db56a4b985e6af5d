import { describe, expect, test } from 'vitest';
import { resolveMonitorOptions } from '../../../src/mysql/monitor-options.js';
import { type MysqlOptions, resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';
import { resolveReadOptions } from '../../../src/mysql/read-options.js';

const primary = 'mysql://app:secret@db1/shop';
const replicas = [
  'mysql://app:secret@db2/shop',
  { host: 'db3', port: 3307, user: 'app', password: 'secret' },
];

test('the shortest options have every default', () => {
  const options = resolveMysqlOptions({ primary });
  expect(options).toMatchObject({
    pool: { max: 10, min: 0, acquireTimeoutMs: 10_000, maxQueue: 1000 },
    reads: {
      preference: 'replica-preferred',
      maxLagMs: 5_000,
      maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY,
      balance: 'least-in-flight',
      primaryShareLimit: 1,
    },
    scope: { consistency: 'session', waitMs: 1_000 },
    monitor: { intervalMs: 1_000, timeoutMs: 1_000, lagSource: 'auto' },
    timeoutMs: 0,
    blockMs: 10_000,
    functions: { readOnly: [] },
    variables: { replayed: [] },
  });
});

test('nodes keep the role that they are configured with', () => {
  const { nodes } = resolveMysqlOptions({ primary, replicas, nodes: ['mysql://app:secret@db4'] });
  expect(nodes.map(({ seed }) => [seed.id, seed.configuredRole])).toEqual([
    ['db1:3306', 'primary'],
    ['db2:3306', 'replica'],
    ['db3:3307', 'replica'],
    ['db4:3306', 'any'],
  ]);
});

test('weights by node id replace those of the nodes', () => {
  const { nodes } = resolveMysqlOptions({ primary, replicas, reads: { weights: { 'db2:3306': 0 } } });
  expect(nodes.map(({ seed }) => seed.weight)).toEqual([1, 0, 1]);
});

describe('what is refused', () => {
  test.each<[unknown, RegExp]>([
    [{}, /`mysql.primary`/],
    [{ primary, replica: [] }, /did you mean `replicas`/],
    [{ primary, replicas: 'mysql://x' }, /`mysql.replicas` to be an array/],
    [{ primary, replicas: [primary] }, /different nodes.*db1:3306 twice/],
    [{ primary, timeoutMs: -1 }, /`mysql.timeoutMs`/],
    [{ primary, blockMs: Number.NaN }, /`mysql.blockMs`/],
    [{ primary, startTimeoutMs: 0 }, /`mysql.startTimeoutMs`/],
    [{ primary, scope: { consistency: 'strong' } }, /one of 'session', 'eventual'/],
    [{ primary, scope: { waitMs: -5 } }, /mysql.scope.waitMs/],
    [{ primary, functions: { readOnly: 'f' } }, /array of strings/],
    [{ primary, functions: { writes: [] } }, /mysql.functions.writes/],
    [{ primary, variables: { replayed: 'x' } }, /array of strings/],
    [{ primary, variables: { replay: [] } }, /did you mean `replayed`/],
    [{ primary, discover: false, reads: { affinity: 'db9:3306' } }, /db1:3306.*db9:3306/],
    [{ primary, discover: false, reads: { weights: { 'db9:3306': 1 } } }, /db1:3306/],
    [{ primary, reads: { weights: [] } }, /numbers by node id/],
    [{ primary, reads: { weights: { 'db1:3306': -1 } } }, /weights\['db1:3306'\]/],
    [{ primary, reads: { maxLagMs: -1 } }, /`mysql.reads.maxLagMs`/],
    [{ primary, reads: { maxLagWithoutPrimaryMs: Number.NaN } }, /`mysql.reads.maxLagWithoutPrimaryMs`/],
    [{ primary, reads: { balance: 'random' } }, /least-in-flight/],
    [{ primary, reads: { primaryShareLimit: 1.5 } }, /<= 1/],
    [{ primary, monitor: { intervalMs: 1 } }, />= 50/],
    [{ primary, monitor: { intervalMs: 3e9 } }, /<= 2147483647/],
    [{ primary, monitor: { timeoutMs: 3e9 } }, /<= 2147483647/],
    [{ primary, discover: { resolveIntervalMs: 3e9 } }, /<= 2147483647/],
    [{ primary, monitor: { credentials: { user: 'x' } } }, /user, password/],
    [{ primary, monitor: { lagSource: 'guess' } }, /'auto', 'gtid', 'unchecked'/],
    [{ primary, monitor: { lagSource: { heartbeat: { table: 'x' } } } }, /heartbeat.table/],
    [{ primary, monitor: { lagSource: { heartbeats: {} } } }, /did you mean `heartbeat`/],
    [undefined, /an object/],
    [{ primary, discover: 'yes' }, /mysql.discover/],
    [{ primary, discover: { resolveIntervalMs: 1 } }, />= 100/],
    [{ primary, discover: { resolver: {} } }, /`addresses` and `services`/],
    [{ primary, addressMap: [] }, /mysql.addressMap/],
    [{ primary, addressMap: { 'db1:3306': 'nowhere' } }, /mysql.addressMap\['db1:3306'\]/],
    [{ primary, monitor: { share: true } }, /monitor.share: true.*name them/],
    [{ primary, monitor: { share: { memcached: [] } } }, /share.memcached/],
  ])('%j', (options, message) => {
    expect(() => resolveMysqlOptions(options as MysqlOptions)).toThrow(message);
  });

  test('no message shows a password', () => {
    for (const broken of [{ primary, replicas: [primary] }, { primary: primary.replace('mysql:', 'pg:') }]) {
      expect(() => resolveMysqlOptions(broken)).toThrow(expect.not.stringContaining('secret') as never);
    }
    const credentials = { user: 'x', password: 7 } as never;
    expect(() => resolveMonitorOptions({ credentials })).toThrow(/user, password/);
  });
});

test('what this version does not do may be switched off in so many words', () => {
  expect(() => resolveMysqlOptions({ primary, discover: false, monitor: { share: false } })).not.toThrow();
});

test('any lag may be allowed', () => {
  expect(resolveReadOptions({ maxLagMs: Number.POSITIVE_INFINITY }).maxLagMs).toBe(Number.POSITIVE_INFINITY);
});
