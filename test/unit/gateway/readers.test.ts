/** Both readers on bytes that nobody meant: they never throw, always get on, and keep their bounds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BinaryReader } from '../../../src/gateway/binary-reader.js';
import type { GatewayRequest, ReaderLimits, RequestReader } from '../../../src/gateway/gateway-request.js';
import { InputBuffer } from '../../../src/gateway/input-buffer.js';
import { TextReader } from '../../../src/gateway/text-reader.js';

const LIMITS: ReaderLimits = { maxValueBytes: 2_000, version: '1.6.0-test', login: false };

function readAll(make: (input: InputBuffer) => RequestReader, chunks: readonly Buffer[]): GatewayRequest[] {
  const input = new InputBuffer();
  const reader = make(input);
  const requests: GatewayRequest[] = [];
  for (const chunk of chunks) {
    input.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      requests.push(next);
      if (next.kind === 'end') return requests;
    }
    // More than the largest request is never kept.
    expect(input.size).toBeLessThan(70_000);
  }
  return requests;
}

const words = fc.constantFrom(
  'get',
  'set',
  'cas',
  'incr',
  'a',
  '0',
  '1',
  '-1',
  '99999999999999999999',
  'noreply',
  '',
  'HTTP/1.1',
  '\t',
  '\0',
  '\u00ff',
);
const line = fc
  .tuple(fc.array(words, { maxLength: 8 }), fc.constantFrom('\r\n', '\n', '\r', ''))
  .map(([list, end]) => Buffer.from(list.join(' ') + end, 'latin1'));
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const header = fc
  .tuple(
    fc.nat({ max: 255 }),
    fc.nat({ max: 0xffff }),
    fc.nat({ max: 255 }),
    fc.nat({ max: 0xffff_ffff }),
    bytes,
  )
  .map(([opcode, key, extras, body, rest]) => {
    const head = Buffer.alloc(24);
    head[0] = 0x80;
    head[1] = opcode;
    head.writeUInt16BE(key, 2);
    head[4] = extras;
    head.writeUInt32BE(body, 8);
    return Buffer.concat([head, rest]);
  });

describe.each<[string, (input: InputBuffer) => RequestReader]>([
  ['text', (input) => new TextReader(input, LIMITS)],
  ['binary', (input) => new BinaryReader(input, LIMITS)],
  ['binary with a login', (input) => new BinaryReader(input, { ...LIMITS, login: true })],
])('%s', (_name, make) => {
  test('never throws, and reads the same in one piece as in many', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(line, bytes, header), { maxLength: 12 }), (chunks) => {
        const whole = Buffer.concat(chunks);
        const inOne = readAll(make, [whole.subarray(0, 60_000)]);
        const byByte = readAll(
          make,
          Array.from(whole.subarray(0, 60_000), (byte) => Buffer.from([byte])),
        );
        expect(byByte.map(shown)).toEqual(inOne.map(shown));
      }),
      { numRuns: 300 },
    );
  });
});

function shown(request: GatewayRequest): unknown {
  if (request.kind === 'items') return [[...request.commands], request.end?.toString()];
  return JSON.parse(JSON.stringify(request)) as unknown;
}

test.each([2_000, 2_001, 2_400])(
  '2 000 bytes are the most that a value may have, by both protocols: %i',
  (length) => {
    const key = 'k'.repeat(200);
    const head = Buffer.alloc(32);
    head.set([0x80, 0x01, 0, key.length, 8]);
    head.writeUInt32BE(8 + key.length + length, 8);
    const binary = Buffer.concat([head, Buffer.from(key), Buffer.alloc(length, 'x')]);
    const text = Buffer.from(`set ${key} 0 0 ${length}\r\n${'x'.repeat(length)}\r\n`);
    const kinds = [
      readAll((input) => new BinaryReader(input, LIMITS), [binary]),
      readAll((input) => new TextReader(input, LIMITS), [text]),
    ].map((requests) => requests.map(({ kind }) => kind));
    const kind = length > LIMITS.maxValueBytes ? 'plain' : 'items';
    expect(kinds).toEqual([[kind], [kind]]);
  },
);

test('what comes before the login is a login, or the end', () => {
  const reader = (input: InputBuffer): RequestReader => new BinaryReader(input, { ...LIMITS, login: true });
  const get = Buffer.alloc(25);
  get[0] = 0x80;
  get.writeUInt16BE(1, 2);
  get.writeUInt32BE(1, 8);
  get[24] = 0x61;
  expect(readAll(reader, [get])).toMatchObject([{ kind: 'end', fault: 'a command before the login' }]);
  expect(readAll(reader, [Buffer.from('get a\r\n')])).toMatchObject([{ kind: 'end' }]);
});

test.each([
  'POST / HTTP/1.1\r\nContent-Type: text/plain\r\n',
  'GET /a/b%20c?d HTTP/1.0\n',
  'PRI * HTTP/2.0\r\n',
  '\r\nOPTIONS  *  HTTP/1.1  \r\n',
  'get a\r\nfoo HTTP/\r\n',
  'delete /a HTTP/1.1\r\nHost: 127.0.0.1:11311\r\n',
  'get /a HTTP/1.1\r\nHOST:a\r\n',
])('nothing behind the request line of HTTP is read, also when it comes in pieces: %j', (head) => {
  const whole = Buffer.from(`${head}\r\nset memc.sess.key.a 0 0 1\r\nx\r\ndelete memc.sess.key.b\r\n`);
  const bytes = Array.from(whole, (byte) => Buffer.from([byte]));
  for (const chunks of [[whole], bytes]) {
    const requests = readAll((input) => new TextReader(input, LIMITS), chunks);
    expect(requests.at(-1)).toEqual({ kind: 'end', answer: undefined, fault: 'a request of HTTP' });
    const commands = requests.flatMap((request) => (request.kind === 'items' ? [...request.commands] : []));
    expect(commands.filter(({ op }) => op !== 'get')).toEqual([]);
  }
});

test('a key may begin as the version of HTTP does, and other words that nobody knows end nothing', () => {
  const text = 'get HTTP/1.1\r\nset HTTP/x 0 0 1\r\nx\r\nfoo HTTP\r\nGET a\r\nfoo http/1.1\r\n';
  const requests = readAll((input) => new TextReader(input, LIMITS), [Buffer.from(text)]);
  expect(requests.map(({ kind }) => kind)).toEqual(['items', 'items', 'plain', 'plain', 'plain']);
});

describe('the value behind a line that is refused is never read as commands', () => {
  const evil = 'x\r\nset memc.sess.key.a 0 0 1\r\ny\r\ndelete memc.sess.key.b\r\n';
  const bytesOf = (text: string): Buffer[] =>
    Array.from(Buffer.from(text, 'latin1'), (at) => Buffer.from([at]));
  const read = (line: string, length: number): readonly GatewayRequest[] => {
    const text = `${line.replace('LENGTH', String(length))}\r\n${evil.padEnd(length, '\n')}\r\nversion\r\n`;
    const make = (input: InputBuffer): RequestReader => new TextReader(input, LIMITS);
    const whole = readAll(make, [Buffer.from(text, 'latin1')]);
    expect(readAll(make, bytesOf(text)).map(shown)).toEqual(whole.map(shown));
    return whole;
  };
  const said = (requests: readonly GatewayRequest[]): string =>
    requests
      .map((request) => `${request.kind} ${'answer' in request ? (request.answer ?? '') : ''}`)
      .join('');
  const version = 'plain VERSION 1.6.0-test\r\n';
  const bad = 'plain CLIENT_ERROR bad command line format\r\n';

  test.each([
    'set caf\u00e9 0 0 LENGTH',
    'add k\u0001 0 0 LENGTH',
    'replace k\u007f 0 0 LENGTH',
    'append \0 0 0 LENGTH',
    'cas \t 0 0 LENGTH 5',
    `set ${'k'.repeat(251)} 1 100 LENGTH`,
  ])('the key is: %j', (line) => {
    expect(said(read(line, evil.length))).toBe(bad + version);
    expect(said(read(`${line} noreply`, evil.length))).toBe(`plain ${version}`);
    // More than an item may have: nothing of that is kept.
    expect(said(read(line, 20_000))).toBe(bad + version);
  });

  test.each([
    ['set  0 0 LENGTH', 'end ERROR\r\n'],
    ['set a b c 0 0 LENGTH', 'end ERROR\r\n'],
    ['set a b 0 0 LENGTH', 'end CLIENT_ERROR bad command line format\r\n'],
    ['set a 0 x LENGTH', 'end CLIENT_ERROR bad command line format\r\n'],
    ['set a -1 0 LENGTH noreply', 'end '],
    ['set a 0 0 LENGTHx', 'end CLIENT_ERROR bad command line format\r\n'],
    ['set a 0 0 99999999999999999', 'end CLIENT_ERROR bad command line format\r\n'],
    ['cas a 0 0 LENGTH x', 'end CLIENT_ERROR bad command line format\r\n'],
    ['cas a 0 0 LENGTH', 'end ERROR\r\n'],
    ['ms a LENGTH', 'end ERROR\r\n'],
  ])('more than the key is, and where the value ends is not known: %j', (line, answer) => {
    expect(said(read(line, evil.length))).toBe(answer);
  });
});

describe('long lines', () => {
  const read = (line: string | Buffer): GatewayRequest | undefined => {
    const input = new InputBuffer();
    input.push(Buffer.from(line));
    return new TextReader(input, LIMITS).next();
  };
  const keys = Array.from({ length: 20_000 }, (_, index) => `key-number-${index}`);

  test.each(['get', 'gets', 'gat 100', 'gats 100'])('%s may name 32 768 keys', (words) => {
    const request = read(`${words}  ${keys.join(' ')} \r\n`);
    if (request?.kind !== 'items') throw new Error('it is a request of items');
    // They are made when they are asked for, and each time anew.
    expect(request.commands).not.toBeInstanceOf(Array);
    expect(Array.from(request.commands, ({ key }) => key)).toEqual(keys);
    expect(Array.from(request.commands, ({ key }) => key)).toEqual(keys);
    expect(read(`${words} ${'a '.repeat(32_768)}\r\n`)).toMatchObject({ kind: 'items' });
    expect(read(`${words} ${'a '.repeat(32_769)}\r\n`)).toMatchObject({
      kind: 'end',
      fault: 'a line of more than 32768 keys',
    });
    expect(read(`${words} ${'a '.repeat(10_000)}${'k'.repeat(251)}\r\n`)).toMatchObject({ kind: 'plain' });
  });

  test('it may be a mebibyte long; no other line is nearly so long', () => {
    expect(read(`get ${keys.join(' ')}`)).toBeUndefined();
    expect(read(`get ${'k'.repeat(1_100_000)}`)).toMatchObject({ kind: 'end' });
    expect(read(`get ${' '.repeat(1_000_000)}a\r\n`)).toMatchObject({ kind: 'items' });
    expect(read(`delete ${'k'.repeat(9_000)}\r\n`)).toMatchObject({ kind: 'end' });
    expect(read(' '.repeat(9_000))).toMatchObject({ kind: 'end' });
  });

  test('keys of other alphabets are UTF-8', () => {
    const request = read(Buffer.from('get \u00e9 \u6f22\u5b57 a\r\n'));
    expect(request?.kind === 'items' && Array.from(request.commands, ({ key }) => key)).toEqual([
      '\u00e9',
      '\u6f22\u5b57',
      'a',
    ]);
    expect(read(Buffer.from('get a \u00ff\r\n', 'latin1'))).toMatchObject({ kind: 'plain' });
  });
});
