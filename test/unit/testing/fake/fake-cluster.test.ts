import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { drizzle } from 'drizzle-orm/mysql2';
import { afterEach, expect, test } from 'vitest';
import {
  type FakeAnswer,
  type FakeCluster,
  type FakeClusterOptions,
  fakeCluster,
} from '../../../../src/testing/index.js';

const users = mysqlTable('users', { id: int(), name: varchar({ length: 50 }) });
const open: FakeCluster[] = [];
afterEach(async () => {
  for (const fake of open.splice(0)) await fake.close();
});

async function fakeOf(options?: FakeClusterOptions): Promise<FakeCluster> {
  const fake = await fakeCluster(options);
  open.push(fake);
  return fake;
}

test('reads go to replicas, writes to the primary, and the answers are what the test says', async () => {
  const fake = await fakeOf();
  const { mysql } = fake.cluster;
  fake.answer('SELECT name FROM users WHERE id = ?', ({ values }) => [{ name: `user ${values[0]}` }]);
  fake.answer(/^INSERT INTO users/, { insertId: 7 });
  const [rows] = await mysql.query('SELECT name\n  FROM users WHERE id = ?', [1]);
  expect(rows).toEqual([{ name: 'user 1' }]);
  const [written] = await mysql.execute('INSERT INTO users (name) VALUES (?)', ['ada']);
  expect(written).toMatchObject({ insertId: 7, affectedRows: 1 });
  expect(fake.statements.map(({ role, values }) => [role, ...values])).toEqual([
    ['replica', 1],
    ['primary', 'ada'],
  ]);
});

test('a statement of megabytes is no different', async () => {
  const fake = await fakeOf();
  fake.answer('SELECT ?', [{ one: 1 }]);
  const [rows] = await fake.cluster.mysql.query('SELECT ?', ['x'.repeat(2_000_000)]);
  expect(rows).toEqual([{ one: 1 }]);
});

test('a statement without an answer says what to do; an error is the server’s', async () => {
  const fake = await fakeOf();
  const { mysql } = fake.cluster;
  await expect(mysql.query('SELECT 1')).rejects.toThrow('add `answer("SELECT 1", …)`');
  fake.answer('SELECT 1', Object.assign(new Error('Duplicate entry'), { code: 'ER_DUP_ENTRY', errno: 1062 }));
  await expect(mysql.query('SELECT 1')).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
  expect(() => fake.answer('SELECT 1', null as never)).toThrow('Expected `answer` to be rows');
});

test('a scope sees its own writes: not on a replica that stands still', async () => {
  const fake = await fakeOf({ replicas: 1, mysql: { reads: { maxLagMs: 60_000 } } });
  const { mysql } = fake.cluster;
  fake.answer('SELECT 1', [{ 1: 1 }]);
  fake.answer('UPDATE users SET name = 1', {});
  await fake.lag('db2', 10);
  await mysql.run({}, async () => {
    await mysql.query('UPDATE users SET name = 1');
    await mysql.query('SELECT 1');
  });
  await mysql.query('SELECT 1');
  expect(fake.statements.map(({ node }) => node)).toEqual(['db1', 'db1', 'db2']);
  await fake.lag('db2', 0);
  await mysql.run({}, async () => {
    await mysql.query('UPDATE users SET name = 1');
    await mysql.query('SELECT 1');
  });
  expect(fake.statements.at(-1)?.node).toBe('db2');
});

test('the primary is never behind', async () => {
  const fake = await fakeOf({ replicas: 1 });
  await expect(fake.lag('db1', 10)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await fake.promote('db2');
  await expect(fake.lag('db2', 10)).rejects.toThrow('the primary is never behind');
  await fake.lag('db1', 10);
});

test('a transaction stays on the primary and is rolled back', async () => {
  const fake = await fakeOf();
  fake.answer('UPDATE users SET name = 1', {});
  const failing = fake.cluster.mysql.transaction(async (tx) => {
    await tx.query('UPDATE users SET name = 1');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(fake.statements.map(({ sql, node }) => `${node} ${sql}`)).toEqual([
    'db1 START TRANSACTION READ WRITE',
    'db1 UPDATE users SET name = 1',
    'db1 ROLLBACK',
  ]);
});

test('a dead replica is not noticed, a dead primary is, and a promotion is followed', async () => {
  const fake = await fakeOf({ mysql: { blockMs: 50 } });
  const { mysql, failover } = fake.cluster;
  fake.answer('SELECT 1', [{ 1: 1 }]);
  fake.answer('DELETE FROM users', {});
  await fake.kill('db2');
  for (let read = 0; read < 5; read += 1) await mysql.query('SELECT 1');
  expect(new Set(fake.statements.map(({ node }) => node))).toEqual(new Set(['db3']));
  await fake.kill('db1');
  await expect(mysql.query('DELETE FROM users')).rejects.toMatchObject({ code: 'ERR_NO_PRIMARY' });
  const followed = new Promise((resolve) => failover.once('primary-followed', resolve));
  await fake.promote('db3');
  await mysql.query('DELETE FROM users');
  expect(await followed).toMatchObject({ from: 'db1:3306', to: 'db3:3306', epoch: 2 });
  await fake.start('db1');
  expect(mysql.topology().nodes.map(({ id, state }) => [id, state === 'up'])).toEqual([
    ['db1:3306', true],
    ['db2:3306', false],
    ['db3:3306', true],
  ]);
});

test('sessions have copies, outlive a node, and are there again on it', async () => {
  const fake = await fakeOf();
  const { sessions } = fake.cluster;
  const session = sessions.create();
  session.data['user'] = 'ada';
  expect((await sessions.save(session)).copies).toHaveLength(2);
  for (const [first, second] of [
    ['cache1', 'cache2'],
    ['cache2', 'cache1'],
  ] as const) {
    await fake.kill(first);
    const loaded = await sessions.load(session.id);
    expect(loaded.data['user']).toBe('ada');
    loaded.data['seen'] = first;
    await sessions.save(loaded);
    await fake.start(first);
    await fake.kill(second);
    expect((await sessions.load(session.id)).data['seen']).toBe(first);
    await fake.start(second);
  }
  await sessions.destroy(session.id);
  expect((await sessions.load(session.id)).exists).toBe(false);
});

test('an answer that comes too late is a timeout', async () => {
  const fake = await fakeOf();
  fake.answer('SELECT SLEEP(1)', () => new Promise(() => undefined));
  const slow = fake.cluster.mysql.query({ sql: 'SELECT SLEEP(1)', timeoutMs: 20 });
  await expect(slow).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
});

test('rows as arrays and callbacks, as query builders ask for them', async () => {
  const fake = await fakeOf();
  fake.answer('SELECT id, name FROM users', [{ id: 1, name: 'ada' }]);
  const db = drizzle({ client: fake.cluster.mysql });
  fake.answer(/from `users`/, [{ id: 2, name: 'bob' }]);
  expect(await db.select({ id: users.id, name: users.name }).from(users)).toEqual([{ id: 2, name: 'bob' }]);
  const [rows, fields] = await fake.cluster.mysql.query({
    sql: 'SELECT id, name FROM users',
    rowsAsArray: true,
  });
  expect([rows, fields.map(({ name }) => name)]).toEqual([[[1, 'ada']], ['id', 'name']]);
  const pool = fake.cluster.mysql.callbackPool();
  const called = await new Promise((resolve, reject) =>
    pool.query('SELECT id, name FROM users', (error, result) => (error ? reject(error) : resolve(result))),
  );
  expect(called).toEqual([{ id: 1, name: 'ada' }]);
});

test('options are checked', async () => {
  await expect(fakeCluster({ replica: 1 } as never)).rejects.toThrow('did you mean `replicas`');
  await expect(fakeCluster({ memcached: 0 })).rejects.toThrow('`options.memcached`');
  const fake = await fakeOf();
  await expect(fake.kill('db9')).rejects.toThrow('one of db1, db2, db3, cache1, cache2');
});

test.each([
  ['undefined', () => undefined],
  ['null', () => null],
  ['[ 1, 2 ]', () => [1, 2]],
  ['[ null ]', async () => [null]],
  ['7', () => 7],
])('a function that gives %s fails its statement, and says so', async (shown, answer) => {
  const fake = await fakeOf();
  fake.answer('DELETE FROM cart', answer as unknown as FakeAnswer);
  await expect(fake.cluster.mysql.query('DELETE FROM cart')).rejects.toMatchObject({
    code: 'ER_NO_FAKE_ANSWER',
    message: `The function that answers "DELETE FROM cart" gave ${shown}: let it give rows (a list of objects), { affectedRows, insertId } for a write, or an Error`,
  });
  expect(() => fake.answer('SELECT 1', [null] as unknown as FakeAnswer)).toThrow('Expected `answer`');
});

test('a connection streams rows', async () => {
  const fake = await fakeOf();
  fake.answer('SELECT n FROM t', [{ n: 1 }, { n: 2 }]);
  const pool = fake.cluster.mysql.callbackPool();
  const rows: unknown[] = [];
  for await (const row of pool.query('SELECT n FROM t').stream()) rows.push(row);
  await expect(
    (async () => {
      for await (const row of pool.query('SELECT m FROM t').stream()) rows.push(row);
    })(),
  ).rejects.toMatchObject({ code: 'ER_NO_FAKE_ANSWER' });
  expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
});

test('what no server does is refused: to become the primary while it is down, to be behind by no number', async () => {
  const fake = await fakeCluster();
  await fake.kill('db2');
  await expect(fake.promote('db2')).rejects.toThrow(/`name` to be a node that is up/);
  for (const lag of [-5, Number.NaN, 'x'] as number[])
    await expect(fake.lag('db3', lag)).rejects.toThrow(/`lagMs` to be a number >= 0/);
  await fake.close();
});

test('rows are new with every query, whatever is in them', async () => {
  const fake = await fakeCluster();
  const answer = [{ tags: ['a'], at: new Date(5), raw: Buffer.from('x'), more: { n: 1 } }];
  fake.answer('SELECT * FROM t', answer);
  const ask = async () => {
    const [rows] = await fake.cluster.mysql.query('SELECT * FROM t');
    return (rows as unknown as typeof answer)[0] as (typeof answer)[0];
  };
  const row = await ask();
  row.tags.push('b');
  row.at.setTime(9);
  row.raw.fill(0);
  row.more.n = 2;
  expect(await ask()).toEqual({ tags: ['a'], at: new Date(5), raw: Buffer.from('x'), more: { n: 1 } });
  await fake.close();
});
