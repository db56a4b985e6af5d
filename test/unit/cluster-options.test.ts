import { expect, test } from 'vitest';
import { checkClusterOptions, clusterOptionsFromEnvironment } from '../../src/cluster-options.js';

test('the environment stands in for options', () => {
  expect(
    clusterOptionsFromEnvironment({
      STORMLAMP_MYSQL_PRIMARY: 'mysql://db1/shop',
      STORMLAMP_MYSQL_REPLICAS: 'mysql://db2/shop, mysql://db3/shop',
      STORMLAMP_MEMCACHED: 'cache1:11211 cache2:11211',
    }),
  ).toEqual({
    mysql: { primary: 'mysql://db1/shop', replicas: ['mysql://db2/shop', 'mysql://db3/shop'] },
    sessions: { nodes: ['cache1:11211', 'cache2:11211'] },
  });
  expect(clusterOptionsFromEnvironment({ STORMLAMP_MEMCACHED: 'cache1' })).toEqual({
    sessions: { nodes: ['cache1'] },
  });
});

test('an empty environment is an error that names the variables', () => {
  expect(() => clusterOptionsFromEnvironment({})).toThrow(
    /STORMLAMP_MYSQL_PRIMARY, STORMLAMP_MYSQL_REPLICAS, STORMLAMP_MEMCACHED/,
  );
  expect(() => clusterOptionsFromEnvironment({ STORMLAMP_MYSQL_REPLICAS: 'mysql://db2' })).toThrow(
    'STORMLAMP_MYSQL_PRIMARY is not',
  );
});

test('unknown parts, no parts, and failover without a database are refused', () => {
  expect(() => checkClusterOptions({ mysq: {} } as never)).toThrow('did you mean `mysql`?');
  expect(() => checkClusterOptions({})).toThrow(
    'Expected `options` to be an object with at least one of `mysql`, `sessions` and `cache`',
  );
  expect(() => checkClusterOptions({ sessions: { nodes: ['a'] }, failover: { mode: 'follow' } })).toThrow(
    '`options.failover`',
  );
});
