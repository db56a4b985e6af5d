import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import {
  encodeNatural,
  encodeSession,
  NaturalScope,
  naturalView,
  PhpEnum,
  PhpFloat,
  PhpObject,
  PhpReference,
  SESSION_HANDLERS,
  SessionDocument,
  SessionView,
  serialize,
  unserialize,
} from '../../../src/php/index.js';
import { phpValue } from './php-values.js';

/** Variables that a test takes for lists or maps as it pleases. */
type Loose = Record<string, Record<string, unknown> & unknown[]>;

/** Opens a session, edits it and gives its new bytes. */
function edit(data: string, work: (session: Loose) => unknown): string {
  const document = SessionDocument.decode(Buffer.from(data, 'latin1'), 'php');
  const view = new SessionView(document);
  work(view.data as Loose);
  return document.encodeWith(view.changes()).toString('latin1');
}

describe('the natural view', () => {
  test('is plain data', () => {
    const document = SessionDocument.decode(
      'f|d:100;l|a:2:{i:0;d:1;i:1;i:2;}m|a:2:{i:5;i:1;i:3;i:2;}e|a:0:{}n|N;big|i:9007199254740993;',
      'php',
    );
    expect(new SessionView(document).data).toStrictEqual({
      f: 100,
      l: [1, 2],
      m: { 3: 2, 5: 1 },
      e: [],
      n: null,
      big: 9007199254740993n,
    });
  });

  test('keeps objects, enums and bytes as what they are', () => {
    const data = 'o|O:1:"A":1:{s:1:"x";d:1;}s|E:3:"S:A";b|s:1:"\u00ff";';
    const view = new SessionView(SessionDocument.decode(Buffer.from(data, 'latin1'), 'php'));
    expect(view.data['o']).toStrictEqual(new PhpObject('A', { x: 1 }));
    expect(view.data['s']).toStrictEqual(new PhpEnum('S', 'A'));
    expect(view.data['b']).toStrictEqual(Buffer.from([255]));
  });

  test('changes nothing that is stored', () => {
    const document = SessionDocument.decode('l|a:1:{i:0;a:1:{i:0;i:1;}}o|O:1:"A":1:{s:1:"x";i:1;}', 'php');
    const { data } = new SessionView(document);
    (data['l'] as unknown[]).push(2);
    (data['o'] as PhpObject).set('x', 2);
    expect(document.toObject()).toStrictEqual({ l: [[1]], o: new PhpObject('A', { x: 1 }) });
  });

  test('finds no change in any session that nobody changed', () => {
    fc.assert(
      fc.property(phpValue, phpValue, fc.constantFrom(...SESSION_HANDLERS), (a, b, handler) => {
        const document = SessionDocument.decode(encodeSession({ a, b }, handler), handler);
        expect(new SessionView(document).changes().size).toBe(0);
      }),
    );
  });

  test('gives every value back as it was', () => {
    fc.assert(
      fc.property(phpValue, (value) => {
        const decoded = unserialize(serialize(value));
        const scope = new NaturalScope();
        const restored = encodeNatural(naturalView(decoded, scope), decoded, scope);
        expect(serialize(restored)).toEqual(serialize(decoded));
      }),
    );
  });
});

describe('floats', () => {
  test('stay floats where they are', () => {
    expect(edit('a|a:2:{s:1:"f";d:100;s:1:"n";i:1;}', (s) => Object.assign(s['a'] ?? {}, { n: 2 }))).toBe(
      'a|a:2:{s:1:"f";d:100;s:1:"n";i:2;}',
    );
  });

  test('stay floats when they become integral', () => {
    const work = (s: Loose): unknown => Object.assign(s['a'] ?? {}, { f: 100 });
    expect(edit('a|a:1:{s:1:"f";d:99.5;}', work)).toBe('a|a:1:{s:1:"f";d:100;}');
    expect(edit('a|a:1:{s:1:"f";i:99;}', work)).toBe('a|a:1:{s:1:"f";i:100;}');
  });

  test('are floats in a copy of the array that they are in', () => {
    const work = (s: Loose): unknown => Object.assign(s, { a: { ...s['a'], g: 1 } });
    expect(edit('a|a:1:{s:1:"f";d:100;}', work)).toBe('a|a:2:{s:1:"f";d:100;s:1:"g";i:1;}');
  });

  test('move with the array that they are in', () => {
    const data = 'rows|a:2:{i:0;a:1:{s:1:"p";d:1;}i:1;a:1:{s:1:"p";i:2;}}';
    expect(edit(data, (s) => s['rows']?.reverse())).toBe(
      'rows|a:2:{i:0;a:1:{s:1:"p";i:2;}i:1;a:1:{s:1:"p";d:1;}}',
    );
    expect(edit(data, (s) => s['rows']?.shift())).toBe('rows|a:1:{i:0;a:1:{s:1:"p";i:2;}}');
  });

  test('are floats in a list of floats that grows or shrinks', () => {
    const work = (s: Loose): unknown => s['l']?.push(9);
    expect(edit('l|a:2:{i:0;d:1;i:1;d:1.5;}', work)).toBe('l|a:3:{i:0;d:1;i:1;d:1.5;i:2;d:9;}');
    expect(edit('l|a:2:{i:0;i:1;i:1;i:2;}', work)).toBe('l|a:3:{i:0;i:1;i:1;i:2;i:2;i:9;}');
    expect(edit('l|a:2:{i:0;d:1;i:1;i:2;}', work)).toBe('l|a:3:{i:0;d:1;i:1;i:2;i:2;i:9;}');
  });

  test('are not made of an integer by a zero with a sign', () => {
    expect(edit('n|i:1;f|d:1;', (s) => Object.assign(s, { n: -0, f: -0 }))).toBe('n|i:0;f|d:-0;');
  });
});

describe('arrays', () => {
  test('get the order back that a plain object cannot hold, with new keys behind', () => {
    const work = (s: Loose): unknown => Object.assign(s['m'] ?? {}, { 1: 'new', 5: 'changed' });
    expect(edit('m|a:2:{i:5;i:1;i:3;i:2;}', work)).toBe('m|a:3:{i:5;s:7:"changed";i:3;i:2;i:1;s:3:"new";}');
    expect(edit('m|a:2:{i:5;i:1;i:3;i:2;}', (s) => delete s['m']?.[5])).toBe('m|a:1:{i:3;i:2;}');
  });

  test('that were empty take names as well as elements', () => {
    expect(edit('e|a:0:{}', (s) => Object.assign(s['e'] ?? {}, { sku: 1 }))).toBe('e|a:1:{s:3:"sku";i:1;}');
    expect(edit('e|a:0:{}', (s) => s['e']?.push('x'))).toBe('e|a:1:{i:0;s:1:"x";}');
    expect(edit('e|a:0:{}', (s) => Object.assign(s['e'] ?? {}, { 17: 1 }))).toBe('e|a:1:{i:17;i:1;}');
    expect(edit('e|a:0:{}', (s) => Object.assign(s, { e: {} }))).toBe('e|a:0:{}');
  });

  test('that are lists take names beside their elements, and stay what they are to PHP', () => {
    const named = 'l|a:3:{i:0;d:1;i:1;s:1:"b";s:4:"lang";s:2:"de";}';
    const stored = 'l|a:2:{i:0;d:1;i:1;s:1:"b";}';
    expect(edit(stored, (s) => Object.assign(s['l'] ?? {}, { lang: 'de' }))).toBe(named);
    expect(edit(stored, (s) => Object.assign(s, { l: Object.assign([1, 'b'], { lang: 'de' }) }))).toBe(named);
    expect(edit('n|i:1;', (s) => Object.assign(s, { l: Object.assign(['b'], { x: [2] }) }))).toBe(
      'n|i:1;l|a:2:{i:0;s:1:"b";s:1:"x";a:1:{i:0;i:2;}}',
    );
    // As many keys as elements, but not these.
    expect(edit(stored, (s) => delete Object.assign<unknown[], object>(s['l'] ?? [], { x: 1 })[0])).toBe(
      'l|a:2:{i:1;s:1:"b";s:1:"x";i:1;}',
    );
  });

  test('that igbinary shares are changed one by one', () => {
    const shared = Buffer.from('00000002140211016114010600060111016201 01'.replaceAll(' ', ''), 'hex');
    const document = SessionDocument.decode(shared, 'igbinary');
    const view = new SessionView(document);
    (view.data['a'] as unknown[]).push(2);
    expect(view.data['b']).toEqual([1]);
    expect(SessionDocument.decode(document.encodeWith(view.changes()), 'igbinary').toObject()).toEqual({
      a: [1, 2],
      b: [1],
    });
  });
});

describe('what PHP shares', () => {
  test('is one array or object in the view', () => {
    const view = new SessionView(SessionDocument.decode('a|a:1:{i:0;i:1;}b|R:1;o|O:1:"A":0:{}p|r:3;', 'php'));
    expect(view.data['b']).toBe(view.data['a']);
    expect(view.data['p']).toBe(view.data['o']);
  });

  test('stays shared when it is edited', () => {
    const data = 'a|a:1:{i:0;i:1;}b|R:1;o|O:1:"A":1:{s:1:"x";i:1;}p|r:3;';
    expect(edit(data, (s) => s['b']?.push(2))).toBe(
      'a|a:2:{i:0;i:1;i:1;i:2;}b|R:1;o|O:1:"A":1:{s:1:"x";i:1;}p|r:4;',
    );
    expect(edit(data, (s) => (s['p'] as unknown as PhpObject).set('x', 2))).toBe(
      'a|a:1:{i:0;i:1;}b|R:1;o|O:1:"A":1:{s:1:"x";i:2;}p|r:3;',
    );
  });

  test('takes the changed one of two numbers', () => {
    expect(edit('a|i:1;b|R:1;', (s) => Object.assign(s, { a: 5 }))).toBe('a|i:5;b|R:1;');
    expect(edit('a|i:1;b|R:1;', (s) => Object.assign(s, { b: 5 }))).toBe('a|i:5;b|R:1;');
  });

  test('is let go of by a place that is removed', () => {
    expect(edit('a|i:1;b|R:1;', (s) => delete s['a'])).toBe('b|i:1;');
  });

  test('connects a new variable with an object of the session', () => {
    expect(edit('n|i:1;o|O:1:"A":0:{}', (s) => Object.assign(s, { x: [s['o']] }))).toBe(
      'n|i:1;o|O:1:"A":0:{}x|a:1:{i:0;r:2;}',
    );
  });

  describe('in lists that PHP left bound to each other, as a foreach by reference does', () => {
    const item = (n: number): string => `a:1:{s:1:"n";i:${n};}`;
    const bound = `recent|a:3:{i:0;${item(3)}i:1;${item(1)}i:2;${item(2)}}shown|a:3:{i:0;R:2;i:1;R:4;i:2;R:6;}`;
    const numbers = 'recent|a:3:{i:0;i:3;i:1;i:1;i:2;i:2;}shown|a:3:{i:0;R:2;i:1;R:3;i:2;R:4;}';
    const seen = (data: string): unknown =>
      new SessionView(SessionDocument.decode(Buffer.from(data, 'latin1'), 'php')).data;
    const n = (...values: number[]) => values.map((value) => ({ n: value }));
    type Items = { n: number }[];

    test.each<[string, (recent: Items) => unknown, number[]]>([
      ['items that come and go', (list) => [list.shift(), list.push({ n: 9 })], [1, 2, 9]],
      ['a new order', (list) => list.sort((x, y) => x.n - y.n), [1, 2, 3]],
      ['a new item in the place of one', (list) => list.splice(0, 1, { n: 9 }), [9, 1, 2]],
      ['none left', (list) => list.splice(0), []],
    ])('%s in one change no other', (_what, work, expected) => {
      const after = edit(bound, (session) => work(session['recent'] as unknown as Items));
      expect(seen(after)).toEqual({ recent: n(...expected), shown: n(3, 1, 2) });
    });

    test('an item that is changed itself is changed in both, wherever it was moved to', () => {
      const after = edit(bound, (session) => {
        const recent = session['recent'] as unknown as Items;
        recent.reverse();
        (recent[0] as { n: number }).n = 7;
      });
      expect(seen(after)).toEqual({ recent: n(7, 1, 3), shown: n(3, 1, 7) });
      expect(after).toContain('R:');
    });

    test('a number is assigned through its place, and goes with nothing when the list moves', () => {
      const numbersAfter = (work: (recent: unknown[]) => unknown) =>
        seen(edit(numbers, (session) => work(session['recent'] as unknown[])));
      expect(numbersAfter((list) => list.splice(0, 1, 5))).toEqual({ recent: [5, 1, 2], shown: [5, 1, 2] });
      expect(numbersAfter((list) => list.sort())).toEqual({ recent: [1, 2, 3], shown: [3, 1, 2] });
      expect(numbersAfter((list) => list.shift())).toEqual({ recent: [1, 2], shown: [3, 1, 2] });
      expect(numbersAfter((list) => list.push(4))).toEqual({ recent: [3, 1, 2, 4], shown: [3, 1, 2] });
    });

    test('a text, null or enum is assigned through its place like a number', () => {
      const texts = 'recent|a:2:{i:0;s:1:"a";i:1;E:3:"S:A";}shown|a:2:{i:0;R:2;i:1;R:3;}';
      for (const value of [null, Buffer.from([255]), new PhpEnum('S', 'B')]) {
        const { recent, shown } = seen(
          edit(texts, (session) => (session['recent'] as unknown[]).fill(value)),
        ) as Loose;
        expect([recent, shown]).toStrictEqual([
          [value, value],
          [value, value],
        ]);
      }
    });

    test.each([
      ['an enum case', 'E:3:"S:A";'],
      ['an object with a text of its own', 'C:1:"S":1:{x}'],
    ])('%s that stands beside a bound place is bound to nothing', (_what, one) => {
      const data = `v|a:2:{s:1:"n";i:1;s:1:"l";a:4:{i:0;${one}i:1;i:1;i:2;r:4;i:3;R:4;}}`;
      expect(edit(data, (session) => session['v'])).toBe(data);
      expect(edit(data, (session) => Object.assign(session['v'] ?? {}, { n: 2 }))).toBe(
        data.replace('i:1;', 'i:2;'),
      );
    });

    test('one container at two places of a list stays one', () => {
      // The outer list is 1, {z} 2, its z 3, the shared {n} 4.
      const data = `a|a:4:{i:0;a:1:{s:1:"z";i:0;}i:1;${item(1)}i:2;R:4;i:3;a:1:{s:1:"k";i:1;}}`;
      const after = edit(data, (session) => {
        session['a']?.shift();
        (session['a'] as unknown as Items)[0] = Object.assign((session['a'] as unknown as Items)[0] ?? {}, {
          n: 5,
        });
      });
      expect(seen(after)).toEqual({ a: [{ n: 5 }, { n: 5 }, { k: 1 }] });
    });
  });

  test('survives arrays that hold themselves', () => {
    const data = 'a|a:1:{i:0;R:1;}';
    expect(edit(data, () => undefined)).toBe(data);
    expect(edit(data, (s) => s['a']?.push(1))).toBe('a|a:2:{i:0;R:1;i:1;i:1;}');
  });
});

describe('changes', () => {
  const document = SessionDocument.decode('a|i:1;b|a:1:{i:0;d:1;}', 'php');

  test('name what is new, different and gone', () => {
    const view = new SessionView(document);
    Object.assign(view.data, { a: undefined, b: [2], c: 'new', d: undefined });
    expect([...view.changes()]).toStrictEqual([
      ['b', { kind: 'set', value: [new PhpFloat(2)] }],
      ['c', { kind: 'set', value: 'new' }],
      ['a', { kind: 'delete' }],
    ]);
  });

  test('are none when a value is replaced by an equal one', () => {
    const view = new SessionView(document);
    Object.assign(view.data, { b: [1], a: 1 });
    expect(view.changes().size).toBe(0);
  });

  test('are none when PHP wrote the same value in other words', () => {
    const other = SessionDocument.decode('a|a:1:{i:0;d:0.10000000000000001;}', 'php');
    const view = new SessionView(other);
    view.data['a'] = [0.1];
    expect(view.changes().size).toBe(0);
  });

  test('include a change of nothing but the order', () => {
    const view = new SessionView(SessionDocument.decode('m|a:2:{s:1:"a";i:1;s:1:"b";i:2;}', 'php'));
    view.data['m'] = { b: 2, a: 1 };
    expect(view.changes().size).toBe(1);
  });

  test('cannot be had for values that PHP does not have', () => {
    const view = new SessionView(document);
    view.data['b'] = { when: new Date(0) };
    expect(() => view.changes()).toThrow(expect.objectContaining({ code: ErrorCode.PHP_VALUE }));
  });

  test.each(['php', 'php_serialize', 'php_binary', 'igbinary'] as const)(
    'cannot be had for half of a surrogate pair, which is told with the variable (%s)',
    (handler) => {
      const view = new SessionView(SessionDocument.decode('', handler));
      view.data['title'] = { text: 'lamp \ud83d' };
      expect(() => view.changes()).toThrow('The session variable `title`');
      expect(() => view.changes()).toThrow('half of a surrogate pair');
      const named = new SessionView(SessionDocument.decode('', handler));
      named.data['a\ud83d'] = 1;
      expect(() => named.document.encodeWith(named.changes())).toThrow('half of a surrogate pair');
    },
  );

  test('cannot be had for a cycle', () => {
    const view = new SessionView(document);
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    view.data['b'] = cycle;
    expect(() => view.changes()).toThrow(expect.objectContaining({ code: ErrorCode.PHP_LIMIT }));
  });
});

describe('a variable that nobody has looked at', () => {
  const decode = () => SessionDocument.decode('a|a:1:{s:1:"n";d:1;}b|a:1:{i:0;i:7;}c|i:3;', 'php');

  test('is no change, and may be replaced, removed and set anew', () => {
    const document = decode();
    const view = new SessionView(document);
    expect(view.changes().size).toBe(0);
    view.data['a'] = { n: 2 };
    delete view.data['b'];
    expect([...view.changes().keys()]).toEqual(['a', 'b']);
    view.data['b'] = [8];
    expect(document.encodeWith(view.changes()).toString()).toBe('a|a:1:{s:1:"n";d:2;}b|a:1:{i:0;i:8;}c|i:3;');
  });

  test('is the same object at every look, and an edit of it is a change', () => {
    const view = new SessionView(decode());
    const first = view.data['b'] as number[];
    expect(view.isUnseen('a')).toBe(true);
    expect(view.isUnseen('b')).toBe(false);
    first.push(8);
    expect(view.data['b']).toBe(first);
    expect([...view.changes().keys()]).toEqual(['b']);
  });

  test('is enumerated, copied and written as JSON like any other', () => {
    const view = new SessionView(decode());
    expect(Object.keys(view.data)).toEqual(['a', 'b', 'c']);
    expect(JSON.stringify({ ...view.data })).toBe('{"a":{"n":1},"b":[7],"c":3}');
    expect(structuredClone(new SessionView(decode()).data)).toEqual({ a: { n: 1 }, b: [7], c: 3 });
  });

  test('are looked at in time that grows as their number does', () => {
    const costOf = (count: number): number => {
      const text = Array.from({ length: count }, (_, index) => `v${index}|a:1:{i:0;i:${index};}`).join('');
      const costs = Array.from({ length: 5 }, () => {
        const view = new SessionView(SessionDocument.decode(text, 'php', undefined, 'later'));
        const before = process.cpuUsage();
        expect(Object.values(view.data)).toHaveLength(count);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      });
      return Math.min(...costs);
    };
    costOf(2_000);
    // Sixteen times as many; 256 times as long where it is quadratic. Of so many, V8 makes a kind of object that costs a few times more.
    expect(costOf(32_000)).toBeLessThan(128 * costOf(2_000));
  });

  test('can be read in data that was frozen, and not replaced', () => {
    const view = new SessionView(decode());
    Object.freeze(view.data);
    expect(view.data['b']).toBe(view.data['b']);
    (view.data['b'] as number[]).push(8);
    expect([...view.changes().keys()]).toEqual(['b']);
    expect(() => {
      view.data['a'] = 1;
    }).toThrow(TypeError);
  });

  test('is shown by the view that follows in the same object', () => {
    const before = new SessionView(decode());
    const { data } = before;
    const copy = Object.create(null, Object.getOwnPropertyDescriptors(data)) as typeof data;
    const after = before.succeededBy(SessionDocument.decode('a|a:1:{s:1:"n";d:5;}b|a:1:{i:0;i:7;}', 'php'));
    expect(after.data).toBe(data);
    // A copy of before is of before, and nothing of it comes here.
    expect(copy['a']).toEqual({ n: 1 });
    expect(data).toEqual({ a: { n: 5 }, b: [7] });
    data['a'] = 1;
    expect([...after.changes().keys()]).toEqual(['a']);
  });

  test.each([
    ['frozen', Object.freeze],
    ['sealed', Object.seal],
    [
      'given a property that cannot be removed',
      (data: object) => Object.defineProperty(data, 'x', { value: 1, enumerable: true }),
    ],
  ])('is shown in a new object by the view that follows where the old one was %s', (_name, change) => {
    const before = new SessionView(decode());
    change(before.data);
    const after = before.succeededBy(SessionDocument.decode('a|i:2;', 'php'));
    expect(after.data).toEqual({ a: 2 });
    expect(after.data).not.toBe(before.data);
    expect(before.data['b']).toEqual([7]);
  });

  test('is there at once when something in the session is shared', () => {
    const view = new SessionView(SessionDocument.decode('a|a:1:{i:0;i:1;}b|R:1;', 'php'));
    expect(view.isUnseen('a')).toBe(false);
    expect(view.data['b']).toBe(view.data['a']);
  });
});

describe('a value that is taken over from an earlier view', () => {
  test('is what the new document stores', () => {
    const data = 'r|a:1:{s:1:"p";d:1;}o|O:1:"A":1:{s:1:"x";d:1;}p|r:3;';
    const before = new SessionView(SessionDocument.decode(data, 'php'));
    const document = SessionDocument.decode(data, 'php');
    const view = new SessionView(document);
    for (const name of document.keys) view.adopt(name, before.data[name]);
    expect(view.data['r']).toBe(before.data['r']);
    expect(view.changes().size).toBe(0);
    Object.assign(before.data['r'] as object, { p: 2 });
    (before.data['o'] as PhpObject).set('x', 3);
    expect(document.encodeWith(view.changes()).toString()).toBe(
      'r|a:1:{s:1:"p";d:2;}o|O:1:"A":1:{s:1:"x";d:3;}p|r:3;',
    );
  });

  test('keeps what it shares', () => {
    const data = 'a|a:1:{i:0;i:1;}b|R:1;';
    const before = new SessionView(SessionDocument.decode(data, 'php'));
    const document = SessionDocument.decode(data, 'php');
    const view = new SessionView(document);
    for (const name of document.keys) view.adopt(name, before.data[name]);
    (before.data['b'] as unknown[]).push(2);
    expect(document.encodeWith(view.changes()).toString()).toBe('a|a:2:{i:0;i:1;i:1;i:2;}b|R:1;');
  });
});

describe('encodeNatural', () => {
  test('takes values of PHP among natural ones', () => {
    expect(serialize(encodeNatural([new PhpFloat(1), 5n, new PhpReference(1)], undefined)).toString()).toBe(
      'a:3:{i:0;d:1;i:1;i:5;i:2;i:1;}',
    );
  });

  test('treats a value without an original as new', () => {
    expect(encodeNatural({ a: [1, 1.5] }, undefined)).toStrictEqual({ a: [1, 1.5] });
  });
});
