import { expect, test } from 'vitest';
import { resolveActingOptions } from '../../../src/failover/acting-options.js';
import { withNodeIds } from '../../../src/failover/named-options.js';
import { parseMysqlNode } from '../../../src/mysql/connection-options.js';

const nodes = ['db1', 'db2', 'db3'].map((host) =>
  parseMysqlNode('node', `mysql://app:s@${host}/shop`, 'any'),
);
const read = (candidates: object, addresses: Readonly<Record<string, string>> = {}) =>
  withNodeIds(
    'failover',
    resolveActingOptions('failover', {
      credentials: { user: 'a', password: 'b' },
      replication: { user: 'r', password: 'p', addresses },
      witness: 'mysql://w:w@watch/',
      candidates,
    }),
    nodes,
  );

test.each([
  ['its id', { never: ['db2:3306'] }, {}],
  ['its address, whatever the case', { never: ['DB2:3306'] }, {}],
  [
    'the address that other servers have for it',
    { never: ['10.0.0.2:3307'] },
    { 'db2:3306': '10.0.0.2:3307' },
  ],
  ['an address of an address', { never: ['10.0.0.2:3307'] }, { 'DB2:3306': '10.0.0.2:3307' }],
])('a node is named by %s', (_, candidates, addresses) => {
  const { wishes, addresses: known } = read(candidates, addresses);
  expect(wishes).toEqual({ prefer: [], avoid: [], never: ['db2:3306'] });
  expect(Object.keys(known)).toEqual(Object.keys(addresses).length === 0 ? [] : ['db2:3306']);
});

test('the zones of nodes go with them', () => {
  const [first, ...others] = nodes as [(typeof nodes)[0]];
  const inNorth = parseMysqlNode('node', 'mysql://app:s@db1/shop?zone=north', 'any');
  expect(first.seed.id).toBe(inNorth.seed.id);
  const options = { credentials: { user: 'a', password: 'b' }, replication: { user: 'r', password: 'p' } };
  const { zones } = withNodeIds('failover', resolveActingOptions('failover', options), [inNorth, ...others]);
  expect(zones).toEqual(new Map([['db1:3306', 'north']]));
});

test('an order is kept', () => {
  expect(read({ prefer: ['db3:3306', 'db1:3306'] }).wishes.prefer).toEqual(['db3:3306', 'db1:3306']);
});

test.each([
  [{ never: ['db2'] }, {}, 'failover.candidates.never[0]'],
  [{ prefer: ['db1:3306', 'db4:3306'] }, {}, 'failover.candidates.prefer[1]'],
  [{ avoid: ['watch:3306'] }, {}, 'failover.candidates.avoid[0]'],
  [{ never: ['db2:3306'] }, { db2: '10.0.0.2:3306' }, 'failover.replication.addresses'],
  [{}, { nosuchnode: '10.0.0.2:3306' }, 'failover.replication.addresses'],
  [{}, { 'db2:3306': '10.0.0.2:3306', 'DB2:3306': '10.0.0.3:3306' }, 'failover.replication.addresses'],
])('%j with %j is refused', (candidates, addresses, path) => {
  expect(() => read(candidates, addresses)).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(new RegExp(`\`${path.replaceAll(/[[\].]/g, '\\$&')}\`.*db2:3306`)),
    }),
  );
});

test('a witness may be reached elsewhere, too', () => {
  expect(read({}, { 'watch:3306': '10.0.0.9:3306' }).addresses).toHaveProperty(['watch:3306']);
});
