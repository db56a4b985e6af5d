import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPlacement, type PlacementOptions } from '../../../src/memcached/placement.js';

const nodes = [
  { host: '10.0.0.1', port: 11_211 },
  { host: '10.0.0.2', port: 11_211 },
  { host: '10.0.0.3', port: 11_211 },
];

test.each<[string, unknown]>([
  ['`nodes`', { extension: 'memcached', nodes: [] }],
  ['`nodes[1].port`', { extension: 'memcached', nodes: [nodes[0], { host: 'x', port: -1 }] }],
  ['`nodes[0].weight`', { extension: 'memcache', nodes: [{ host: 'x', port: 1, weight: 0 }] }],
  ['`distribution`', { extension: 'memcached', nodes, distribution: 'ketama-weighted' }],
  ['`options.strategy`', { extension: 'memcached', nodes, strategy: 'standard' }],
  ['`hash`', { extension: 'memcache', nodes, hash: 'md5' }],
  ['`extension`', { extension: 'redis', nodes }],
])('an impossible %s is named', (name, options) => {
  expect(() => createPlacement(options as PlacementOptions)).toThrow(name);
});

test('replicas of php-memcached follow the first node in the order of save_path', () => {
  const placement = createPlacement({ extension: 'memcached', nodes });
  fc.assert(
    fc.property(fc.string(), (key) => {
      const [first = 0, ...others] = placement.nodesFor(key, 3);
      expect(others).toEqual([(first + 1) % 3, (first + 2) % 3]);
      expect(placement.nodesFor(Buffer.from(key), 3)).toEqual([first, ...others]);
    }),
  );
});

test('a node that has no bucket is not looked for for ever', () => {
  const lopsided = [
    { host: 'a', port: 1, weight: 2000 },
    { host: 'b', port: 1, weight: 1 },
    { host: 'c', port: 1, weight: 1 },
  ];
  const placement = createPlacement({ extension: 'memcache', nodes: lopsided });
  expect(placement.nodesFor('key', 3).length).toBeLessThanOrEqual(3);
  expect(placement.nodesFor('key', 1)).toEqual([0]);
});
