/** What a server and its driver refuse, a made-up one refuses as well. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/index.js';
import {
  type FakeCluster,
  fakeCluster,
  type LocalCluster,
  startLocalCluster,
} from '../../src/testing/index.js';

let servers: LocalCluster;
let fake: FakeCluster;
let real: MysqlCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ replicas: 0, memcached: 0, php: false });
  const { mysql } = servers.options();
  if (mysql === undefined) throw new Error('There is no database');
  real = await createMysqlCluster(mysql);
  fake = await fakeCluster({ replicas: 0 });
  fake.answer(/^SELECT/, [{ a: 1 }]);
});
afterAll(async () => {
  await Promise.all([fake?.close(), real?.close()]);
  await servers?.close();
});

type Call = (mysql: MysqlCluster) => Promise<unknown>;
// biome-ignore lint/suspicious/noExplicitAny: the types refuse most of these already.
const any = (value: unknown): any => value;

const NAMED = { sql: 'SELECT :a AS a', namedPlaceholders: true };
const CALLS: readonly (readonly [string, Call])[] = [
  ['an undefined value', (mysql) => mysql.execute('SELECT ? AS a', any([undefined]))],
  ['a function', (mysql) => mysql.execute('SELECT ? AS a', any([() => 1]))],
  ['too few values', (mysql) => mysql.execute('SELECT ? AS a, ? AS b', [1])],
  ['no values', (mysql) => mysql.execute('SELECT ? AS a')],
  ['too many values', (mysql) => mysql.execute('SELECT ? AS a', [1, 2])],
  ['an object', (mysql) => mysql.execute('SELECT :a AS a', { a: 1 })],
  ['an object that lacks a name', (mysql) => mysql.execute('SELECT :a AS a', { b: 1 })],
  ['a question mark in a string', (mysql) => mysql.execute("SELECT '?' AS a, ? AS b", [1])],
  ['a question mark in a comment', (mysql) => mysql.execute('SELECT ? AS a /* ? */', [1])],
  ['two statements, executed', (mysql) => mysql.execute('SELECT 1 AS a; SELECT 2 AS a')],
  ['two statements', (mysql) => mysql.query('SELECT 1 AS a; SELECT 2 AS a')],
  ['a semicolon at the end', (mysql) => mysql.query('SELECT 1 AS a;')],
  ['a text with too few values', (mysql) => mysql.query('SELECT ? AS a, ? AS b', [1])],
  ['a text with too many values', (mysql) => mysql.query('SELECT ? AS a', [1, 2])],
  ['a text with an undefined value', (mysql) => mysql.query('SELECT ? AS a', any([undefined]))],
  ['a text with an object', (mysql) => mysql.query('SELECT :a AS a', { a: 1 })],
  ['values by name', (mysql) => mysql.execute({ ...NAMED, values: any({ a: 1 }) })],
  ['values by name, one of which is missing', (mysql) => mysql.execute({ ...NAMED, values: any({ b: 1 }) })],
  ['no values by name', (mysql) => mysql.execute(NAMED)],
  ['a text with values by name', (mysql) => mysql.query({ ...NAMED, values: any({ a: 1 }) })],
];

async function outcome(call: Call, mysql: MysqlCluster): Promise<string> {
  try {
    await call(mysql);
    return 'answered';
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    return code ?? name;
  }
}

test.each(CALLS)('%s', async (_, call) => {
  expect(await outcome(call, fake.cluster.mysql)).toBe(await outcome(call, real));
});

test('some of these are answered, and the others are refused in several ways', async () => {
  const outcomes = new Set(await Promise.all(CALLS.map(([, call]) => outcome(call, real))));
  expect([...outcomes].sort()).toEqual(expect.arrayContaining(['ER_PARSE_ERROR', 'TypeError', 'answered']));
});
