import { expect, test } from 'vitest';
import { namedNode } from '../../../../src/failover/change/named-node.js';
import { madeUp } from '../made-up-survey.js';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const at = (host: string) => ({ host, port: 3306 });
const voters = [
  { id: 'one', kind: 'data' as const, address: at('db1') },
  { id: 'two', kind: 'data' as const, address: at('db2') },
  { id: 'w', kind: 'witness' as const, address: at('db3') },
];
const surveys = new Map([
  ['one', madeUp('one', { variables: { server_uuid: '00000000-0000-0000-0000-000000000001' } })],
  ['two', madeUp('two', { variables: { server_uuid: UUID } })],
]);

test.each([
  ['its id', 'two'],
  ['its address', 'DB2:3306'],
  ['its server_uuid', UUID.toUpperCase()],
])('a node is named by %s', (_, name) => {
  expect(namedNode(name, voters, surveys)).toBe('two');
});
test('no name is no wish', () => {
  expect(namedNode(undefined, voters, surveys)).toBeUndefined();
});
test.each(['three', 'db2', 'w', 'db3:3306', '', 'undefined'])("'%s' is none, and all are named", (name) => {
  expect(() => namedNode(name, voters, surveys)).toThrow(/known are: one, two$/);
});
test('a uuid that a copied server has, too, names neither', () => {
  const twins = new Map([
    ['one', madeUp('one', { variables: { server_uuid: UUID } })],
    ['two', madeUp('two', { variables: { server_uuid: UUID } })],
  ]);
  expect(() => namedNode(UUID, voters, twins)).toThrow(/No node is called/);
});
