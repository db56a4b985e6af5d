/** The gateway's two protocols against memcached's own: the same bytes, the same answers. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PlainGateway, startPlainGateway } from './gateway/plain-gateway.js';
import { binaryRequest, comparableBinary, comparableText, exchange } from './gateway/same-bytes.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;
let judge: TestMemcached;
let gateway: PlainGateway;

beforeAll(async () => {
  servers = await MemcachedServers.open();
  // -F: flush_all is refused, as the gateway refuses it.
  judge = await servers.start(['-F']);
  gateway = await startPlainGateway((await servers.start()).port);
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
});

let runs = 0;
/** Keys of their own for every run: `#` stands for the run's number. */
function withOwnKeys(text: string): string {
  return text.replaceAll('#', String(runs).padStart(6, '0'));
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) chunks.push(bytes.subarray(at));
  return chunks;
}

async function bothText(
  text: string,
  sizes: readonly number[] = [],
): Promise<{ readonly wanted: string; readonly got: string }> {
  runs += 1;
  // What is behind it completes a request that was cut short: at the end of its input memcached forgets answers.
  const bytes = Buffer.from(`${withOwnKeys(text)}${'\r\nversion\r\n'.repeat(3)}`, 'latin1');
  const [wanted, got] = await Promise.all([
    exchange(judge.port, [bytes]),
    exchange(gateway.port, cut(bytes, sizes)),
  ]);
  return { wanted: comparableText(wanted), got: comparableText(got) };
}

async function sameText(text: string, sizes: readonly number[] = []): Promise<void> {
  const { wanted, got } = await bothText(text, sizes);
  expect(got).toBe(wanted);
}

async function sameBinary(requests: readonly Buffer[], sizes: readonly number[] = []): Promise<void> {
  const bytes = Buffer.concat([...requests, ...Array.from({ length: 13 }, () => NOOP)]);
  const [wanted, got] = await Promise.all([
    exchange(judge.port, [bytes]),
    exchange(gateway.port, cut(bytes, sizes)),
  ]);
  expect(comparableBinary(got)).toEqual(comparableBinary(wanted));
}

/** More of them: `STORMLAMP_RUNS=5000 npm test -- test/integration/gateway-protocol.test.ts`. */
const RUNS = Number(process.env['STORMLAMP_RUNS'] ?? 120);
const NOOP = binaryRequest({ opcode: 0x0a, opaque: 77 });
const LONG = 'k'.repeat(251);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 });

describe('text', () => {
  test.each([
    '\r\n',
    '\n',
    'get\r\n',
    'gets \r\n',
    'get a#\n',
    'get  a#  b# \r\n',
    `get a# ${LONG}\r\n`,
    'set a# 0 0 1 foo\r\nx\r\nget a#\r\n',
    'set a# 0 0 1\r\nxyz\r\n',
    'set a# 0 0 1\r\nxyzw\r\nget a#\r\n',
    'set a# 4294967295 0 1\r\nx\r\nget a#\r\n',
    'set a# 0 -1 1\r\nx\r\nget a#\r\n',
    'set a# 0 0 1\r\nx\nversion\r\n',
    'cas a# 0 0 1 1\r\nx\r\nset a# 0 0 1\r\ny\r\ncas a# 0 0 1 1\r\nx\r\n',
    'set n# 0 0 1\r\n5\r\nincr n# 1\r\nincr n# 18446744073709551615\r\ndecr n# 100\r\nincr n# x\r\nincr n# -1\r\nincr n#\r\n incr n# 1\r\n',
    'set n# 7 0 2\r\n10\r\ndecr n# 1\r\nget n#\r\n',
    'set n# 0 0 3\r\nabc\r\nincr n# 1\r\n',
    'set n# 0 0 22\r\n1111111111111111111111\r\nincr n# 1\r\n',
    'cas a# 0 0 1 0\r\nx\r\nget a#\r\nset a# 0 0 1\r\ny\r\ncas a# 0 0 1 0\r\nx\r\nget a#\r\n',
    'set a# 0 2147483648 1\r\nx\r\nget a#\r\nset a# 0 4294967295 1\r\nx\r\nget a#\r\n',
    'set a# 0 0 1\r\nx\r\nadd a# 0 2678400 0\r\n\r\nget a#\r\nadd b# 0 2678400 0\r\n\r\nget b#\r\n',
    'touch b# -1\r\nset b# 0 0 1\r\nx\r\ntouch b# -1\r\nget b#\r\nset a# 0 0 1\r\nx\r\ngat -1 a#\r\nget a#\r\n',
    'replace c# 0 -1 1\r\ny\r\nset c# 0 0 1\r\nx\r\nreplace c# 0 -1 1\r\ny\r\nget c#\r\nset c# 0 0 1\r\nx\r\nset c# 0 -1 1\r\ny\r\nget c#\r\n',
    'set a# 0 0 1\r\nx\r\nappend a# 0 -1 1\r\ny\r\nget a#\r\n',
    `set a# 0 0 1\r\nx\r\nget ${'b# '.repeat(4_000)}a#\r\n`,
    'delete a#\r\ndelete a# 0\r\ndelete a# 5\r\ndelete a# noreply\r\ndelete a# 0 noreply\r\ndelete\r\ndelete a# 0 0 0\r\n',
    'touch a#\r\ntouch a# 5\r\ntouch a# x\r\nset a# 0 0 0\r\n\r\ntouch a# 5 6\r\ntouch a# 0 noreply\r\n',
    'set a# 3 0 1\r\nx\r\ngat 0 a#\r\ngat x a#\r\ngats 0 a# b#\r\ngat\r\n',
    'verbosity\r\nverbosity x\r\nverbosity 1 noreply\r\n',
    'flush_all\r\nflush_all noreply\r\nversion\r\n',
    'foo\r\nGET a#\r\nnoop\r\n',
    'foo HTTP\r\nfoo http/1.1\r\nget HTTP/1.1\r\n',
    'POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nset a# 0 0 1\r\nx\r\nget a#\r\n',
    'GET /a b HTTP/1.0 \r\nget a#\r\n',
    'FOO HTTP/\r\nversion\r\n',
    'quit\r\nversion\r\n',
    'quit foo\r\nversion\r\n',
    `${'a'.repeat(3000)}\r\nversion\r\n`,
    `get ${'b# '.repeat(1000)}\r\n`,
    'append a# 0 0 1\r\nx\r\nprepend a# 0 0 1\r\ny\r\nset a# 5 0 1\r\nm\r\nappend a# 0 0 1\r\nx\r\nprepend a# 9 0 1\r\ny\r\nget a#\r\n',
    'replace a# 0 0 1\r\nx\r\nadd a# 0 0 1\r\nx\r\nadd a# 0 0 1\r\ny\r\nreplace a# 1 0 1\r\nz\r\nget a#\r\n',
    'set \u00c3\u00a9# 0 0 1\r\nx\r\nget \u00c3\u00a9#\r\n',
    'set a# 0 0  1\r\nx\r\n  get a#\r\nget\ta#\r\n',
    'set a# 0 0 1 noreply\r\nx\r\nget a#\r\n',
    `set a# 0 0 1048577\r\n${'x'.repeat(1_048_577)}\r\nversion\r\n`,
  ])('%j', async (text) => {
    await sameText(text);
    await sameText(text, [1, 2, 3, 1, 1, 5, 8, 1, 13]);
  });

  /** What a store is answered that memcached refuses, too, and takes the value behind it for commands. */
  test.each([
    ['set a# 0 0', 'ERROR\r\n'],
    ['set a# b 0 14', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a# 0 b 14', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a# 0 0 -1', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a# 0 0 b', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a# -1 0 14', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a# b 0 14 noreply', ''],
    ['set a# b# 0 0 14', 'CLIENT_ERROR bad command line format\r\n'],
    ['set  0 0 14', 'ERROR\r\n'],
    ['set a# 0 0 2147483647', 'CLIENT_ERROR bad command line format\r\n'],
    ['cas a# 0 0 14', 'ERROR\r\n'],
    ['cas a# 0 0 14 zz', 'CLIENT_ERROR bad command line format\r\n'],
  ])('%j is refused with the same words, and hung up on before the value is read', async (line, words) => {
    const { wanted, got } = await bothText(`${line}\r\nset z# 0 0 0\r\n\r\n`, [3, 1, 4, 1, 5, 9]);
    expect(got).toBe(words);
    expect(wanted.startsWith(`${words}STORED\r\n`)).toBe(true);
    expect(gateway.faults.at(-1)).toBe('a value without a valid line before it');
  });

  test.each(['caf\u00e9#', 'k\u0001#', '\u007f#'])(
    'the value of a key that is not taken is not read, as by memcached, which takes the key: %j',
    async (key) => {
      const value = 'x\r\nset z# 0 0 1\r\ny\r\ndelete z#\r\n';
      const text = `set ${key} 0 0 ${withOwnKeys(value).length}\r\n${value}\r\nget z#\r\n`;
      const { wanted, got } = await bothText(text, [3, 1, 4, 1, 5, 9]);
      expect(got).toBe(wanted.replace(/^STORED/, 'CLIENT_ERROR bad command line format'));
      expect(got).not.toContain('VALUE');
    },
  );

  test('nor is that of a key that is too long for memcached, which reads it', async () => {
    const { wanted, got } = await bothText(`set ${LONG} 0 0 20\r\nset z# 0 0 1\r\ny\r\nget z#\r\n`);
    expect(wanted).toMatch(/STORED\r\nVALUE/);
    expect(got).toMatch(/^CLIENT_ERROR bad command line format\r\nEND\r\n/);
  });

  test('whatever is sent, in whatever pieces', async () => {
    const key = fc.constantFrom('a#', 'b#', 'c#', '\u00c3\u00a9#', `${'k'.repeat(244)}#`);
    const badKey = fc.oneof({ weight: 9, arbitrary: key }, fc.constant(LONG));
    const number = fc.constantFrom('0', '1', '5', '100', '-1', '+1', 'x', '2678400', '007');
    // Of a store that is refused for its numbers memcached reads the value as commands, and the gateway does not.
    const flags = fc.constantFrom('0', '1', '5', '100', '+1', '2678400', '007');
    const exptime = fc.oneof(flags, fc.constant('-1'));
    // No value of white space alone: to count with one, memcached reads on behind its end (1.6.18), and anything may follow.
    const value = fc.constantFrom('1', '42', 'abc', 'END\r\n', '\r\nx', 'get a#\r\n', '\0\u00ff');
    const quiet = fc.constantFrom('', '', ' noreply', ' no');
    const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n');
    const store = fc
      .tuple(
        fc.constantFrom('set', 'set', 'add', 'replace', 'append', 'prepend', 'cas'),
        key,
        flags,
        exptime,
        value,
        fc.constantFrom(0, 0, 0, 0, -1, 1, 3),
        quiet,
        lineEnd,
      )
      .map(([verb, name, flagged, until, data, off, mark, end]) => {
        const length = withOwnKeys(data).length + off;
        return `${verb} ${name} ${flagged} ${until} ${length}${verb === 'cas' ? ' 3' : ''}${mark}${end}${data}\r\n`;
      });
    const command = fc.oneof(
      { weight: 4, arbitrary: store },
      fc
        .tuple(fc.constantFrom('get', 'gets'), fc.array(key, { maxLength: 4 }), lineEnd)
        .map(([verb, keys, end]) => `${[verb, ...keys].join(' ')}${end}`),
      fc
        .tuple(fc.constantFrom('incr', 'decr', 'touch', 'delete'), badKey, number, quiet, lineEnd)
        .map(([verb, name, by, mark, end]) => `${verb} ${name} ${by}${mark}${end}`),
      fc
        .tuple(fc.constantFrom('gat', 'gats'), number, fc.array(key, { minLength: 1, maxLength: 3 }))
        .map(([verb, exptime, keys]) => `${verb} ${exptime} ${keys.join(' ')}\r\n`),
      fc.constantFrom('version\r\n', 'verbosity 1\r\n', 'flush_all\r\n', 'nonsense\r\n', 'quit\r\n', '\r\n'),
    );
    const script = fc.array(command, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
    await fc.assert(fc.asyncProperty(script, sizes, sameText), { numRuns: RUNS });
  });
});

describe('binary', () => {
  const u32 = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
    return bytes;
  };
  const counter = (delta: bigint, initial: bigint, exptime: number): Buffer => {
    const bytes = Buffer.alloc(20);
    bytes.writeBigUInt64BE(delta, 0);
    bytes.writeBigUInt64BE(initial, 8);
    bytes.writeUInt32BE(exptime, 16);
    return bytes;
  };
  test.each<[string, readonly Buffer[]]>([
    ['a foreign magic', [NOOP, binaryRequest({ opcode: 0, key: 'a', magic: 0x81 }), NOOP]],
    ['lengths that contradict each other', [binaryRequest({ opcode: 0, key: 'a', bodyBytes: 0 }), NOOP]],
    ['a key that is too long', [binaryRequest({ opcode: 0, key: LONG }), NOOP]],
    ['an empty key', [binaryRequest({ opcode: 0 }), NOOP]],
    ['a get with extras', [binaryRequest({ opcode: 0, key: 'a', extras: u32(0) }), NOOP]],
    ['a get with a value', [binaryRequest({ opcode: 0, key: 'a', value: 'x' }), NOOP]],
    ['a set without extras', [binaryRequest({ opcode: 1, key: 'a', value: 'x' }), NOOP]],
    ['a noop with a body', [binaryRequest({ opcode: 0x0a, key: 'a' }), NOOP]],
    ['an unknown command', [binaryRequest({ opcode: 0x77, value: 'x', opaque: 9 }), NOOP]],
    ['a version with a body', [binaryRequest({ opcode: 0x0b, key: 'a' }), NOOP]],
    ['a quit', [binaryRequest({ opcode: 0x07, opaque: 3 }), NOOP]],
    ['a quiet quit', [NOOP, binaryRequest({ opcode: 0x17 }), NOOP]],
    ['a flush', [binaryRequest({ opcode: 0x08 }), binaryRequest({ opcode: 0x18, extras: u32(0) }), NOOP]],
    [
      'changes of what expires with the last second that there is',
      [
        binaryRequest({ opcode: 1, key: 'last', extras: u32(0, 0xffff_ffff), value: '5' }),
        binaryRequest({ opcode: 5, key: 'last', extras: counter(2n, 0n, 0) }),
        binaryRequest({ opcode: 0x0e, key: 'last', value: '0' }),
        binaryRequest({ opcode: 0x0f, key: 'last', value: '1' }),
        binaryRequest({ opcode: 6, key: 'last', extras: counter(1n, 0n, 0) }),
        binaryRequest({ opcode: 0, key: 'last' }),
        NOOP,
      ],
    ],
    ['a login where there is none', [binaryRequest({ opcode: 0x20 }), NOOP]],
  ])('%s', async (_name, requests) => {
    await sameBinary(requests);
    await sameBinary(requests, [1, 1, 22, 1, 3, 20]);
  });

  test('whatever is sent, in whatever pieces', async () => {
    const key = fc.constantFrom('a#', 'b#', 'c#', `${'k'.repeat(244)}#`, 'é#');
    const exptime = fc.constantFrom(0, 100, 2_678_400);
    const opcode = (loud: number, quiet: number): fc.Arbitrary<number> => fc.constantFrom(loud, quiet);
    const forged = fc.oneof(
      { weight: 30, arbitrary: fc.constant({}) },
      fc.record({ bodyBytes: fc.constantFrom(0, 3) }),
      fc.record({ extraBytes: fc.constantFrom(0, 200) }),
    );
    const cas = fc.constantFrom(0n, 0n, 0n, 5n);
    const opaque = fc.nat();
    const value = fc.constantFrom('1', '42', 'abc', '\r\n');
    const request = fc.oneof(
      fc.record({
        opcode: fc.oneof(opcode(1, 0x11), opcode(2, 0x12), opcode(3, 0x13)),
        key,
        extras: exptime.map((seconds) => u32(7, seconds)),
        value,
        cas,
        opaque,
        forged,
      }),
      fc.record({
        opcode: fc.oneof(opcode(0x0e, 0x19), opcode(0x0f, 0x1a)),
        key,
        value,
        cas,
        opaque,
        forged,
      }),
      fc.record({ opcode: fc.constantFrom(0, 9, 0x0c, 0x0d), key, opaque, forged }),
      fc.record({ opcode: opcode(4, 0x14), key, cas, opaque, forged }),
      fc.record({
        opcode: fc.oneof(opcode(5, 0x15), opcode(6, 0x16)),
        key,
        extras: fc.constantFrom(counter(1n, 5n, 0), counter(3n, 9n, 0xffff_ffff), counter(2n, 1n, 100)),
        cas,
        opaque,
        forged,
      }),
      fc.record({
        opcode: fc.constantFrom(0x1c, 0x1d, 0x1e, 0x23, 0x24),
        key,
        extras: exptime.map((seconds) => u32(seconds)),
        opaque,
      }),
      fc.record({ opcode: fc.constantFrom(0x0a, 0x0b, 0x77), opaque }),
    );
    const script = fc.array(request, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(script, sizes, async (requests, pieces) => {
        runs += 1;
        await sameBinary(
          requests.map(({ forged: lies = {}, ...parts }: { forged?: object; opcode: number; key?: string }) =>
            binaryRequest({
              ...parts,
              ...(parts.key === undefined ? {} : { key: withOwnKeys(parts.key) }),
              ...lies,
            }),
          ),
          pieces,
        );
      }),
      { numRuns: RUNS },
    );
  });
});
