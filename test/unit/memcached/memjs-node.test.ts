import { expect, test } from 'vitest';
import type { BreakerTicket, NodeBreaker } from '../../../src/breaker/node-breaker.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { MemcachedNode } from '../../../src/memcached/memcached-node.js';
import type { MemcachedNodeOptions } from '../../../src/memcached/memcached-node-options.js';
import { createMemcachedNode, isNodeFault, nextSequence } from '../../../src/memcached/memjs-node.js';
import { answer, hit, openForeignPeer, openPeer } from './scripted-peer.js';

type Options = Omit<MemcachedNodeOptions, 'address'>;

function nodeAt(port: number, options: Options = {}): MemcachedNode {
  return createMemcachedNode({ address: { host: '127.0.0.1', port }, ...options });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await errorOf(promise);
  return error.code;
}

async function errorOf(promise: Promise<unknown>): Promise<StormlampError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StormlampError) return error;
    throw error;
  }
  throw new Error('expected a rejection');
}

test('the commands of one turn leave in one packet', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(hit(request, request.key)));
  const node = nodeAt(peer.port);
  await node.get('first');
  const [connection] = peer.connections;
  const before = connection?.chunks.length ?? 0;
  const values = await Promise.all(Array.from({ length: 40 }, (_, index) => node.get(`key${index}`)));
  expect(values.map((item) => item?.value.toString())).toEqual(
    Array.from({ length: 40 }, (_, index) => `key${index}`),
  );
  expect(connection?.chunks.length).toBe(before + 1);
  // Calls that follow from answers of one packet leave together as well.
  const chunks = connection?.chunks.length ?? 0;
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      await node.get('once');
      await node.get('again');
    }),
  );
  expect(connection?.chunks.length).toBeLessThanOrEqual(chunks + 10);
  node.destroy();
});

test('large requests of one turn go out whole and in order', async () => {
  const seen: string[] = [];
  await using peer = await openPeer((request, { socket }) => {
    seen.push(`${request.key}:${request.value.length}`);
    socket.write(answer(request, { cas: 7n }));
  });
  const node = nodeAt(peer.port);
  const sizes = [70_000, 10, 300_000, 0, 65_000];
  await Promise.all(
    sizes.map((size, index) => node.set(`k${index}`, Buffer.alloc(size, 'x'), { exptime: 60 })),
  );
  expect(seen.toSorted()).toEqual(sizes.map((size, index) => `k${index}:${size}`));
  node.destroy();
});

test('a server that closes the connection settles every call at once, and the next call works', async () => {
  let closing = true;
  await using peer = await openPeer((request, { socket, requests }) => {
    if (!closing) socket.write(hit(request, 'back'));
    else if (requests.length === 10) socket.end();
  });
  const node = nodeAt(peer.port, { timeoutMs: 60_000 });
  const codes = await Promise.all(Array.from({ length: 10 }, (_, index) => codeOf(node.get(`k${index}`))));
  expect(new Set(codes)).toEqual(new Set([ErrorCode.NODE_UNREACHABLE]));
  closing = false;
  expect((await node.get('k'))?.value.toString()).toBe('back');
  expect(peer.connections).toHaveLength(2);
  node.destroy();
});

test('half an answer before a silence never reaches the next call', async () => {
  let half = true;
  await using peer = await openPeer((request, { socket }) => {
    const whole = hit(request, 'VALUE');
    socket.write(half ? whole.subarray(0, whole.length - 3) : whole);
  });
  const node = nodeAt(peer.port, { timeoutMs: 1_000 });
  expect(await codeOf(node.get('k'))).toBe(ErrorCode.TIMEOUT);
  half = false;
  // On a busy machine the half may come only now, and end the connection under the next call: an error, never a wrong value.
  const next = (): Promise<string | undefined> =>
    node.get('k', { timeoutMs: 5000 }).then(
      (item) => item?.value.toString(),
      (error: StormlampError) => error.code,
    );
  const answers = [await next(), await next()];
  expect(answers[1]).toBe('VALUE');
  expect([ErrorCode.PROTOCOL, 'VALUE']).toContain(answers[0]);
  expect(peer.connections).toHaveLength(2);
  node.destroy();
});

test('an add that was not answered is never sent again', async () => {
  await using peer = await openPeer((_request, { socket }) => socket.destroy());
  const node = nodeAt(peer.port);
  expect(await codeOf(node.add('lock', Buffer.from('1'), { exptime: 30 }))).toBe(ErrorCode.NODE_UNREACHABLE);
  expect(peer.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
  node.destroy();
});

test('a request whose caller gave up while the connection was being made is never sent', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(answer(request)));
  const node = nodeAt(peer.port);
  const abort = new AbortController();
  const lock = node.add('lock', Buffer.from('1'), { exptime: 30, signal: abort.signal });
  const other = node.delete('other');
  abort.abort();
  expect(await codeOf(lock)).toBe(ErrorCode.ABORTED);
  expect(await other).toBe('deleted');
  expect(peer.connections[0]?.requests.map(({ key }) => key)).toEqual(['other']);
  node.destroy();
});

test('a call that was aborted before it began does nothing', async () => {
  await using peer = await openPeer(() => undefined);
  const node = nodeAt(peer.port);
  expect(await codeOf(node.get('k', { signal: AbortSignal.abort() }))).toBe(ErrorCode.ABORTED);
  expect(peer.connections).toEqual([]);
});

test('a call with a short deadline of its own does not cost the others their connection', async () => {
  const held: (() => void)[] = [];
  await using peer = await openPeer((request, { socket }) => {
    held.push(() => socket.write(hit(request, request.key)));
    if (held.length < 2) return;
    setTimeout(() => {
      for (const send of held) send();
    }, 60);
  });
  const node = nodeAt(peer.port, { timeoutMs: 5000 });
  const hasty = node.get('hasty', { timeoutMs: 20 });
  const patient = node.get('patient');
  expect(await codeOf(hasty)).toBe(ErrorCode.TIMEOUT);
  expect((await patient)?.value.toString()).toBe('patient');
  expect(peer.connections).toHaveLength(1);
  node.destroy();
});

test("a connection that stays silent for the node's own deadline is thrown away, whoever still waits", async () => {
  await using peer = await openPeer((request, { socket }) => {
    if (peer.connections.length > 1) socket.write(hit(request, 'fresh'));
  });
  const node = nodeAt(peer.port, { timeoutMs: 80 });
  const first = node.get('first');
  const second = node.get('second', { timeoutMs: 60_000 });
  expect(await codeOf(first)).toBe(ErrorCode.TIMEOUT);
  const error = await errorOf(second);
  expect(error.code).toBe(ErrorCode.NODE_UNREACHABLE);
  expect(error.message).toContain('left a request unanswered for 80 ms');
  expect((await node.get('third'))?.value.toString()).toBe('fresh');
  node.destroy();
});

test('an answer that arrived while this process was busy is not a timeout', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(hit(request, 'here')));
  const node = nodeAt(peer.port, { timeoutMs: 50 });
  await node.get('warm');
  const call = node.get('k');
  // The request leaves at the end of this turn; the answer is there long before the loop is free again.
  setImmediate(() => {
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200));
  });
  expect((await call)?.value.toString()).toBe('here');
  node.destroy();
});

test('nothing is written to the console, whatever goes wrong', async () => {
  const written: unknown[] = [];
  const { log, error, warn } = console;
  console.log = console.error = console.warn = (...text: unknown[]) => written.push(text);
  try {
    await using peer = await openPeer((request, { socket }) => {
      if (request.key === 'status')
        socket.write(answer(request, { status: 0x82, value: Buffer.from('Out of memory') }));
      else socket.destroy();
    });
    const node = nodeAt(peer.port);
    expect(await codeOf(node.set('status', Buffer.from('x'), { exptime: 0 }))).toBe(ErrorCode.MEMCACHED);
    expect(await codeOf(node.get('k'))).toBe(ErrorCode.NODE_UNREACHABLE);
    node.destroy();
  } finally {
    Object.assign(console, { log, error, warn });
  }
  expect(written).toEqual([]);
});

test('expiry, flags and compare-and-set go over the wire exactly as given', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(answer(request, { cas: 99n })));
  const node = nodeAt(peer.port);
  const stored = await node.set('k', Buffer.from('v'), {
    exptime: 0,
    flags: 0xffff_fffe,
    cas: 0xfedc_ba98_7654_3210n,
  });
  expect(stored).toEqual({ status: 'stored', cas: 99n });
  await node.touch('k', 2_592_001);
  await node.delete('k', { cas: 3n });
  const [set, touch, remove] = peer.connections[0]?.requests ?? [];
  expect(set?.extras.toString('hex')).toBe('fffffffe00000000');
  expect(set?.cas).toBe(0xfedc_ba98_7654_3210n);
  expect(touch?.extras.readUInt32BE(0)).toBe(2_592_001);
  expect(remove?.cas).toBe(3n);
  node.destroy();
});

test.each([
  ['flags', { exptime: 0, flags: -1 }],
  ['exptime', { exptime: -1 }],
  ['exptime', { exptime: 1.5 }],
  ['exptime', { exptime: 2 ** 32 }],
  ['cas', { exptime: 0, cas: -1n }],
])('an impossible %s is refused before anything is sent', async (name, options) => {
  const node = nodeAt(1);
  const error = await errorOf(node.set('k', Buffer.from('v'), options));
  expect(error.code).toBe(ErrorCode.INVALID_OPTION);
  expect(error.message).toContain(`\`${name}\``);
});

test('a server without versions is told apart from a version that does not match', async () => {
  const error = await errorOf(nodeAt(1).set('k', Buffer.from('v'), { exptime: 0, cas: 0n }));
  expect(error.code).toBe(ErrorCode.UNSUPPORTED);
  expect(error.message).toContain('without -C');
});

test('counters have 64 bits', async () => {
  await using peer = await openPeer((request, { socket }) => {
    const value = Buffer.alloc(8);
    value.writeBigUInt64BE(request.extras.readBigUInt64BE(8) + request.extras.readBigUInt64BE(0), 0);
    socket.write(answer(request, { value }));
  });
  const node = nodeAt(peer.port);
  expect(await node.increment('n', 1n, { initial: 2n ** 53n, exptime: 60 })).toBe(2n ** 53n + 1n);
  expect(await codeOf(node.increment('n', 2n ** 64n, { initial: 0n, exptime: 0 }))).toBe(
    ErrorCode.INVALID_OPTION,
  );
  node.destroy();
});

test.each([
  ['an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['a MySQL or MariaDB server', Buffer.from('\x5a\x00\x00\x00\x0a10.11.14-MariaDB\x00', 'latin1')],
  ['an SSH server', Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n')],
  ['a Redis server', Buffer.from('-ERR unknown command\r\n')],
  ['a memcached that only speaks the text protocol', Buffer.from('ERROR\r\n')],
  ['a TLS server', Buffer.from([0x15, 3, 1, 0, 2, 2, 0x28])],
])('a port of %s is named as what it is', async (what, greeting) => {
  await using peer = await openForeignPeer((socket) => socket.end(greeting));
  const node = nodeAt(peer.port, { id: 'cache1' });
  const error = await errorOf(node.version());
  expect(error.code).toBe(ErrorCode.PROTOCOL);
  expect(error.message).toBe(
    `The server at cache1 does not look like memcached: it answers like ${what}; check the port`,
  );
  expect(error.node).toBe('cache1');
});

test.each<[string, (request: { opcode: number; opaque: number }) => Buffer]>([
  ['a body larger than any item', (request) => withBody(request, 0xffff_fff0)],
  ['a body that is shorter than its parts', (request) => withKey(request, 10)],
  ['an answer to another command', (request) => answer({ ...request, opcode: 0x0a })],
  ['an answer to a request that was never made', (request) => answer({ ...request, opaque: 77_777 })],
  ['a request for credentials that nobody configured', (request) => answer({ ...request, opcode: 0x20 })],
  ['an item without flags', (request) => answer(request, { value: Buffer.from('VALUE') })],
])('%s costs the connection and nothing else', async (_what, bytes) => {
  let hostile = true;
  await using peer = await openPeer((request, { socket }) =>
    socket.write(hostile ? bytes(request) : hit(request, 'ok')),
  );
  const node = nodeAt(peer.port, { timeoutMs: 10_000 });
  const codes = await Promise.all([codeOf(node.get('a')), codeOf(node.get('b'))]);
  expect(codes).toEqual([ErrorCode.PROTOCOL, ErrorCode.PROTOCOL]);
  hostile = false;
  expect((await node.get('c'))?.value.toString()).toBe('ok');
  node.destroy();
});

test('a server that sends byte by byte is understood', async () => {
  await using peer = await openPeer((request, { socket }) => {
    socket.setNoDelay(true);
    const bytes = hit(request, 'x'.repeat(700));
    let at = 0;
    const next = (): void => {
      socket.write(bytes.subarray(at, at + 1), () => {
        at += 1;
        if (at < bytes.length) setImmediate(next);
      });
    };
    next();
  });
  const node = nodeAt(peer.port, { timeoutMs: 10_000 });
  expect((await node.get('k'))?.value.toString()).toBe('x'.repeat(700));
  node.destroy();
});

test('nobody listening is told at once, with what to check', async () => {
  const peer = await openPeer(() => undefined);
  await peer[Symbol.asyncDispose]();
  const node = nodeAt(peer.port, { timeoutMs: 60_000 });
  const error = await errorOf(node.get('k'));
  expect(error.code).toBe(ErrorCode.NODE_UNREACHABLE);
  expect(error.message).toContain('ECONNREFUSED');
  expect(error.message).toContain('check that memcached runs there');
});

test('a connection that cannot be made ends after its own limit, before a longer deadline', async () => {
  // The listener accepts and says nothing: TLS never gets its answer.
  await using peer = await openForeignPeer(() => undefined);
  const node = nodeAt(peer.port, { timeoutMs: 60_000, connectTimeoutMs: 60, tls: true });
  const error = await errorOf(node.get('k'));
  expect(error.code).toBe(ErrorCode.NODE_UNREACHABLE);
  expect(error.message).toContain('no connection within 60 ms');
});

test('SASL PLAIN comes before the first request, and its refusal is told', async () => {
  const seen: string[] = [];
  let accept = true;
  await using peer = await openPeer((request, { socket }) => {
    seen.push(`${request.opcode}:${request.key}:${request.value.toString('latin1')}`);
    if (request.opcode === 0x20) socket.write(answer(request, { value: Buffer.from('PLAIN') }));
    else if (request.opcode === 0x21) socket.write(answer(request, { status: accept ? 0 : 0x20 }));
    else socket.write(answer(request, { value: Buffer.from('1.6.18') }));
  });
  const node = nodeAt(peer.port, { username: 'app', password: 'secret' });
  expect(await node.version()).toBe('1.6.18');
  expect(seen).toEqual(['32::', '33:PLAIN:\0app\0secret', '11::']);
  node.destroy();
  accept = false;
  const refused = await errorOf(nodeAt(peer.port, { username: 'app', password: 'wrong' }).version());
  expect(refused.code).toBe(ErrorCode.ACCESS_DENIED);
  expect(refused.message).toContain("user 'app'");
  expect(refused.message).not.toContain('wrong');
});

test('a server that wants credentials says so to a client without', async () => {
  await using peer = await openPeer((request, { socket }) => socket.write(answer(request, { status: 0x20 })));
  const error = await errorOf(nodeAt(peer.port).get('k'));
  expect(error.code).toBe(ErrorCode.ACCESS_DENIED);
  expect(error.message).toContain('give `username` and `password`');
});

test('credentials in the environment of another library are not used', async () => {
  process.env['MEMCACHE_USERNAME'] = 'somebody';
  process.env['MEMCACHE_PASSWORD'] = 'else';
  try {
    await using peer = await openPeer((request, { socket }) =>
      socket.write(answer(request, { value: Buffer.from('1') })),
    );
    const node = nodeAt(peer.port);
    await node.version();
    expect(peer.connections[0]?.requests.map(({ opcode }) => opcode)).toEqual([0x0b]);
    node.destroy();
  } finally {
    delete process.env['MEMCACHE_USERNAME'];
    delete process.env['MEMCACHE_PASSWORD'];
  }
});

test('a value that the server would not take is refused before it is sent, by the size that the server tells', async () => {
  await using peer = await openPeer(
    (request, { socket }) => socket.write(answer(request, { cas: 1n })),
    (request, { socket }) => {
      const key = Buffer.from('item_size_max');
      socket.write(answer(request, { key, value: Buffer.from('2048') }));
      socket.write(answer(request));
    },
  );
  const node = nodeAt(peer.port);
  const error = await errorOf(node.set('k', Buffer.alloc(2000), { exptime: 0 }));
  expect(error.code).toBe(ErrorCode.SESSION_TOO_LARGE);
  expect(error.message).toContain('2000 bytes');
  expect(await node.set('k', Buffer.alloc(1900), { exptime: 0 })).toEqual({ status: 'stored', cas: 1n });
  expect(peer.connections[0]?.requests.map(({ value }) => value.length)).toEqual([1900]);
  node.destroy();
});

test('a server that does not tell its settings takes the usual megabyte', async () => {
  await using peer = await openPeer(
    (request, { socket }) => socket.write(answer(request, { cas: 1n })),
    (request, { socket }) =>
      socket.write(answer(request, { status: 0x81, value: Buffer.from('Unknown command') })),
  );
  const node = nodeAt(peer.port);
  expect(await node.set('k', Buffer.alloc(1_000_000), { exptime: 0 })).toEqual({ status: 'stored', cas: 1n });
  expect(await codeOf(node.set('k', Buffer.alloc(1_048_576), { exptime: 0 }))).toBe(
    ErrorCode.SESSION_TOO_LARGE,
  );
  node.destroy();
});

test('statistics come in several answers and end with an empty one', async () => {
  await using peer = await openPeer((request, { socket }) => {
    for (const [key, value] of [
      ['pid', '7'],
      ['__proto__', 'x'],
    ] as const) {
      socket.write(answer(request, { key: Buffer.from(key), value: Buffer.from(value) }));
    }
    socket.write(answer(request));
  });
  const node = nodeAt(peer.port);
  expect([...(await node.stats())]).toEqual([
    ['pid', '7'],
    ['__proto__', 'x'],
  ]);
  node.destroy();
});

test('an error status of a statistic ends it, once', async () => {
  await using peer = await openPeer((request, { socket }) => {
    if (request.opcode === 0x10) socket.write(answer(request, { status: 0x81, value: Buffer.from('no') }));
    else socket.write(hit(request, 'fine'));
  });
  const node = nodeAt(peer.port);
  expect(await codeOf(node.stats())).toBe(ErrorCode.MEMCACHED);
  expect((await node.get('k'))?.value.toString()).toBe('fine');
  node.destroy();
});

test('sequence numbers stay below 2^31', async () => {
  expect(nextSequence(0x7fff_fffd)).toBe(0x7fff_fffe);
  expect(nextSequence(0x7fff_fffe)).toBe(1);
  expect(nextSequence(0)).toBe(1);
  // Requests that belong together have numbers in a row.
  expect(nextSequence(0x7fff_fffa, 4)).toBe(0x7fff_fffb);
  expect(nextSequence(0x7fff_fffb, 4)).toBe(1);
});

test('close waits for what is under way, and then nothing more is taken', async () => {
  let release: (() => void) | undefined;
  await using peer = await openPeer((request, { socket }) => {
    release = () => socket.write(hit(request, 'late'));
    held();
  });
  let held = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    held = resolve;
  });
  const node = nodeAt(peer.port, { timeoutMs: 10_000 });
  const call = node.get('k');
  await asked;
  const closing = node.close();
  expect(await codeOf(node.get('other'))).toBe(ErrorCode.CLOSED);
  expect(node.available).toBe(false);
  release?.();
  expect((await call)?.value.toString()).toBe('late');
  await closing;
  await node.close();
});

test('destroy ends everything under way at once', async () => {
  await using peer = await openPeer(() => undefined);
  const node = nodeAt(peer.port, { timeoutMs: 60_000 });
  const calls = [node.get('a'), node.set('b', Buffer.alloc(5000), { exptime: 0 }), node.stats()].map(codeOf);
  setImmediate(() => node.destroy());
  expect(await Promise.all(calls)).toEqual([ErrorCode.CLOSED, ErrorCode.CLOSED, ErrorCode.CLOSED]);
});

test('breakers are asked before a call and told how the node did', async () => {
  const told: string[] = [];
  const breaker = (name: 'get' | 'set'): NodeBreaker => ({
    node: 'n',
    operation: name,
    state: { phase: 'closed' },
    allows: true,
    returnedAt: Number.NEGATIVE_INFINITY,
    admit(): BreakerTicket {
      return {
        success: () => told.push(`${name} good`),
        failure: (error) => told.push(`${name} ${isNodeFault(error) ? 'fault' : 'no fault'}`),
      };
    },
    probed: () => undefined,
    open: () => undefined,
    isolate: () => () => undefined,
    close: () => undefined,
  });
  await using peer = await openPeer((request, { socket }) => {
    if (request.key === 'oom') socket.write(answer(request, { status: 0x82 }));
    else if (request.key === 'die') socket.destroy();
    else socket.write(hit(request, 'x'));
  });
  const node = nodeAt(peer.port, { breakers: { get: breaker('get'), set: breaker('set') } });
  await node.get('k');
  await codeOf(node.set('oom', Buffer.from('x'), { exptime: 0 }));
  await codeOf(node.get('die'));
  await codeOf(node.get('no spaces'));
  expect(told).toEqual(['get good', 'set good', 'get fault']);
  const abort = new AbortController();
  const aborted = node.get('later', { signal: abort.signal });
  const other = node.get('other');
  abort.abort();
  await codeOf(aborted);
  await other;
  expect(told.slice(3)).toEqual(['get good', 'get good']);
  node.destroy();
});

test('an open breaker refuses before anything is sent, but lets the probes through that close it again', async () => {
  await using peer = await openPeer((request, { socket }) => {
    socket.write(answer(request, { value: Buffer.from(request.opcode === 0x0b ? '1.6.18' : '') }));
  });
  const shut = {
    allows: false,
    admit: () => {
      throw new StormlampError(ErrorCode.BREAKER_OPEN, 'open');
    },
  } as unknown as NodeBreaker;
  const node = nodeAt(peer.port, { breakers: { get: shut, set: shut } });
  expect(node.available).toBe(false);
  expect(await codeOf(node.get('k'))).toBe(ErrorCode.BREAKER_OPEN);
  expect(await codeOf(node.set('k', Buffer.alloc(5000), { exptime: 0 }))).toBe(ErrorCode.BREAKER_OPEN);
  expect(peer.connections).toEqual([]);
  expect(await node.version()).toBe('1.6.18');
  expect((await node.stats()).size).toBe(0);
  node.destroy();
});

test('an option that is impossible is named', () => {
  const address = { host: 'h', port: 1 };
  expect(() => createMemcachedNode({ address, timeoutMs: -1 })).toThrow('`timeoutMs`');
  expect(() => createMemcachedNode({ address, username: 'app' })).toThrow('`password`');
  expect(() => createMemcachedNode({ address, timeout: 5 } as never)).toThrow('did you mean `timeoutMs`');
  expect(() => createMemcachedNode({ address: { host: 'h', port: 70_000 } })).toThrow('`address.port`');
});

function withBody(request: { opcode: number; opaque: number }, length: number): Buffer {
  const bytes = answer(request);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

function withKey(request: { opcode: number; opaque: number }, length: number): Buffer {
  const bytes = answer(request);
  bytes.writeUInt16BE(length, 2);
  return bytes;
}
