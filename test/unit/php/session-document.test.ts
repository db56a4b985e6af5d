import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import {
  decodeSession,
  encodeSession,
  PhpArray,
  PhpFloat,
  PhpObject,
  PhpReference,
  SESSION_HANDLERS,
  SessionDocument,
  type SessionHandler,
  unserialize,
} from '../../../src/php/index.js';

const REMOVED = Symbol('removed');

/** The session with some variables changed, one character per byte. */
function changed(document: SessionDocument, values: Readonly<Record<string, unknown>>): string {
  const changes = new Map(
    Object.entries(values).map(([key, value]) => [
      key,
      value === REMOVED ? ({ kind: 'delete' } as const) : ({ kind: 'set', value } as const),
    ]),
  );
  return document.encodeWith(changes).toString('latin1');
}

const php = (data: string): SessionDocument => SessionDocument.decode(Buffer.from(data, 'latin1'), 'php');

describe('a session document', () => {
  test('shows the variables in their order', () => {
    const document = php('b|i:1;a|d:2;|N;');
    expect(document.keys).toEqual(['b', 'a', '']);
    expect(document.toObject()).toStrictEqual({ b: 1, a: new PhpFloat(2), '': null });
    expect(document.get('b')).toBe(1);
    expect(document.has('toString')).toBe(false);
    expect(document.get('toString')).toBeUndefined();
    expect(document.bytesOf('a')?.toString()).toBe('d:2;');
    expect(document.bytesOf('nobody')).toBeUndefined();
  });

  test.each(SESSION_HANDLERS)('of no bytes has no variables (%s)', (handler) => {
    const document = SessionDocument.decode('', handler);
    expect(document.keys).toEqual([]);
    expect(document.encodeWith(new Map()).length).toBe(0);
  });

  test('gives back its very bytes when nothing changes', () => {
    // A float of another precision, an escaped string and a repeated name are no bytes that would be written today.
    const data = 'a|d:0.10000000000000001;a|S:1:"\\61";b|i:+07;';
    const document = php(data);
    expect(document.encodeWith(new Map())).toBe(document.bytes);
    expect(changed(document, { nobody: REMOVED })).toBe(data);
    expect(document.toObject()).toEqual({ a: 'a', b: 7 });
  });

  test('leaves the bytes of every other variable alone', () => {
    const document = php('a|d:0.10000000000000001;b|i:1;c|S:1:"\\61";');
    expect(changed(document, { b: 'x' })).toBe('a|d:0.10000000000000001;b|s:1:"x";c|S:1:"\\61";');
    expect(changed(document, { b: REMOVED })).toBe('a|d:0.10000000000000001;c|S:1:"\\61";');
    expect(changed(document, { d: [] })).toBe('a|d:0.10000000000000001;b|i:1;c|S:1:"\\61";d|a:0:{}');
  });

  test('keeps variables whose names are not UTF-8', () => {
    const document = php('\u00ff|i:1;a|i:2;');
    expect(document.keys).toEqual(['a']);
    expect(changed(document, { a: 3 })).toBe('\u00ff|i:1;a|i:3;');
  });

  test('drops what a repeated name hid as soon as something changes, as PHP does', () => {
    expect(changed(php('a|i:1;b|i:2;a|i:3;'), { b: 4 })).toBe('a|i:3;b|i:4;');
  });

  test('says whether storing a value would change anything', () => {
    const document = php('a|d:0.10000000000000001;b|i:1;');
    expect(document.holds('a', 0.1)).toBe(true);
    expect(document.holds('a', 0.2)).toBe(false);
    expect(document.holds('b', 1)).toBe(true);
    expect(document.holds('b', new PhpFloat(1))).toBe(false);
    expect(document.holds('c', null)).toBe(false);
  });

  test('is refused where PHP could not decode it', () => {
    for (const data of ['a', 'a|', 'a|i:1', 'a|i:1;junk', 'a|R:1;']) {
      expect(() => php(data)).toThrow(expect.objectContaining({ code: ErrorCode.PHP_SYNTAX }));
    }
    for (const data of ['i:5;', 'O:8:"stdClass":0:{}', 'a:1:{s:1:"a";i:1;']) {
      expect(() => SessionDocument.decode(data, 'php_serialize')).toThrow(
        expect.objectContaining({ code: ErrorCode.PHP_SYNTAX }),
      );
    }
  });

  test('is not made of an unknown format', () => {
    expect(() => SessionDocument.decode('', 'msgpack' as SessionHandler)).toThrow(/handler/);
  });
});

describe('references of a session document', () => {
  const data = 'a|a:1:{i:0;O:1:"A":1:{s:1:"x";i:1;}}n|i:5;b|a:2:{s:1:"o";r:2;s:1:"p";R:4;}c|R:4;d|r:2;';

  test('follow what moved', () => {
    const document = php(data);
    expect(changed(document, { z: 1 })).toBe(`${data}z|i:1;`);
    expect(changed(document, { a: [document.get('a'), 7] })).toBe(
      'a|a:2:{i:0;a:1:{i:0;O:1:"A":1:{s:1:"x";i:1;}}i:1;i:7;}n|i:5;b|a:2:{s:1:"o";r:3;s:1:"p";R:6;}c|R:6;d|r:3;',
    );
  });

  test('reach what they lose: the first of those left over holds it', () => {
    expect(changed(php(data), { a: REMOVED })).toBe(
      'n|i:5;b|a:2:{s:1:"o";O:1:"A":1:{s:1:"x";i:1;}s:1:"p";R:1;}c|R:1;d|r:3;',
    );
    expect(changed(php(data), { n: REMOVED })).toBe(
      'a|a:1:{i:0;O:1:"A":1:{s:1:"x";i:1;}}b|a:2:{s:1:"o";r:2;s:1:"p";i:5;}c|R:6;d|r:2;',
    );
  });

  test('find an object that a changed variable brought in front of them', () => {
    const document = php('first|i:0;a|O:1:"A":0:{}b|r:2;');
    expect(changed(document, { first: [document.get('a')] })).toBe(
      'first|a:1:{i:0;O:1:"A":0:{}}a|r:2;b|r:2;',
    );
  });

  test('connect a new variable with an object that was there', () => {
    const document = php('n|i:1;a|O:1:"A":0:{}');
    expect(changed(document, { b: document.get('a') })).toBe('n|i:1;a|O:1:"A":0:{}b|r:2;');
  });

  test('are counted from the array in php_serialize', () => {
    const document = SessionDocument.decode('a:3:{s:1:"n";i:1;s:1:"a";i:5;s:1:"b";R:3;}', 'php_serialize');
    expect(changed(document, { n: [1, 2] })).toBe(
      'a:3:{s:1:"n";a:2:{i:0;i:1;i:1;i:2;}s:1:"a";i:5;s:1:"b";R:5;}',
    );
    expect(changed(document, { n: REMOVED })).toBe('a:2:{s:1:"a";i:5;s:1:"b";R:2;}');
    expect(changed(document, { n: REMOVED, a: REMOVED, b: REMOVED })).toBe('a:0:{}');
  });

  test('make two places one variable', () => {
    const document = php('a|i:1;b|R:1;');
    expect(document.get('a')).toBeInstanceOf(PhpReference);
    expect(document.get('a')).toBe(document.get('b'));
  });

  test('compare as if each variable stood alone', () => {
    const here = php('a|i:0;o|O:1:"A":0:{}p|r:2;').bytesOf('p');
    const there = php('o|O:1:"A":0:{}p|r:1;').bytesOf('p');
    expect(here).toEqual(there);
  });

  test('inside the contents of an opaque object stay right, or the change is refused', () => {
    const inner = 'a:2:{i:0;O:1:"A":0:{}i:1;r:4;}';
    const document = php(`n|i:1;s|C:1:"S":${inner.length}:{${inner}}o|O:1:"B":0:{}p|r:6;`);
    expect(document.get('p')).toBe(document.get('o'));
    expect(changed(document, { n: 'x' })).toBe(
      `n|s:1:"x";s|C:1:"S":${inner.length}:{${inner}}o|O:1:"B":0:{}p|r:6;`,
    );
    expect(changed(document, { o: REMOVED })).toBe(
      `n|i:1;s|C:1:"S":${inner.length}:{${inner}}p|O:1:"B":0:{}`,
    );
    expect(() => changed(document, { n: REMOVED })).toThrow(
      expect.objectContaining({ code: ErrorCode.UNSUPPORTED }),
    );
  });

  test('count the slots inside the contents of an opaque object', () => {
    const document = php('s|C:1:"S":22:{a:2:{i:0;i:1;i:1;i:2;}}o|O:1:"B":0:{}p|r:5;');
    expect(changed(document, { s: REMOVED })).toBe('o|O:1:"B":0:{}p|r:1;');
    expect(changed(document, { s: document.get('s') })).toBe(
      's|C:1:"S":22:{a:2:{i:0;i:1;i:1;i:2;}}o|O:1:"B":0:{}p|r:5;',
    );
  });
});

describe('names of variables', () => {
  test.each([
    ['php', 'a|b'],
    ['php', '5'],
    ['php', '-5'],
    ['php_binary', '5'],
    ['php_binary', 'x'.repeat(128)],
    ['php_binary', 'é'.repeat(64)],
    ['igbinary', '5'],
  ] as const)('that PHP would lose are refused: %s %s', (handler, name) => {
    const refusal = expect.objectContaining({ code: ErrorCode.PHP_VALUE });
    expect(() => encodeSession({ [name]: 1 }, handler)).toThrow(refusal);
    expect(() => changed(SessionDocument.decode('', handler), { [name]: 1 })).toThrow(refusal);
  });

  test.each([
    ['php', 'x'.repeat(300)],
    ['php', '05'],
    ['php', ''],
    ['php', 'a\nb;c'],
    ['php_serialize', 'a|b'],
    ['php_binary', 'x'.repeat(127)],
    ['php_binary', 'a|b'],
    ['igbinary', 'a|b'],
  ] as const)('that PHP keeps are written: %s %s', (handler, name) => {
    expect(decodeSession(encodeSession({ [name]: 1 }, handler), handler)).toEqual({ [name]: 1 });
    const written = changed(SessionDocument.decode('', handler), { [name]: 1 });
    expect(decodeSession(Buffer.from(written, 'latin1'), handler)).toEqual({ [name]: 1 });
  });

  test('that are integers are integer keys in php_serialize', () => {
    expect(encodeSession({ 5: 1 }, 'php_serialize').toString()).toBe('a:1:{i:5;i:1;}');
    const document = SessionDocument.decode('a:1:{i:5;i:1;}', 'php_serialize');
    expect(document.keys).toEqual(['5']);
    expect(changed(document, { 5: 2, 6: 3 })).toBe('a:2:{i:5;i:2;i:6;i:3;}');
  });

  test('that mean something to JavaScript are names like any other', () => {
    const session = JSON.parse('{"__proto__":{"a":1},"constructor":2}') as Record<string, unknown>;
    for (const handler of SESSION_HANDLERS) {
      const decoded = decodeSession(encodeSession(session, handler), handler);
      expect(Object.entries(decoded)).toEqual(Object.entries(session));
      expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    }
  });
});

describe('encodeSession', () => {
  const data = { user: { id: 7, name: 'é' }, ok: true, total: new PhpFloat(100), o: new PhpObject('A') };

  test.each(SESSION_HANDLERS)('is undone by decodeSession (%s)', (handler) => {
    expect(decodeSession(encodeSession(data, handler), handler)).toStrictEqual(data);
  });

  test('writes what PHP writes', () => {
    expect(encodeSession({ a: 1, b: [1.5] }, 'php').toString()).toBe('a|i:1;b|a:1:{i:0;d:1.5;}');
    expect(encodeSession({ a: 1 }, 'php_serialize').toString()).toBe('a:1:{s:1:"a";i:1;}');
    expect(encodeSession({ ab: 1 }, 'php_binary').toString()).toBe('\u0002abi:1;');
    expect(encodeSession({ a: 1 }, 'igbinary').toString('hex')).toBe('0000000214011101610601');
  });

  test('writes nothing for a session without variables where PHP writes nothing', () => {
    expect(SESSION_HANDLERS.map((handler) => encodeSession({}, handler).toString('hex'))).toEqual([
      '',
      Buffer.from('a:0:{}').toString('hex'),
      '',
      '000000021400',
    ]);
  });

  test('leaves out variables that are undefined', () => {
    for (const handler of SESSION_HANDLERS) {
      expect(decodeSession(encodeSession({ a: undefined, b: 1 }, handler), handler)).toEqual({ b: 1 });
    }
  });

  test('takes variables in any order', () => {
    const session = new PhpArray([
      ['b', 1],
      [7, 2],
      ['a', 3],
    ]);
    expect(unserialize(encodeSession(session, 'php_serialize'))).toEqual(session);
  });

  test('numbers references through all variables', () => {
    const object = new PhpObject('A');
    const session = { n: [1], a: object, b: object };
    expect(encodeSession(session, 'php').toString()).toBe('n|a:1:{i:0;i:1;}a|O:1:"A":0:{}b|r:3;');
    expect(encodeSession(session, 'php_serialize').toString()).toBe(
      'a:3:{s:1:"n";a:1:{i:0;i:1;}s:1:"a";O:1:"A":0:{}s:1:"b";r:4;}',
    );
  });

  test('writes nothing that PHP would find too deep', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 4096; level += 1) deep = [deep];
    expect(encodeSession({ deep }, 'php').length).toBeGreaterThan(4096);
    expect(() => encodeSession({ deep }, 'php_serialize')).toThrow(
      expect.objectContaining({ code: ErrorCode.PHP_LIMIT }),
    );
    const document = SessionDocument.decode('a:0:{}', 'php_serialize');
    expect(() => changed(document, { deep })).toThrow(expect.objectContaining({ code: ErrorCode.PHP_LIMIT }));
  });
});

describe.each([
  ['php', 'caf\xe9|i:1;b|i:2;'],
  ['php_serialize', 'a:2:{s:4:"caf\xe9";i:1;s:1:"b";i:2;}'],
  ['php_binary', '\x04caf\xe9i:1;\x01bi:2;'],
] as const)('a name that is not UTF-8 in the %s format', (handler, text) => {
  const bytes = Buffer.from(text, 'latin1');

  test('is refused where an object would lose the variable', () => {
    expect(() => decodeSession(bytes, handler)).toThrow(
      expect.objectContaining({ code: ErrorCode.PHP_VALUE, message: expect.stringContaining('caf\xe9') }),
    );
  });

  test('is named by a document, which keeps the variable', () => {
    const document = SessionDocument.decode(bytes, handler);
    expect(document.keys).toEqual(['b']);
    expect(document.byteKeys).toEqual([Buffer.from('caf\xe9', 'latin1')]);
    expect(changed(document, { b: 3 })).toBe(text.replace('i:2;', 'i:3;'));
  });
});
