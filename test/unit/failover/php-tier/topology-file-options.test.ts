import { expect, test } from 'vitest';
import {
  readTopologyFileOptions,
  type TopologyFileOptions,
} from '../../../../src/failover/php-tier/topology-file-options.js';

test('the format follows the ending, and the rest has defaults', () => {
  expect(readTopologyFileOptions({ file: '/run/t.php' })).toEqual({
    file: '/run/t.php',
    format: 'php',
    cluster: 'stormlamp',
    validForMs: 15_000,
    maxLagMs: 5_000,
    maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY,
    addresses: {},
    mode: 0o644,
  });
  expect(readTopologyFileOptions({ file: '/run/t', format: 'json' }).format).toBe('json');
});

test.each([
  [{}, /topologyFile.file/],
  [{ file: '/run/t' }, /topologyFile.format/],
  [{ file: '/run/t.php', validForMs: 10 }, /topologyFile.validForMs/],
  [{ file: '/run/t.php', validFor: 10 }, /did you mean `validForMs`/],
  [{ file: '/run/t.php', addresses: 'nonsense' }, /topologyFile.addresses` to be addresses by node id/],
  [{ file: '/run/t.php', addresses: ['db1'] }, /topologyFile.addresses/],
  [{ file: '/run/t.php', addresses: { 'db1:x': 'php-db1' } }, /topologyFile.addresses.db1:x/],
  [{ file: '/run/t.php', addresses: { db1: 'a', 'db1:3306': 'b' } }, /one address of db1:3306/],
])('%j is refused by name', (options, message) => {
  expect(() => readTopologyFileOptions(options as { file: string })).toThrow(message);
});

test('addresses are read in every form that addresses have here, and so are the names of nodes', () => {
  const addresses = {
    db1: 'php-db1:3307',
    'db2:3307': 'php-db2',
    '[::1]:3306': '[fd00::1]:3306',
    '/run/db3.sock': '/run/php/db3.sock',
    db4: { host: 'php-db4', port: 3_306 },
    db5: { socketPath: '/run/php/db5.sock' },
  };
  expect(readTopologyFileOptions({ file: '/run/t.php', addresses }).addresses).toEqual({
    'db1:3306': { host: 'php-db1', port: 3_307 },
    'db2:3307': { host: 'php-db2', port: 3_306 },
    '[::1]:3306': { host: 'fd00::1', port: 3_306 },
    '/run/db3.sock': { socketPath: '/run/php/db3.sock' },
    'db4:3306': { host: 'php-db4', port: 3_306 },
    'db5:3306': { socketPath: '/run/php/db5.sock' },
  });
});

test.each([
  ['php-db1:0'],
  ['http://php-db1'],
  [7],
  [null],
  [{}],
  [{ host: 'x' }],
  [{ host: '', port: 1 }],
  [{ host: 'x', port: '3306' }],
  [{ host: 'x', port: 70_000 }],
  [{ host: 'x', port: 1, socketPath: '/s' }],
  [{ socketPath: 's' }],
  [{ host: 'x', prot: 1 }],
])('%j is no address', (address) => {
  const options = { file: '/run/t.php', addresses: { db1: address } } as unknown as TopologyFileOptions;
  expect(() => readTopologyFileOptions(options)).toThrow(
    /Expected `topologyFile\.addresses\.db1` to be an address/,
  );
});
