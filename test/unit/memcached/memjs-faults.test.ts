/**
 * The faults of memjs that must not be reachable through our node: each test first shows plain memjs doing it, so that a fault
 * mended there is noticed, and then our node in the very same situation.
 */
import { inspect } from 'node:util';
import { Client, Server, Utils } from 'memjs';
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { MemcachedNode } from '../../../src/memcached/memcached-node.js';
import { createMemcachedNode } from '../../../src/memcached/memjs-node.js';
import { answer, hit, openPeer, type PeerRequest } from './scripted-peer.js';

/** What is used of plain memjs here, besides what our node uses of it. */
interface PlainClient {
  seq: number;
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: Buffer, options: { expires?: number }): Promise<boolean>;
  add(key: string, value: Buffer, options: { expires?: number }): Promise<boolean>;
  increment(key: string, by: number, options: object): Promise<{ value: number }>;
  close(): void;
}

const QUIET = { log: () => undefined };

function plain(port: number, options: object = {}): PlainClient {
  const all = { retries: 1, timeout: 0.1, conntimeout: 0.1, expires: 0, logger: QUIET, ...options };
  const server = new Server('127.0.0.1', port, undefined, undefined, all);
  return new Client([server], all) as unknown as PlainClient;
}

function ours(port: number, timeoutMs = 5000): MemcachedNode {
  return createMemcachedNode({ address: { host: '127.0.0.1', port }, timeoutMs });
}

async function outcome(promise: Promise<unknown>, patienceMs = 10_000): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, patienceMs, 'never settled');
  });
  const settled = promise.then(
    (value) => `resolved ${inspect(value)}`,
    (error: unknown) => (error instanceof StormlampError ? error.code : `rejected ${String(error)}`),
  );
  const first = await Promise.race([settled, patience]);
  clearTimeout(timer);
  return first;
}

test('a FIN: memjs leaves the call hanging', async () => {
  await using peer = await openPeer((_request, { socket }) => socket.end());
  // Three times its own deadline, which must not pass before the FIN is there, on a busy machine either.
  expect(await outcome(plain(peer.port, { timeout: 1 }).get('k'), 3_000)).toBe('never settled');
  expect(await outcome(ours(peer.port).get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
});

test('half an answer before a timeout: memjs puts the next answer behind it', async () => {
  const script = (): ((
    request: PeerRequest,
    connection: { socket: { write(bytes: Buffer): void } },
  ) => void) => {
    let half = true;
    return (request, { socket }) => {
      const whole = hit(request, 'VALUE');
      socket.write(half ? whole.subarray(0, whole.length - 3) : whole);
      half = false;
    };
  };
  {
    await using peer = await openPeer(script());
    const client = plain(peer.port, { retries: 2, retry_delay: 0.01 });
    const { value } = await client.get('first');
    expect(value?.toString('latin1')).toMatch(/^VA\x81/);
    client.close();
  }
  await using peer = await openPeer(script());
  const node = ours(peer.port, 1_000);
  expect(await outcome(node.get('first'))).toBe(ErrorCode.TIMEOUT);
  // On a busy machine the half may come only now, and end the connection under the next call: an error, never a wrong value.
  const second = (): Promise<string | undefined> =>
    node.get('second', { timeoutMs: 10_000 }).then(
      (item) => item?.value.toString(),
      (error: StormlampError) => error.code,
    );
  const answers = [await second(), await second()];
  expect(answers[1]).toBe('VALUE');
  expect([ErrorCode.PROTOCOL, ErrorCode.NODE_UNREACHABLE, 'VALUE']).toContain(answers[0]);
  node.destroy();
});

test('an add whose answer got lost: memjs sends it again and says that somebody else has the lock', async () => {
  const server = (): ((
    request: PeerRequest,
    connection: { socket: { write(bytes: Buffer): void } },
  ) => void) => {
    const held = new Set<string>();
    return (request, { socket }) => {
      // The first answer is lost on the way; the item is there.
      if (held.has(request.key)) socket.write(answer(request, { status: 2 }));
      held.add(request.key);
    };
  };
  {
    await using peer = await openPeer(server());
    expect(await plain(peer.port, { retries: 2, retry_delay: 0.01 }).add('lock', Buffer.from('1'), {})).toBe(
      false,
    );
  }
  await using peer = await openPeer(server());
  const node = ours(peer.port, 100);
  expect(await outcome(node.add('lock', Buffer.from('1'), { exptime: 30 }))).toBe(ErrorCode.TIMEOUT);
  expect(peer.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
});

test('a key that is too long: memjs sends it, and the server hangs up on everybody', async () => {
  // As memcached does.
  const server = (
    request: PeerRequest,
    { socket }: { socket: { end(): void; write(bytes: Buffer): void } },
  ): void => {
    if (request.key.length > 250) socket.end();
    else if (request.key !== 'slow') socket.write(hit(request, 'ok'));
  };
  const long = 'x'.repeat(300);
  {
    await using peer = await openPeer(server);
    const client = plain(peer.port);
    await client.get('warm');
    const others = [outcome(client.get('slow'), 400), outcome(client.get(long), 400)];
    expect(await Promise.all(others)).toEqual(['never settled', 'never settled']);
  }
  await using peer = await openPeer(server);
  const node = ours(peer.port);
  await node.get('warm');
  const others = [outcome(node.get(long)), outcome(node.get('other'))];
  expect((await Promise.all(others))[0]).toBe(ErrorCode.INVALID_KEY);
  expect(peer.connections).toHaveLength(1);
  node.destroy();
});

test('2^31 requests: memjs throws from then on', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(hit(request, request.key)));
  const client = plain(peer.port);
  client.seq = 0x7fff_fffe;
  expect(await outcome(client.get('last'))).toContain('resolved');
  expect(await outcome(client.get('next'))).toContain('RangeError');
  client.close();
  const node = createMemcachedNode({
    address: { host: '127.0.0.1', port: peer.port },
    firstSequence: 0x7fff_fffb,
  });
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  const items = await Promise.all(keys.map((key) => node.get(key)));
  expect(items.map((item) => item?.value.toString())).toEqual(keys);
  const opaques = peer.connections[1]?.requests.map(({ opaque }) => opaque) ?? [];
  expect(Math.max(...opaques)).toBe(0x7fff_fffe);
  expect(opaques.at(-1)).toBeLessThan(10);
  node.destroy();
});

test('expiry 0: memjs stores with the default of the client instead of for ever', async () => {
  const seen: number[] = [];
  await using peer = await openPeer((request, { socket }) => {
    seen.push(request.extras.readUInt32BE(4));
    socket.write(answer(request));
  });
  const client = plain(peer.port, { expires: 3600 });
  await client.set('k', Buffer.from('v'), { expires: 0 });
  client.close();
  const node = ours(peer.port);
  await node.set('k', Buffer.from('v'), { exptime: 0 });
  expect(seen).toEqual([3600, 0]);
  node.destroy();
});

test('64 bit counters: memjs folds them', async () => {
  await using peer = await openPeer((request, { socket }) => {
    const value = Buffer.alloc(8);
    value.writeBigUInt64BE(4_294_967_297n, 0);
    socket.write(answer(request, { value }));
  });
  const client = plain(peer.port);
  expect((await client.increment('n', 1, {})).value).toBe(257);
  client.close();
  const node = ours(peer.port);
  expect(await node.increment('n', 1n, { initial: 0n, exptime: 0 })).toBe(4_294_967_297n);
  node.destroy();
});

test('trouble: memjs writes to the console unless it is told otherwise', async () => {
  const written: unknown[] = [];
  const { log } = console;
  console.log = (...words: unknown[]) => written.push(words);
  try {
    const peer = await openPeer(() => undefined);
    await peer[Symbol.asyncDispose]();
    expect(await outcome(plain(peer.port, { logger: undefined }).get('k'))).toContain('ECONNREFUSED');
    expect(written).not.toEqual([]);
    written.length = 0;
    expect(await outcome(ours(peer.port).get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
    expect(written).toEqual([]);
  } finally {
    console.log = log;
  }
});

test('a large answer in many pieces: memjs copies all of it for every piece', async () => {
  const size = 200_000;
  const server = new Server(undefined, undefined);
  let copied = 0;
  const chunk = Buffer.alloc(2000);
  const first = answer({ opcode: 0, opaque: 1 }, { value: Buffer.alloc(size) }).subarray(0, 2000);
  for (let at = 0; at < size; at += 2000) copied += server.appendToBuffer(at === 0 ? first : chunk).length;
  expect(copied).toBeGreaterThan(20 * size);
  expect(Utils.makeRequestBuffer(0, 'k', '', '', 1)).toHaveLength(25);
});
