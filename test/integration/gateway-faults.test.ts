/** PHP behind gateways while a node is killed, frozen or cut off: what PHP was told is stored is there. `npm run chaos -- gateway` is the whole list. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endOfItem } from '../../src/memcached/item-end.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { FAULT_STORIES } from '../support/gateway-faults.js';
import { GatewayRoom } from '../support/gateway-room.js';
import { logOutWhileRead } from '../support/logout-story.js';
import { writeThrough } from '../support/php-writers.js';
import { hammerSessions } from '../support/session-hammer.js';
import { eventually } from './eventually.js';
import { exchange } from './gateway/same-bytes.js';

/** A client of the text protocol whose answers are one line each. */
async function lineClient(port: number): Promise<{ ask(text: string): Promise<string>; end(): void }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    async ask(text) {
      socket.write(text);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer.toString().trim();
    },
    end: () => void socket.destroy(),
  };
}

const SHORT = { writers: 4, sessions: 20 };
const HOLD_MS = 1_500;
let room: GatewayRoom;

beforeAll(async () => {
  room = await GatewayRoom.open(2);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

test.each(FAULT_STORIES.filter(({ name }) => /^(kill|one host|flush)/.test(name)))(
  '$name: every acknowledged session is there, with its newest content',
  async ({ happen }) => {
    const report = await writeThrough(
      room.servers,
      (index) => room.ini(index),
      SHORT,
      () => happen(room, HOLD_MS),
      () => room.settled(),
    );
    expect(report.lost).toEqual([]);
    expect(report.sessions).toBeGreaterThan(0);
  },
);

test('two gateways, one of them cut off from a node: PHP requests keep each other out all the same', async () => {
  const report = await hammerSessions(
    room.servers,
    'memcached',
    { php: 8, node: 0, sessions: 6, durationMs: 6_000 },
    {
      nodes: room.servers.memcached.map(({ id }) => id),
      addressMap: Object.fromEntries(
        room.servers.memcached.map(({ id, host, realPort }) => [id, `${host}:${realPort}`]),
      ),
    },
    {
      phpPath: (index) => room.gateways[index % 2]?.gateway.address ?? '',
      during: async () => {
        await sleep(1_500);
        const cut = room.gateways[0]?.lines[0]?.partition();
        await sleep(3_000);
        cut?.heal();
      },
      settled: () => room.settled(),
    },
  );
  expect(report.lost).toEqual([]);
  expect(report.phpSaved).toBeGreaterThan(0);
});

test('users who log out by PHP and by Node while PHP reads their sessions, one gateway cut off from a node, stay logged out', async () => {
  const report = await logOutWhileRead(room, 30, async (logOut) => {
    const cut = room.gateways[0]?.lines[0]?.partition();
    await logOut();
    cut?.heal();
  });
  expect(report.back).toEqual([]);
  expect(report.loggedOut).toBe(30);
  expect(report.seen).toBeGreaterThan(20);
});

test("a lock that is given back twice, as PHP does, is not another request's lock", async () => {
  await room.settled();
  const port = room.gateways[1]?.gateway.port ?? 0;
  const lock = 'memc.sess.key.lock.given-back-twice';
  const [one, other, third] = await Promise.all([lineClient(port), lineClient(port), lineClient(port)]);
  const take = `add ${lock} 0 30 1\r\n1\r\n`;
  expect(await one.ask(take)).toBe('STORED');
  expect(await other.ask(take)).toBe('NOT_STORED');
  expect(await one.ask(`delete ${lock}\r\n`)).toBe('DELETED');
  expect(await other.ask(take)).toBe('STORED');
  expect(await one.ask(`delete ${lock}\r\n`)).toBe('NOT_FOUND');
  expect(await third.ask(take)).toBe('NOT_STORED');
  expect(await other.ask(`delete ${lock}\r\n`)).toBe('DELETED');
  expect(await third.ask(take)).toBe('STORED');
  for (const client of [one, other, third]) client.end();
});

test('a question whether a destroyed session exists, as PHP asks it in strict mode, does not bring it back', async () => {
  await room.settled();
  const [{ gateway, lines, store } = {}] = room.gateways;
  const client = await lineClient(gateway?.port ?? 0);
  // An `add` of nothing that is over at once; a `set` and a `touch` of that kind remove.
  const questions = ['add # 0 2678400 0\r\n\r\n', 'set # 0 -1 1\r\nx\r\n', 'touch # -1\r\n'];
  for (const [index, question] of questions.entries()) {
    const id = `destroyed${index}`;
    const key = `memc.sess.key.${id}`;
    expect(await client.ask(`set ${key} 0 600 9\r\nuser|i:1;\r\n`)).toBe('STORED');
    const first = room.servers.memcached.findIndex((node) => node.id === store?.holders(id)[0]);
    const cut = lines?.[first]?.partition();
    expect(await client.ask(`delete ${key}\r\n`)).toBe('DELETED');
    expect(await client.ask(question.replace('#', key))).toBe(index === 2 ? 'NOT_FOUND' : 'STORED');
    cut?.heal();
    await room.settled();
    for (const one of room.gateways) expect((await one.store.load(id)).exists).toBe(false);
  }
  const key = 'memc.sess.key.alive';
  const get = `get ${key}\r\n`;
  const alive = `set ${key} 0 600 1\r\na\r\n`;
  expect(await client.ask(alive)).toBe('STORED');
  expect(await client.ask((questions[0] ?? '').replace('#', key))).toBe('NOT_STORED');
  expect(await client.ask(get)).toMatch(/^VALUE/);
  expect(await client.ask((questions[1] ?? '').replace('#', key))).toBe('STORED');
  expect(await client.ask(get)).toBe('END');
  expect(await client.ask(alive)).toBe('STORED');
  expect(await client.ask((questions[2] ?? '').replace('#', key))).toBe('TOUCHED');
  expect(await client.ask(get)).toBe('END');
  client.end();
});

test('the note of a logout outlives the session, however long PHP made that live', async () => {
  await room.settled();
  const [{ gateway, lines, store } = {}] = room.gateways;
  const client = await lineClient(gateway?.port ?? 0);
  const id = 'long-lived';
  const key = `memc.sess.key.${id}`;
  const lifeSeconds = 2_500_000;
  expect(await client.ask(`set ${key} 0 ${lifeSeconds} 9\r\nuser|i:1;\r\n`)).toBe('STORED');
  const first = room.servers.memcached.findIndex((node) => node.id === store?.holders(id)[0]);
  const cut = lines?.[first]?.partition();
  const reached = await lineClient(room.servers.memcached[1 - first]?.realPort ?? 0);
  try {
    // The node that is left may be slow for once.
    await eventually('the logout is taken', async () =>
      /^(DELETED|NOT_FOUND)$/.test(await client.ask(`delete ${key}\r\n`)),
    );
    const [, noteSeconds] = /^HD t(\d+)/.exec(await reached.ask(`mg stormlamp:tomb:${key} t\r\n`)) ?? [];
    expect(Number(noteSeconds)).toBeGreaterThan(lifeSeconds);
  } finally {
    cut?.heal();
  }
  await room.settled();
  for (const one of room.gateways) expect((await one.store.load(id)).exists).toBe(false);
  client.end();
  reached.end();
});

test('a lock that was asked for by a client which is gone by then is free again', async () => {
  await room.settled();
  const [gateway] = room.gateways;
  const take = 'add memc.sess.key.lock.asked-for-and-gone 0 600 1\r\n1\r\n';
  const [gone, other] = await Promise.all([
    lineClient(gateway?.gateway.port ?? 0),
    lineClient(gateway?.gateway.port ?? 0),
  ]);
  for (const one of [gone, other]) expect(await one.ask('version\r\n')).toMatch(/^VERSION/);
  const delays = gateway?.lines.map((line) => line.latency({ ms: 200 })) ?? [];
  void gone.ask(take).catch(() => undefined);
  const clients = gateway?.gateway.connections ?? 0;
  gone.end();
  await eventually('the client is gone', () => (gateway?.gateway.connections ?? clients) < clients);
  for (const delay of delays) delay.heal();
  await eventually('the lock is free', async () => (await other.ask(take)) === 'STORED', 10_000);
  other.end();
});

test('a session that could not be read is not written by that client until it was: PHP would write an empty one over it', async () => {
  await room.settled();
  const [gateway] = room.gateways;
  const key = 'memc.sess.key.not-read-at-first';
  const get = `get ${key}\r\n`;
  const open = (): ReturnType<typeof lineClient> => lineClient(gateway?.gateway.port ?? 0);
  const [client, left, other, back] = await Promise.all([open(), open(), open(), open()]);
  const set = (value: string): string => `set ${key} 0 60 ${value.length}\r\n${value}\r\n`;
  const refused = /^SERVER_ERROR .*could not be read/;
  expect(await client.ask(set('user|i:1;'))).toBe('STORED');
  const cuts = gateway?.lines.map((line) => line.partition()) ?? [];
  const answers = await Promise.all([client.ask(get), left.ask(get)]);
  for (const answer of answers) expect(answer).toMatch(/^SERVER_ERROR/);
  for (const cut of cuts) cut.heal();
  await room.settled();
  left.end();
  // That somebody else was shown the session says nothing about what they go on with.
  expect(await other.ask(get)).toMatch(/^VALUE/);
  expect(await client.ask(set(''))).toMatch(refused);
  await eventually('the client that left is one that may come back', async () =>
    refused.test(await back.ask(set(''))),
  );
  expect(await other.ask(set('user|i:2;'))).toBe('STORED');
  expect(await client.ask(get)).toMatch(/^VALUE/);
  expect(await client.ask(set('user|i:3;'))).toBe('STORED');
  expect(await other.ask(get)).toContain('user|i:3;');
  for (const one of [client, other, back]) one.end();
});

test('a number is counted on after each node was restarted: the connection that was left over is replaced', async () => {
  await room.settled();
  const key = 'memc.sess.key.counted';
  const client = await lineClient(room.gateways[0]?.gateway.port ?? 0);
  expect(await client.ask(`set ${key} 0 60 1\r\n1\r\n`)).toBe('STORED');
  expect(await client.ask(`incr ${key} 1\r\n`)).toBe('2');
  for (const [index, node] of room.servers.memcached.entries()) {
    await node.kill();
    await node.start();
    await room.settled();
    expect(await client.ask(`incr ${key} 1\r\n`)).toBe(String(3 + index));
  }
  client.end();
});

test('what two gateways count up and append to without a pause ends with the second with which it was to end', async () => {
  await room.settled();
  const keys = ['memc.sess.key.window', 'memc.sess.key.log'] as const;
  const clients = await Promise.all(room.gateways.map(({ gateway }) => lineClient(gateway.port)));
  const nodes = await Promise.all(
    room.servers.memcached.map(({ realPort }) =>
      TextConnection.open({ address: { host: '127.0.0.1', port: realPort } }),
    ),
  );
  const ends = async (): Promise<unknown> => {
    const found: unknown[] = [];
    for (const node of nodes) for (const key of keys) found.push(await endOfItem(node, key));
    return found;
  };
  const time = async (): Promise<number> => Number((await nodes[0]?.stats())?.get('time'));
  for (const key of keys) expect(await clients[0]?.ask(`set ${key} 0 60 1\r\n1\r\n`)).toBe('STORED');
  // As the first of these leaves them: the nodes' clocks do not tick together.
  await clients[0]?.ask(`incr ${keys[0]} 1\r\n`);
  await clients[0]?.ask(`append ${keys[1]} 0 0 1\r\nx\r\n`);
  const [before, until] = [await ends(), (await time()) + 4];
  while ((await time()) < until) {
    const answers = await Promise.all(
      clients.map(async (client) => [
        await client.ask(`incr ${keys[0]} 1\r\n`),
        await client.ask(`append ${keys[1]} 0 0 1\r\nx\r\n`),
      ]),
    );
    for (const [counted, appended] of answers) {
      expect(counted).toMatch(/^\d+$/);
      expect(appended).toBe('STORED');
    }
  }
  expect(await ends()).toEqual(before);
  for (const one of clients) one.end();
  for (const node of nodes) node.destroy();
});

test("PHP's own handler loses sessions by the same: this test can fail", async () => {
  const report = await writeThrough(
    room.servers,
    (index) => room.nativeIni(index),
    SHORT,
    async () => {
      await room.servers.memcached[0]?.kill();
      await room.servers.memcached[0]?.start();
    },
  );
  expect(report.lost.length).toBeGreaterThan(0);
});

test('a version names the node that gave it: after another one took over, cas is EXISTS', async () => {
  // The test before left a node that came back empty.
  await room.settled();
  const { gateway, store } = room.gateways[1] ?? {};
  const say = async (text: string): Promise<string> =>
    (await exchange(gateway?.port ?? 0, [Buffer.from(text)])).toString();
  const versionOf = (answer: string): string => /^VALUE \S+ \d+ \d+ (\d+)/.exec(answer)?.[1] ?? '';
  expect(await say('set versioned 0 0 3\r\none\r\n')).toBe('STORED\r\n');
  const old = versionOf(await say('gets versioned\r\n'));
  const first = store?.copies.holders({ key: 'versioned', place: 'versioned' })[0]?.id;
  const node = room.servers.memcached.find(({ id }) => id === first);
  await node?.kill();
  // The same content, and even the same number may be there: it is another node's.
  await eventually('another node answers', async () => {
    const now = versionOf(await say('gets versioned\r\n'));
    return now !== '' && now !== old;
  });
  expect(await say(`cas versioned 0 0 3 ${old}\r\ntwo\r\n`)).toBe('EXISTS\r\n');
  const present = versionOf(await say('gets versioned\r\n'));
  expect(await say(`cas versioned 0 0 5 ${present}\r\nthree\r\n`)).toBe('STORED\r\n');
  await node?.start();
  await room.settled();
});
