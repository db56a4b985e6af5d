/** A short run of the model; `npm run chaos -- mysql-model` is the long one, with the newest MariaDB, too. */
import { expect, test } from 'vitest';
import type { LocalCluster } from '../../src/testing/index.js';
import { judgeRoute, runModel } from '../support/mysql-model.js';
import { CLIENT_DATABASES, ONE_CLIENT_DATABASE } from './client-databases.js';

test.each(CLIENT_DATABASES)(
  'random operations of many callers do what their models say, on $name',
  async (database) => {
    const seed = Number(process.env['STORMLAMP_MODEL_SEED'] ?? Date.now() % 1_000_000);
    const { sent } = await runModel({ database, operations: 2_000, callers: 12, seed });
    expect(sent['primary']).toBeGreaterThan(0);
    expect(sent['replica']).toBeGreaterThan(0);
  },
  300_000,
);

const replica = ({ replicas: [first] }: LocalCluster): LocalCluster['primary'] => {
  if (first === undefined) throw new Error('a replica is needed');
  return first;
};

test.each([
  [
    'a row that a replica alone has',
    (servers: LocalCluster) => replica(servers).query('UPDATE shop.tally SET n = n + 1'),
  ],
  [
    'a write on a replica that changed nothing there in the end',
    async (servers: LocalCluster) => {
      await replica(servers).query('UPDATE shop.tally SET n = n + 1');
      await replica(servers).query('UPDATE shop.tally SET n = n - 1');
    },
  ],
])('the look at the servers sees %s', async (_name, harm) => {
  await expect(
    runModel({ database: ONE_CLIENT_DATABASE, operations: 60, callers: 3, seed: 1, harm }),
  ).rejects.toThrow(/to (deeply equal|be) /);
});

test('the judge of routes sees a write that goes astray', () => {
  const event = { node: 'db2:3306', because: '' };
  const astray = { ...event, kind: 'write', role: 'replica', sql: 'INSERT INTO t (v) VALUES (?)' };
  expect(() => judgeRoute(astray)).toThrow(/write on replica db2:3306/);
  expect(() => judgeRoute({ ...astray, sql: 'CREATE TEMPORARY TABLE tmp0 (i INT)' })).toThrow();
  const write = 'UPDATE tally SET n = n + 1 WHERE caller = ?';
  expect(() => judgeRoute({ ...astray, sql: write })).toThrow();
  // Only a caller whose own model says so sends this text.
  const expected = `${write} /* inside a read-only transaction */`;
  expect(() => judgeRoute({ ...astray, sql: expected })).not.toThrow();
  expect(() => judgeRoute({ ...astray, role: 'primary' })).not.toThrow();
  expect(() => judgeRoute({ ...event, kind: 'read', role: 'replica', sql: 'SELECT 1' })).not.toThrow();
});
