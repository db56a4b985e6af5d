import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { defineLater, type LaterValues, label } from '../../../src/php/later-property.js';

class Recorded implements LaterValues {
  readonly object: Record<string, unknown> = {};
  readonly calls: string[] = [];

  readonly name: string;

  constructor(name: string) {
    this.name = name;
    label(this.object, this);
  }

  first(key: string): unknown {
    this.calls.push(`first ${key}`);
    return `${this.name}.${key}`;
  }

  replaced(key: string, value: unknown): void {
    this.calls.push(`replaced ${key} by ${value}`);
  }
}

test('every object asks its own source, and all share the getters', () => {
  const [one, two] = [new Recorded('one'), new Recorded('two')];
  expect(defineLater(one.object, 'a')).toBe(defineLater(two.object, 'a'));
  defineLater(two.object, '__proto__');
  expect([one.object['a'], two.object['a'], Reflect.get(two.object, '__proto__')]).toEqual([
    'one.a',
    'two.a',
    'two.__proto__',
  ]);
  one.object['a'] = 5;
  expect(one.calls).toEqual(['first a', 'replaced a by 5']);
  expect(two.calls).toEqual(['first a', 'first __proto__']);
  expect(Object.keys(two.object)).toEqual(['a', '__proto__']);
  expect({ ...two.object }).toEqual({ a: 'two.a', ['__proto__']: 'two.__proto__' });
});

test('what inherits from it, stands for it or is a copy of its properties has the same values', () => {
  const one = new Recorded('one');
  defineLater(one.object, 'a');
  const proxy = new Proxy(one.object, {});
  expect((Object.create(one.object) as Record<string, unknown>)['a']).toBe('one.a');
  expect(proxy['a']).toBe('one.a');
  expect(JSON.stringify(proxy)).toBe('{"a":"one.a"}');
  proxy['a'] = 5;
  expect(one.calls.at(-1)).toBe('replaced a by 5');
  const copy = Object.create(null, Object.getOwnPropertyDescriptors(one.object)) as Record<string, unknown>;
  expect(copy['a']).toBe('one.a');
  expect(Object.keys(copy)).toEqual(['a']);
});

test('a getter that was put alone on another object says so, and gives no value of anybody', () => {
  const one = new Recorded('one');
  defineLater(one.object, 'a');
  const getter = Object.getOwnPropertyDescriptor(one.object, 'a') as PropertyDescriptor;
  const other = Object.defineProperty({}, 'a', getter);
  expect(() => (other as Record<string, unknown>)['a']).toThrow(
    expect.objectContaining({ code: ErrorCode.UNSUPPORTED }),
  );
});

test('names without end keep their own values', () => {
  const one = new Recorded('one');
  for (let count = 0; count < 3_000; count += 1) defineLater(one.object, `k${count}`);
  expect([one.object['k0'], one.object['k2999']]).toEqual(['one.k0', 'one.k2999']);
});
