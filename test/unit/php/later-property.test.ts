import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { LaterProperties } from '../../../src/php/later-property.js';

class Recorded {
  readonly object: Record<string, unknown> = {};
  readonly reads: string[] = [];
  readonly later: LaterProperties;

  constructor(name: string, count = 1) {
    this.later = new LaterProperties(
      this.object,
      (key) => {
        this.reads.push(key);
        return `${name}.${key}`;
      },
      count,
    );
  }

  get getter(): unknown {
    return Object.getOwnPropertyDescriptor(this.object, 'a')?.get;
  }
}

test('every object asks its own source once, and all share the getters', () => {
  const [one, two] = [new Recorded('one'), new Recorded('two')];
  for (const { later } of [one, two]) for (const key of ['a', '__proto__']) later.define(key);
  expect(one.getter).toBe(two.getter);
  expect(one.getter).toBeTypeOf('function');
  expect([one.object['a'], two.object['a'], Reflect.get(two.object, '__proto__')]).toEqual([
    'one.a',
    'two.a',
    'two.__proto__',
  ]);
  expect([one.object['a'], one.getter]).toEqual(['one.a', undefined]);
  expect([one.reads, two.reads]).toEqual([['a'], ['a', '__proto__']]);
  expect(Object.keys(two.object)).toEqual(['a', '__proto__']);
  expect(one.later.gave('a', 'one.a')).toBe(true);
  one.object['a'] = 5;
  expect([one.object['a'], one.later.gave('a', 5)]).toEqual([5, false]);
});

test('is unseen until it is looked at, replaced or removed', () => {
  const one = new Recorded('one');
  for (const key of ['a', 'b', 'c', 'd']) one.later.define(key);
  const unseen = () => ['a', 'b', 'c', 'd', 'e'].filter((key) => one.later.isUnseen(key));
  expect(unseen()).toEqual(['a', 'b', 'c', 'd']);
  one.object['a'] = 1;
  void one.object['b'];
  delete one.object['c'];
  expect(unseen()).toEqual(['d']);
  one.object['c'] = 3;
  expect({ ...one.object }).toEqual({ a: 1, b: 'one.b', d: 'one.d', c: 3 });
  expect(one.reads).toEqual(['b', 'd']);
});

test('what inherits from it, stands for it or is a copy of its properties has the same values', () => {
  const one = new Recorded('one');
  for (const key of ['a', 'b', 'c']) one.later.define(key);
  const copy = Object.create(null, Object.getOwnPropertyDescriptors(one.object)) as Record<string, unknown>;
  const proxy = new Proxy(one.object, {});
  expect((Object.create(one.object) as Record<string, unknown>)['a']).toBe('one.a');
  expect(proxy['b']).toBe('one.b');
  expect(JSON.stringify(proxy)).toBe('{"a":"one.a","b":"one.b","c":"one.c"}');
  expect({ ...copy }).toEqual({ ...one.object });
  expect(one.reads).toEqual(['a', 'b', 'c']);
});

test('a proxy sets the value of the object', () => {
  const one = new Recorded('one');
  one.later.define('a');
  new Proxy(one.object, {})['a'] = 5;
  expect([one.object['a'], one.reads]).toEqual([5, []]);
});

test('gives the same value again where the object was frozen', () => {
  const one = new Recorded('one');
  one.later.define('a');
  Object.freeze(one.object);
  expect([one.object['a'], one.object['a'], one.reads]).toEqual(['one.a', 'one.a', ['a']]);
});

test('a getter that was put alone on another object says so, and gives no value of anybody', () => {
  const one = new Recorded('one');
  one.later.define('a');
  const other = Object.defineProperty({}, 'a', Object.getOwnPropertyDescriptor(one.object, 'a') ?? {});
  expect(() => (other as Record<string, unknown>)['a']).toThrow(
    expect.objectContaining({ code: ErrorCode.UNSUPPORTED }),
  );
});

test.each([1, 3_000])('names without end keep their own values, in an object of %i', (count) => {
  const one = new Recorded('one', count);
  for (let number = 0; number < 3_000; number += 1) one.later.define(`k${number}`);
  expect([one.object['k0'], one.object['k2999']]).toEqual(['one.k0', 'one.k2999']);
  expect(Object.keys(one.object)).toHaveLength(3_000);
});
