/** One memcached node on real servers: every call, every way to reach it, and every way in which it can go away. */
import { writeFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../src/common/stormlamp-error.js';
import { DEFAULT_ITEM_BYTES, maxValueBytes } from '../../src/memcached/item-size.js';
import type { MemcachedNode } from '../../src/memcached/memcached-node.js';
import type { MemcachedNodeOptions } from '../../src/memcached/memcached-node-options.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { listenOnFreePort } from '../../src/testing/process/free-port.js';
import { eventually } from './eventually.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from './tls-certificate.js';

let servers: MemcachedServers;
let shared: TestMemcached;
const nodes: MemcachedNode[] = [];

beforeAll(async () => {
  servers = await MemcachedServers.open();
  shared = await servers.start();
});

afterAll(async () => {
  for (const node of nodes) node.destroy();
  await servers[Symbol.asyncDispose]();
});

function client(
  { host, port }: TestMemcached,
  options: Omit<MemcachedNodeOptions, 'address'> = {},
): MemcachedNode {
  const node = createMemcachedNode({ address: { host, port }, ...options });
  nodes.push(node);
  return node;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (error instanceof StormlampError) return error.code;
    throw error;
  }
}

const text = (value: string): Buffer => Buffer.from(value);

describe('the calls', () => {
  test('store, read, compare and set, delete', async () => {
    const node = client(shared);
    expect(await node.get('k')).toBeNull();
    const first = await node.add('k', text('one'), { exptime: 60, flags: 0xdead_beef });
    expect(first).toMatchObject({ status: 'stored' });
    expect(await node.add('k', text('two'), { exptime: 60 })).toEqual({ status: 'exists' });
    const item = await node.get('k');
    expect(item).toMatchObject({ value: text('one'), flags: 0xdead_beef });
    expect(first).toEqual({ status: 'stored', cas: item?.cas });
    const second = await node.set('k', text('two'), { exptime: 60, cas: item?.cas ?? 0n });
    expect(second.status).toBe('stored');
    expect(await node.set('k', text('three'), { exptime: 60, cas: item?.cas ?? 0n })).toEqual({
      status: 'exists',
    });
    expect(await node.delete('k', { cas: item?.cas ?? 0n })).toBe('exists');
    expect((await node.get('k'))?.value.toString()).toBe('two');
    expect(await node.delete('k', { cas: second.status === 'stored' ? second.cas : 0n })).toBe('deleted');
    expect(await node.delete('k')).toBe('not-found');
    expect(await node.set('k', text('x'), { exptime: 60, cas: 5n })).toEqual({ status: 'not-found' });
    expect(await node.replace('k', text('x'), { exptime: 60 })).toEqual({ status: 'not-found' });
    expect(await node.touch('k', 60)).toBe('not-found');
  });

  test('several items in one packet, hits and misses in their places', async () => {
    const node = client(shared);
    for (const key of ['m1', 'm3']) await node.set(key, text(`value of ${key}`), { exptime: 60 });
    const values = async (keys: readonly string[]) =>
      (await node.getMany(keys)).map((item) => item?.value.toString() ?? null);
    const [m1, m3] = ['value of m1', 'value of m3'];
    expect(await values([])).toEqual([]);
    expect(await values(['m1', 'm2', 'm3'])).toEqual([m1, null, m3]);
    expect(await values(['m2', 'm3', 'm2'])).toEqual([null, m3, null]);
    expect(await values(['m1', 'm1'])).toEqual([m1, m1]);
    const all = await Promise.all(Array.from({ length: 200 }, () => values(['m2', 'm1', 'm2', 'm3'])));
    expect(all).toEqual(all.map(() => [null, m1, null, m3]));
    expect(await codeOf(node.getMany(['m1', 'x'.repeat(251)]))).toBe(ErrorCode.INVALID_KEY);
    expect(await values(['m3'])).toEqual([m3]);
  });

  test('any bytes come back as they were, also none and many', async () => {
    const node = client(shared);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    for (const value of [bytes, Buffer.alloc(0), Buffer.alloc(900_000, bytes)]) {
      await node.set('bytes', value, { exptime: 0 });
      const item = await node.get('bytes');
      expect(item?.value.equals(value)).toBe(true);
      expect(item?.flags).toBe(0);
    }
  });

  test('expiry 0 never ends, a time in the past has ended, a touch renews', async () => {
    const node = client(shared);
    await node.set('ever', text('x'), { exptime: 0 });
    await node.set('past', text('x'), { exptime: 2_678_400 });
    expect(await node.get('past')).toBeNull();
    expect(await node.touch('ever', 2_678_400)).toBe('touched');
    expect(await node.get('ever')).toBeNull();
    await node.set('ever', text('x'), { exptime: 100 });
    expect(await ttlOf(shared, 'ever')).toBeGreaterThan(95);
    expect(await node.touch('ever', 0)).toBe('touched');
    expect(await ttlOf(shared, 'ever')).toBe(-1);
    expect((await node.getAndTouch('ever', 50))?.value.toString()).toBe('x');
    expect(await ttlOf(shared, 'ever')).toBeGreaterThan(45);
    expect(await node.getAndTouch('never', 50)).toBeNull();
  });

  test('counters have 64 bits, and begin where they are told', async () => {
    const node = client(shared);
    expect(await node.increment('n', 1n, { initial: 4_294_967_296n, exptime: 60 })).toBe(4_294_967_296n);
    expect(await node.increment('n', 1n, { initial: 0n, exptime: 60 })).toBe(4_294_967_297n);
    expect(await node.increment('n', 2n ** 63n, { initial: 0n, exptime: 60 })).toBe(
      4_294_967_297n + 2n ** 63n,
    );
    await node.set('word', text('abc'), { exptime: 60 });
    expect(await codeOf(node.increment('word', 1n, { initial: 0n, exptime: 60 }))).toBe(ErrorCode.MEMCACHED);
  });

  test("version and statistics are the server's", async () => {
    const node = client(shared);
    const stats = await node.stats();
    expect(stats.get('version')).toBe(await node.version());
    expect(Number(stats.get('pid'))).toBeGreaterThan(0);
    expect((await node.stats({ group: 'settings' })).get('item_size_max')).toBe('1048576');
  });

  test('a thousand calls at once, mixed, each get their own answer', async () => {
    // Whose answer it is, not when it comes: on a busy machine a thousand take longer than one call may.
    const node = client(shared, { timeoutMs: 20_000 });
    await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const key = `mix${index}`;
        const value = Buffer.alloc((index * 37) % 3000, `${index};`);
        const stored = node.set(key, value, { exptime: 60 });
        const missing = node.get(`missing${index}`);
        expect((await stored).status).toBe('stored');
        expect((await node.get(key))?.value.equals(value)).toBe(true);
        expect(await missing).toBeNull();
        if (index % 100 === 0) expect((await node.stats()).size).toBeGreaterThan(10);
      }),
    );
  });
});

describe('the size of an item', () => {
  test.each([
    ['1 MB', [], DEFAULT_ITEM_BYTES],
    ['2 MB', ['-I', '2m'], 2 * DEFAULT_ITEM_BYTES],
    ['512 KB', ['-I', '512k'], 524_288],
  ])(
    'the largest value of a server for items of %s is stored, one byte more is never sent',
    async (_what, args, bytes) => {
      const server = await servers.start(args);
      const key = 'x'.repeat(57);
      const limit = maxValueBytes(bytes, key.length);
      const node = client(server, { timeoutMs: 5000 });
      // The very first call, when nothing is known of the server yet.
      expect(await codeOf(node.set(key, Buffer.alloc(limit + 1), { exptime: 0 }))).toBe(
        ErrorCode.SESSION_TOO_LARGE,
      );
      expect((await node.set(key, Buffer.alloc(limit, 'a'), { exptime: 0, flags: 1 })).status).toBe('stored');
      expect(await codeOf(node.set(key, Buffer.alloc(limit + 1), { exptime: 0 }))).toBe(
        ErrorCode.SESSION_TOO_LARGE,
      );
      expect((await node.get(key))?.value.length).toBe(limit);
    },
  );

  test('a server that refuses a value has dropped the old item: the error says so', async () => {
    const server = await servers.start(['-I', '512k']);
    const node = client(server, { maxItemBytes: 1_048_576, timeoutMs: 5000 });
    await node.set('k', text('old'), { exptime: 0 });
    expect(await codeOf(node.set('k', Buffer.alloc(600_000), { exptime: 0 }))).toBe(
      ErrorCode.SESSION_TOO_LARGE,
    );
    expect(await node.get('k')).toBeNull();
  });

  test('a server that is out of memory says so, and is not taken for dead', async () => {
    const server = await servers.start(['-M', '-m', '3']);
    const node = client(server, { timeoutMs: 5000 });
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        codeOf(node.set(`k${index}`, Buffer.alloc(500_000), { exptime: 0 })),
      ),
    );
    expect(new Set(results)).toEqual(new Set(['none', ErrorCode.MEMCACHED]));
    expect(await node.version()).toMatch(/^1\./);
  });
});

describe('ways to reach it', () => {
  test('IPv6', async () => {
    const server = await servers.start([], '::1');
    const node = client(server);
    expect(node.id).toBe(`[::1]:${server.port}`);
    expect(await node.version()).toMatch(/^1\./);
  });

  test('a unix socket', async () => {
    const socketPath = await servers.startOnSocket();
    const node = createMemcachedNode({ address: { socketPath } });
    nodes.push(node);
    expect(node.id).toBe(socketPath);
    await node.set('k', text('over the socket'), { exptime: 0 });
    expect((await node.get('k'))?.value.toString()).toBe('over the socket');
  });

  test('a unix socket that is not there', async () => {
    const node = createMemcachedNode({ address: { socketPath: join(servers.folder, 'none.sock') } });
    expect(await codeOf(node.get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
  });

  test('a name that does not exist', async () => {
    const node = createMemcachedNode({
      address: { host: 'no-such-host.invalid', port: 11_211 },
      timeoutMs: 10_000,
      connectTimeoutMs: 10_000,
    });
    expect(await codeOf(node.get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
  });

  test('TLS, with a certificate that is checked', async () => {
    const certificate = join(servers.folder, 'certificate.pem');
    const key = join(servers.folder, 'key.pem');
    writeFileSync(certificate, TEST_CERTIFICATE);
    writeFileSync(key, TEST_CERTIFICATE_KEY);
    const server = await servers.start(['-Z', '-o', `ssl_chain_cert=${certificate},ssl_key=${key}`]);
    const ca = TEST_CERTIFICATE;
    const trusting = client(server, {
      timeoutMs: 5000,
      connectTimeoutMs: 5000,
      tls: { ca, servername: 'localhost' },
    });
    await trusting.set('k', text('secret'), { exptime: 0 });
    expect((await trusting.get('k'))?.value.toString()).toBe('secret');
    const doubting = client(server, { timeoutMs: 5000, tls: true });
    expect(await codeOf(doubting.get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
    // Without TLS the same port is no memcached.
    expect([ErrorCode.NODE_UNREACHABLE, ErrorCode.PROTOCOL]).toContain(await codeOf(client(server).get('k')));
  });

  test('a server that wants SASL tells so, and refuses who it does not know', async () => {
    const server = await servers.start(['-S'], '127.0.0.1', { SASL_CONF_PATH: servers.folder });
    expect(await codeOf(client(server).get('k'))).toBe(ErrorCode.ACCESS_DENIED);
    const known = client(server, { username: 'nobody', password: 'nothing' });
    expect(await codeOf(known.get('k'))).toBe(ErrorCode.ACCESS_DENIED);
  });

  test('a server that knows no SASL takes a client that brings credentials', async () => {
    expect(await client(shared, { username: 'u', password: 'p' }).version()).toMatch(/^1\./);
  });

  test('a server that only speaks the text protocol is a guess in the message', async () => {
    const server = await servers.start(['-B', 'ascii']);
    const node = client(server);
    // It waits for the end of a line, and never says so.
    await expect(node.get('k')).rejects.toThrow('does memcached listen there, with its binary protocol on?');
  });

  test('a server without versions refuses to compare', async () => {
    const node = client(await servers.start(['-C']));
    await node.set('k', text('v'), { exptime: 0 });
    const item = await node.get('k');
    expect(item?.cas).toBe(0n);
    expect(await codeOf(node.set('k', text('w'), { exptime: 0, cas: item?.cas ?? 1n }))).toBe(
      ErrorCode.UNSUPPORTED,
    );
  });
});

describe('ways to go away', () => {
  test('kill -9 with 50 calls under way: all settle at once; after the restart calls work again', async () => {
    const server = await servers.start();
    const node = client(server, { timeoutMs: 60_000 });
    await node.version();
    await server.server.pause();
    const calls = Array.from({ length: 50 }, (_, index) =>
      codeOf(index % 2 === 0 ? node.get(`k${index}`) : node.set(`k${index}`, text('x'), { exptime: 0 })),
    );
    await server.server.kill();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([ErrorCode.NODE_UNREACHABLE]));
    expect(await codeOf(node.get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
    await server.restart();
    await node.set('k', text('again'), { exptime: 0 });
    expect((await node.get('k'))?.value.toString()).toBe('again');
  });

  test('SIGSTOP with 50 calls under way: all settle by their deadline; after SIGCONT no answer is mixed up', async () => {
    const server = await servers.start();
    const node = client(server, { timeoutMs: 250 });
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => node.set(`k${index}`, text(`${index}`), { exptime: 0 })),
    );
    await server.server.pause();
    const calls = Array.from({ length: 50 }, (_, index) => codeOf(node.get(`k${index}`)));
    for (const code of await Promise.all(calls))
      expect([ErrorCode.TIMEOUT, ErrorCode.NODE_UNREACHABLE]).toContain(code);
    // A new connection is accepted by the system, and stays silent.
    expect(await codeOf(node.get('k1'))).toBe(ErrorCode.TIMEOUT);
    await server.server.resume();
    await eventually('the node answers', async () => (await codeOf(node.version())) === 'none');
    const values = await Promise.all(Array.from({ length: 50 }, (_, index) => node.get(`k${index}`)));
    expect(values.map((item) => item?.value.toString())).toEqual(
      Array.from({ length: 50 }, (_, index) => `${index}`),
    );
  });

  test('a call without a deadline waits through SIGSTOP', async () => {
    const server = await servers.start();
    const node = client(server, { timeoutMs: 0 });
    await node.set('k', text('v'), { exptime: 0 });
    await server.server.pause();
    const call = node.get('k', { timeoutMs: 0 });
    expect(await codeOf(node.get('k', { timeoutMs: 50 }))).toBe(ErrorCode.TIMEOUT);
    await server.server.resume();
    expect((await call)?.value.toString()).toBe('v');
  });

  test('a server that hangs up on an idle client is simply connected to again', async () => {
    const server = await servers.start();
    const node = client(server);
    await node.version();
    for (let round = 0; round < 3; round += 1) {
      await server.restart();
      // The hang-up arrives with the next look at the socket; a call of the same turn may still meet it.
      await eventually('the node answers', async () => (await codeOf(node.version())) === 'none');
    }
  });

  test('a deadline that passed while this process was busy is no timeout when the answer is there', async () => {
    const node = client(shared, { timeoutMs: 100 });
    await node.set('k', text('v'), { exptime: 0 });
    const call = node.get('k');
    await new Promise(setImmediate);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    expect((await call)?.value.toString()).toBe('v');
  });

  test('a slow link that cuts answers anywhere changes nothing but the time', async () => {
    const proxy = await dribble(shared);
    const node = createMemcachedNode({ address: { host: '127.0.0.1', port: proxy.port }, timeoutMs: 10_000 });
    nodes.push(node);
    const value = Buffer.alloc(20_000, '0123456789abcdef');
    await node.set('slow', value, { exptime: 0 });
    const items = await Promise.all(Array.from({ length: 5 }, () => node.get('slow')));
    expect(items.every((item) => item?.value.equals(value))).toBe(true);
    await proxy.close();
  });

  test('a link that is cut at any byte, again and again, never gives one call the answer of another', async () => {
    const direct = client(shared);
    const value = (key: string): Buffer => Buffer.alloc(50 + ((Number(key.slice(3)) * 97) % 900), `${key};`);
    const keys = Array.from({ length: 200 }, (_, index) => `cut${index}`);
    await Promise.all(keys.map((key) => direct.set(key, value(key), { exptime: 0 })));
    let seed = 7;
    const proxy = await dribble(shared, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return 500 + (seed % 40_000);
    });
    const node = createMemcachedNode({ address: { host: '127.0.0.1', port: proxy.port }, timeoutMs: 5000 });
    nodes.push(node);
    const tally = { right: 0, failed: 0, wrong: 0 };
    await Promise.all(
      Array.from({ length: 20 }, async (_, worker) => {
        for (let turn = 0; turn < 60; turn += 1) {
          const key = keys[(worker * 60 + turn) % keys.length] ?? '';
          try {
            if ((await node.get(key))?.value.equals(value(key)) === true) tally.right += 1;
            else tally.wrong += 1;
          } catch (error) {
            if (!(error instanceof StormlampError) || error.code !== ErrorCode.NODE_UNREACHABLE) throw error;
            tally.failed += 1;
          }
        }
      }),
    );
    expect(tally.wrong).toBe(0);
    expect(tally.failed).toBeGreaterThan(20);
    expect(tally.right).toBeGreaterThan(100);
    await proxy.close();
  });

  test('close leaves nothing behind: no socket here, no connection there', async () => {
    const server = await servers.start();
    const observer = client(server);
    const node = client(server);
    const calls = Array.from({ length: 20 }, (_, index) => node.set(`k${index}`, text('x'), { exptime: 0 }));
    await node.close();
    expect((await Promise.all(calls)).every(({ status }) => status === 'stored')).toBe(true);
    const connections = async (): Promise<number> => Number((await observer.stats()).get('curr_connections'));
    const alone = await eventually('the connection is gone', async () => {
      const now = await connections();
      return now <= 2 ? now : undefined;
    });
    expect(alone).toBeLessThanOrEqual(2);
  });
});

/** The remaining seconds of an item as the server tells them; -1 for none. */
async function ttlOf({ host, port }: TestMemcached, key: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    const socket: Socket = connect(port, host, () => socket.write(`mg ${key} t\r\n`));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(Number(/^HD t(-?\d+)/.exec(data.toString())?.[1]));
    });
  });
}

/** A proxy that passes on what the server says in pieces of 1 to 700 bytes, and cuts each connection after `life()` of them. */
async function dribble(
  { host, port }: TestMemcached,
  life = (): number => Number.POSITIVE_INFINITY,
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const proxy = createTcpServer((downstream) => {
    const upstream = connect(port, host);
    downstream.setNoDelay(true);
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    downstream.pipe(upstream);
    let pending = Buffer.alloc(0);
    let size = 1;
    let left = life();
    const pass = (): void => {
      if (pending.length === 0) return;
      size = (size * 7 + 3) % 700;
      const piece = pending.subarray(0, Math.min(size + 1, left));
      pending = pending.subarray(piece.length);
      left -= piece.length;
      downstream.write(piece, () => {
        if (left > 0) setImmediate(pass);
        else {
          upstream.destroy();
          downstream.destroy();
        }
      });
    };
    upstream.on('data', (data) => {
      const idle = pending.length === 0;
      pending = Buffer.concat([pending, data]);
      if (idle) pass();
    });
  });
  const at = await listenOnFreePort(proxy);
  return {
    port: at,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
