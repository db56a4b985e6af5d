/**
 * Sessions on memcached nodes that want a login (SASL), which closes their text protocol: what works, and what is told not to. The users
 * are kept by a daemon as Cyrus' saslauthd is one; SASL's plugin for PLAIN has to be on the machine (Debian: libsasl2-modules).
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkSessions } from '../../src/cli/doctor/check-sessions.js';
import { Deadline } from '../../src/common/deadline.js';
import { watchMemcachedPair } from '../../src/failover/resources/memcached-pair.js';
import { createMemcachedBoard } from '../../src/mysql/memcached-board.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { eventually } from '../integration/eventually.js';
import { MemcachedServers, type TestMemcached } from '../integration/memcached-servers.js';

const USER = { username: 'app', password: 'correct horse' };
const COUNT = 20;
let servers: MemcachedServers;
let users: Server;

beforeAll(async () => {
  servers = await MemcachedServers.open();
  const [folder, socket] = [join(servers.folder, 'sasl'), join(servers.folder, 'mux')];
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'memcached.conf'),
    `mech_list: plain\npwcheck_method: saslauthd\nsaslauthd_path: ${socket}\n`,
  );
  // Four texts with their lengths before them: user, password, service, realm. One text is the answer.
  users = createServer((client) => {
    let bytes = Buffer.alloc(0);
    client.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const texts: string[] = [];
      for (let at = 0; at + 2 <= bytes.length && at + 2 + bytes.readUInt16BE(at) <= bytes.length; ) {
        texts.push(bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at)));
        at += 2 + bytes.readUInt16BE(at);
      }
      if (texts.length < 4) return;
      const answer = texts[0] === USER.username && texts[1] === USER.password ? 'OK' : 'NO';
      client.end(Buffer.concat([Buffer.from([0, answer.length]), Buffer.from(answer)]));
    });
    client.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => users.listen(socket, resolve));
  chmodSync(socket, 0o666);
  chmodSync(servers.folder, 0o755);
});
afterAll(async () => {
  users?.close();
  await servers?.[Symbol.asyncDispose]();
});

const nameOf = ({ host, port }: TestMemcached): string => `${host}:${port}`;
const startNode = (): Promise<TestMemcached> =>
  servers.start(['-S'], '127.0.0.1', { SASL_CONF_PATH: join(servers.folder, 'sasl') });
const copiesOf = async (store: SessionStore, ids: readonly string[]): Promise<number> => {
  const found = await Promise.all(
    ids.flatMap((id) =>
      store.copies.places.nodes.map((node) => node.get(`memc.sess.key.${id}`, { timeoutMs: 5_000 })),
    ),
  );
  return found.filter((item) => item !== null).length;
};

test('with the right password sessions are kept through a restart, come back when they are used, and a refill is told to be impossible', async () => {
  const [a, b] = [await startNode(), await startNode()];
  const nodes = [a, b].map(nameOf);
  const options = { nodes, monitorIntervalMs: 100, operationTimeoutMs: 5_000 };
  for (const wrong of [{}, { ...USER, password: 'wrong' }])
    await expect(createSessionStore({ ...options, ...wrong })).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
    });

  await using store = await createSessionStore({ ...options, ...USER });
  const told: unknown[] = [];
  store.on('resync-failed', ({ node, error }) => told.push([node, (error as { code?: string }).code]));
  const ids: string[] = [];
  for (let made = 0; made < COUNT; made += 1) {
    const session = store.create();
    session.data['made'] = made;
    await store.save(session);
    ids.push(session.id);
  }
  expect(await copiesOf(store, ids)).toBe(2 * COUNT);

  await a.restart();
  await eventually('it is told that it cannot be filled', () =>
    told.some((one) => JSON.stringify(one) === JSON.stringify([nodes[0], 'ERR_UNSUPPORTED'])),
  );
  expect(store.status()[0]?.standing).toBe('warming');
  // A logout meanwhile stays one, also when the session is written again by who does not know.
  const [gone = '', ...kept] = ids;
  const late = await store.load(gone);
  await store.destroy(gone);
  late.data['late'] = true;
  await store.save(late);
  expect((await store.load(gone)).exists).toBe(false);
  for (const [index, id] of kept.entries()) {
    const session = await store.load(id);
    expect(session.data['made']).toBe(index + 1);
    session.data['used'] = true;
    await store.save(session);
  }
  expect(await copiesOf(store, kept)).toBe(2 * kept.length);
  expect(await copiesOf(store, [gone])).toBe(0);

  expect(await store.preflight()).toMatchObject({
    ok: false,
    checks: nodes.map((node) => ({ name: 'refill', node, result: 'warn' })),
  });
  const checks = await checkSessions({ ...options, ...USER });
  const refill = checks.filter(({ what }) => what === 'can be filled from the others');
  expect(refill.map(({ state }) => state)).toEqual(['warning', 'warning']);
  expect(refill[0]?.found).toContain('with SASL (-S)');
});

test('a pair is watched with a login, and one that is refused is told at the start', async () => {
  const nodes = [await startNode(), await startNode()].map(nameOf);
  for (const wrong of [{}, { ...USER, password: 'wrong' }])
    await expect(watchMemcachedPair({ nodes, timeoutMs: 5_000, ...wrong })).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
    });
  await using pair = await watchMemcachedPair({ nodes, timeoutMs: 5_000, ...USER });
  expect(pair.trusted).toEqual(nodes);
});

test('what processes see of the databases is shared by those that log in', async () => {
  const memcached = [nameOf(await startNode())];
  const boardOf = (login: object) => createMemcachedBoard({ memcached, ...login }, ['db1:3306'], 'auto');
  const [first, second] = [boardOf(USER), boardOf(USER)];
  await eventually('one leads', () => first.lead().catch(() => false));
  await first.publish('what it saw');
  await eventually(
    'the other one reads it',
    async () => (await second.read().catch(() => undefined)) === 'what it saw',
  );
  for (const wrong of [{}, { ...USER, password: 'wrong' }]) {
    const stranger = boardOf(wrong);
    await expect(stranger.publish('what it says')).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    await stranger.close().catch(() => undefined);
  }
  expect(await second.read()).toBe('what it saw');
  for (const board of [first, second]) await board.close();
});

test('what is no session keeps its end, of which the nodes cannot be asked: it stays where it is', async () => {
  const [a, b] = [await startNode(), await startNode()];
  const nodes = [a, b].map(nameOf);
  await using store = await createSessionStore({
    nodes,
    monitorIntervalMs: 100,
    operationTimeoutMs: 5_000,
    lifetimeMs: 2_000,
    ...USER,
  });
  const [, second] = store.copies.places.nodes;
  const call = { timeoutMs: 5_000 };
  const keys = Array.from({ length: 40 }, (_, n) => ({ key: `counter:${n}`, place: `counter:${n}` })).filter(
    (key) => store.copies.holders(key)[0]?.id === nodes[0],
  );
  const content = { value: Buffer.from('100'), flags: 0, exptime: 0 };
  for (const key of keys) await store.copies.store(key, content, Deadline.of(call));
  await a.restart();
  await eventually('the first node is known to be empty', () => store.status()[0]?.standing === 'warming');
  for (let round = 0; round < 5; round += 1)
    for (const key of keys)
      expect((await store.copies.read(key, Deadline.of(call))).item?.value.toString()).toBe('100');
  // Longer than a session lives.
  await second?.set('canary', Buffer.from('x'), { exptime: 4, ...call });
  await eventually('that has ended', async () => (await second?.get('canary', call)) === null);
  const left = await Promise.all(keys.map((key) => second?.get(key.key, call)));
  expect(keys.length).toBeGreaterThan(5);
  expect(left.map((item) => item?.value.toString())).toEqual(keys.map(() => '100'));
});
