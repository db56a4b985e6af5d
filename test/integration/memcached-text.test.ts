/** The text connection on real servers: remaining lives, dumps, and servers that do not allow it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../src/common/stormlamp-error.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { openForeignPeer } from '../unit/memcached/scripted-peer.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;
let shared: TestMemcached;

beforeAll(async () => {
  servers = await MemcachedServers.open();
  shared = await servers.start();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

function open({ host, port }: { host?: string; port: number }): Promise<TextConnection> {
  return TextConnection.open({ address: { host: host ?? '127.0.0.1', port }, timeoutMs: 2000 });
}

async function fill({ host, port }: TestMemcached, count: number, value: Buffer, exptime = 0): Promise<void> {
  const node = createMemcachedNode({ address: { host, port }, timeoutMs: 10_000 });
  for (let at = 0; at < count; at += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - at) }, (_, index) => `s.${at + index}`);
    await Promise.all(batch.map((key) => node.set(key, value, { exptime })));
  }
  await node.close();
}

async function errorOf(work: Promise<unknown>): Promise<StormlampError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StormlampError) return error;
    throw error;
  }
  throw new Error('expected a rejection');
}

async function dumpAll(connection: TextConnection): Promise<number> {
  let count = 0;
  for await (const _entry of connection.metadump()) count += 1;
  return count;
}

test('items come with the time they still live, flags and version', async () => {
  const node = createMemcachedNode({ address: { host: shared.host, port: shared.port } });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const stored = await node.set('a', bytes, { exptime: 100, flags: 7 });
  await node.set('ever', Buffer.alloc(200_000, bytes), { exptime: 0 });
  await node.set('é', Buffer.alloc(0), { exptime: 3600 });
  await using connection = await open(shared);
  const [a, missing, ever, accent] = await connection.items(['a', 'missing', 'ever', 'é']);
  expect(a).toMatchObject({ value: bytes, flags: 7, cas: stored.status === 'stored' ? stored.cas : 0n });
  expect(a?.remainingSeconds).toBeGreaterThan(95);
  expect(a?.remainingSeconds).toBeLessThanOrEqual(100);
  expect(missing).toBeNull();
  expect(ever?.remainingSeconds).toBeUndefined();
  expect(ever?.value.equals(Buffer.alloc(200_000, bytes))).toBe(true);
  expect(accent?.value).toEqual(Buffer.alloc(0));
  expect(await connection.items([])).toEqual([]);
  await node.close();
});

test('statistics, general and of a group', async () => {
  await using connection = await open(shared);
  expect(Number((await connection.stats()).get('pid'))).toBeGreaterThan(0);
  expect((await connection.stats({ group: 'settings' })).get('item_size_max')).toBe('1048576');
});

test('a dump names every item once, and only those of the prefixes', async () => {
  const server = await servers.start();
  await fill(server, 20_000, Buffer.from('x'), 500);
  const node = createMemcachedNode({ address: { host: server.host, port: server.port } });
  await node.set('other.1', Buffer.from('x'), { exptime: 0 });
  await node.set('other.2', Buffer.from('x'), { exptime: 0 });
  await using connection = await open(server);
  const keys: string[] = [];
  const now = Date.now() / 1000;
  for await (const entry of connection.metadump({ prefixes: ['s.', 'other.1'] })) {
    keys.push(entry.key);
    if (entry.key === 'other.1') expect(entry.expiresAt).toBe(-1);
    else expect(Math.abs(entry.expiresAt - now - 500)).toBeLessThan(30);
  }
  expect(keys.toSorted()).toEqual(
    ['other.1', ...Array.from({ length: 20_000 }, (_, index) => `s.${index}`)].toSorted(),
  );
  const alone: string[] = [];
  for await (const some of connection.metadumpKeys({ prefixes: ['s.', 'other.1'] })) alone.push(...some);
  expect(alone.toSorted()).toEqual(keys.toSorted());
  // The same connection goes on working.
  expect((await connection.items(['s.1']))[0]?.value.toString()).toBe('x');
  await node.close();
});

test('an empty server has an empty dump', async () => {
  await using connection = await open(await servers.start());
  expect(await dumpAll(connection)).toBe(0);
});

test('while a dump waits for its reader, a second one waits for it; a dump that is left frees the server', async () => {
  const server = await servers.start(['-m', '256']);
  await fill(server, 120_000, Buffer.from('x'));
  await using first = await open(server);
  const dump = first.metadump();
  expect((await dump.next()).done).toBe(false);
  {
    await using impatient = await open(server);
    const late = impatient.metadump({ signal: AbortSignal.timeout(200) });
    expect((await errorOf(late.next())).code).toBe(ErrorCode.ABORTED);
  }
  await using second = await open(server);
  const count = dumpAll(second);
  await dump.return();
  expect(await count).toBe(120_000);
});

test('a dump of keys does not wait for who works on them: the server would answer nobody meanwhile', async () => {
  const server = await servers.start(['-m', '256']);
  await fill(server, 120_000, Buffer.from('x'));
  await using first = await open(server);
  await using second = await open(server);
  const busy = first.metadumpKeys();
  let count = (await busy.next()).value?.length ?? 0;
  // The server makes one dump at a time: it has written all of the first one.
  expect(await dumpAll(second)).toBe(120_000);
  for await (const keys of busy) count += keys.length;
  expect(count).toBe(120_000);
});

test('a server that dies in the middle of a dump ends it with an error, never as if it were complete', async () => {
  const server = await servers.start(['-m', '256']);
  await fill(server, 120_000, Buffer.from('x'));
  await using connection = await open(server);
  let count = 0;
  const reading = (async () => {
    for await (const _entry of connection.metadump()) {
      count += 1;
      if (count === 10) await server.server.kill();
    }
  })();
  expect((await errorOf(reading)).code).toBe(ErrorCode.NODE_UNREACHABLE);
  expect(count).toBeLessThan(120_000);
});

test('a server that freezes in the middle ends the dump after the limit of silence', async () => {
  const server = await servers.start(['-m', '256']);
  await fill(server, 120_000, Buffer.from('x'));
  await using connection = await TextConnection.open({
    address: { host: server.host, port: server.port },
    timeoutMs: 150,
  });
  let count = 0;
  const reading = (async () => {
    for await (const _entry of connection.metadump()) {
      count += 1;
      if (count === 10) await server.server.pause();
    }
  })();
  expect((await errorOf(reading)).code).toBe(ErrorCode.TIMEOUT);
  await server.server.resume();
});

test('an abort ends a dump and a read', async () => {
  await using connection = await open(shared);
  const abort = new AbortController();
  abort.abort();
  expect((await errorOf(connection.items(['a'], { signal: abort.signal }))).code).toBe(ErrorCode.ABORTED);
  await using other = await open(shared);
  const dump = other.metadump({ signal: abort.signal });
  expect((await errorOf(dump.next())).code).toBe(ErrorCode.ABORTED);
});

test('a server that forbids dumps says so', async () => {
  for (const args of [['-X'], ['-o', 'no_lru_crawler']]) {
    await using connection = await open(await servers.start(args));
    const error = await errorOf(dumpAll(connection));
    expect(error.code).toBe(ErrorCode.UNSUPPORTED);
    expect(error.message).toMatch(/not allowed|disabled/);
  }
});

test('a server with SASL has no text protocol: the error says what is not available there', async () => {
  const server = await servers.start(['-S'], '127.0.0.1', { SASL_CONF_PATH: servers.folder });
  const error = await errorOf(open(server));
  expect(error.code).toBe(ErrorCode.UNSUPPORTED);
  expect(error.message).toContain('with SASL (-S)');
});

test('another server on the port is told apart', async () => {
  await using peer = await openForeignPeer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const error = await errorOf(open(peer));
  expect(error.code).toBe(ErrorCode.PROTOCOL);
  expect(error.message).toContain('an HTTP server');
});

test('a hostile server is cut off: an endless line, an item of any size', async () => {
  await using endless = await openForeignPeer((socket) => socket.write('VERSION '.padEnd(20_000, 'x')));
  expect((await errorOf(open(endless))).code).toBe(ErrorCode.PROTOCOL);
  await using huge = await openForeignPeer((socket) => {
    socket.write('VERSION 1\r\n'.repeat(3));
    socket.on('data', (data) => {
      if (data.toString().includes('mg ')) socket.write('VA 4000000000 t-1 f0 c1\r\n');
    });
  });
  await using connection = await open(huge);
  expect((await errorOf(connection.items(['k']))).code).toBe(ErrorCode.PROTOCOL);
});

test('one connection does one command at a time', async () => {
  await using connection = await open(shared);
  const first = connection.stats();
  expect((await errorOf(connection.items(['a']))).code).toBe(ErrorCode.UNSUPPORTED);
  expect((await first).size).toBeGreaterThan(10);
});

test('nobody there, a silent server, a key that is none', async () => {
  expect((await errorOf(open({ port: 1 }))).code).toBe(ErrorCode.NODE_UNREACHABLE);
  await using silent = await openForeignPeer(() => undefined);
  const address = { host: '127.0.0.1', port: silent.port };
  expect((await errorOf(TextConnection.open({ address, timeoutMs: 60 }))).code).toBe(ErrorCode.TIMEOUT);
  await using connection = await open(shared);
  expect((await errorOf(connection.items(['a b']))).code).toBe(ErrorCode.INVALID_KEY);
});
