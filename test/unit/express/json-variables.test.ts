import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { JsonVariables } from '../../../src/express/json-variables.js';
import {
  decodeSession,
  encodeSession,
  PhpFloat,
  PhpObject,
  SessionDocument,
  serialize,
} from '../../../src/php/index.js';
import type { SessionHandler } from '../../../src/php/session-handler.js';
import { Session } from '../../../src/session/session.js';

function open(bytes: Buffer | string, handler: SessionHandler = 'php'): JsonVariables {
  return new JsonVariables(
    Session.stored('a'.repeat(26), SessionDocument.decode(bytes as Uint8Array, handler)),
  );
}

/** What would be stored after `change` was made to what an application sees. */
function storedAfter(variables: JsonVariables, change: (seen: Record<string, unknown>) => void): string {
  const seen = { ...variables.values };
  change(seen);
  variables.take(seen);
  const { session } = variables;
  return session.base.encodeWith(session.pendingChanges() ?? new Map()).toString();
}

function doubling(levels: number): PhpObject {
  let object = new PhpObject('stdClass');
  for (let level = 0; level < levels; level += 1)
    object = new PhpObject('stdClass', { a: object, b: object });
  return object;
}

test('objects that hold the former one twice, many times over, are not shown, and keep their bytes', () => {
  const bytes = encodeSession({ user: 'ada', graph: doubling(60), last: 1 }, 'php');
  const variables = open(bytes);
  expect(variables.values).toEqual({ user: 'ada', last: 1 });
  expect(
    storedAfter(variables, (seen) => {
      seen['last'] = 2;
    }),
  ).toBe(bytes.toString().replace('last|i:1', 'last|i:2'));
});

test('what many variables share counts for each of them', () => {
  const shared = doubling(14);
  const names = Array.from({ length: 200 }, (_, index) => `v${index}`);
  const variables = open(encodeSession(Object.fromEntries(names.map((name) => [name, shared])), 'php'));
  const shown = Object.keys(variables.values).length;
  expect(shown).toBeGreaterThan(0);
  expect(shown).toBeLessThan(20);
});

test('a long text at many places of an igbinary session is not written out at each', () => {
  const text = 'x'.repeat(10_000);
  const variables = open(encodeSession({ texts: Array(1000).fill(text), n: 1 }, 'igbinary'), 'igbinary');
  expect(variables.values).toEqual({ n: 1 });
});

test('a large session is shown whole, and a value that shares a little', () => {
  const rows = Array.from({ length: 5000 }, (_, index) => ({
    index,
    name: `row ${index}`,
    tags: ['a', 'b'],
  }));
  const object = doubling(6);
  const variables = open(encodeSession({ rows, object, big: 'x'.repeat(2_000_000) }, 'php'));
  expect(Object.keys(variables.values)).toEqual(['rows', 'object', 'big']);
});

test('a value that contains itself is not shown', () => {
  const object = new PhpObject('stdClass');
  object.set('self', object);
  expect(open(encodeSession({ object, n: 1 }, 'php')).values).toEqual({ n: 1 });
});

class User {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  greet(): string {
    return this.name;
  }
}

test.each([
  ['an instance of a class', new User('ada'), { name: 'ada' }],
  [
    'instances within',
    { list: [new User('ada')], of: new User('eve') },
    { list: [{ name: 'ada' }], of: { name: 'eve' } },
  ],
  ['a Map', new Map([[1, 2]]), {}],
  ['a Set', new Set([1]), {}],
  ['a RegExp', /a/, {}],
  ['an Error', new Error('x'), {}],
  ['a URL', new URL('http://a/'), 'http://a/'],
  ['a boxed number', Object(5), 5],
])('%s is stored as JSON has it', (_, value, plain) => {
  const variables = open('n|i:1;');
  const bytes = storedAfter(variables, (seen) => {
    seen['value'] = value;
  });
  expect(bytes).toBe(`n|i:1;value|${serialize(plain)}`);
});

test('an object of PHP stays one when it is changed, and when it is new', () => {
  const variables = open(encodeSession({ user: new PhpObject('App\\User', { name: 'ada' }) }, 'php'));
  const bytes = storedAfter(variables, (seen) => {
    (seen['user'] as PhpObject).set('name', 'eve');
    seen['other'] = new PhpObject('Other', { n: 1 });
  });
  expect(bytes).toBe('user|O:8:"App\\User":1:{s:4:"name";s:3:"eve";}other|O:5:"Other":1:{s:1:"n";i:1;}');
});

test.each([
  ['php', 'a|b'],
  ['php', '5'],
  ['igbinary', '5'],
  ['php_binary', 'x'.repeat(128)],
  ['igbinary', 'a\ud83d'],
] as const)('a name that %s cannot hold is told, and takes nothing else with it', (handler, name) => {
  const variables = open('', handler);
  const refused = variables.take({ [name]: 1, cart: [1] });
  expect(refused).toMatchObject({ code: ErrorCode.PHP_VALUE });
  expect(variables.session.data).toEqual({ cart: [1] });
});

test('text with half of an emoji is told, stays what it was, and takes nothing else with it', () => {
  const variables = open('title|s:3:"old";', 'php');
  const refused = variables.take({ title: { text: 'lamp \ud83d' }, cart: ['\\ud83d', '\u{1f4a1}'] });
  expect(refused).toMatchObject({
    code: ErrorCode.PHP_VALUE,
    message: expect.stringContaining('title.text'),
  });
  expect(variables.session.data).toEqual({ title: 'old', cart: ['\\ud83d', '\u{1f4a1}'] });
});

/** Numbers are what the session has, or what an application sees of them. */
interface Cart {
  id: unknown;
  counted: PhpObject;
  owner: PhpObject;
  deep: { rows: Record<string, unknown>[] };
  list: string[];
}

test('beside a 64-bit integer everything keeps what PHP has there, and an edit of one of them changes nothing else', () => {
  const big = 9007199254740995n;
  const cart = {
    id: big,
    owner: new PhpObject('P', [
      ['n', 1],
      ['\0P\0s', 'x'],
    ]),
    counted: new PhpObject('Q', [
      ['total', big],
      ['\0Q\0rate', new PhpFloat(2)],
    ]),
    bin: Buffer.from([255, 254]),
    inf: Number.POSITIVE_INFINITY,
    price: new PhpFloat(100),
    deep: { rows: [{ id: big, price: new PhpFloat(3) }] },
    list: ['a'],
  };
  for (const handler of ['php', 'igbinary'] as const) {
    const bytes = encodeSession({ cart, n: 1 }, handler);
    const stored = (change: (cart: Cart) => unknown): { cart: Cart } => {
      const variables = open(bytes, handler);
      const seen = { ...variables.values };
      JSON.stringify(seen);
      change(seen['cart'] as Cart);
      variables.take(seen);
      const { session } = variables;
      return decodeSession(session.base.encodeWith(session.pendingChanges() ?? new Map()), handler) as {
        cart: Cart;
      };
    };
    const whole = decodeSession(bytes, handler) as { cart: Cart };
    expect(stored(() => undefined)).toStrictEqual(whole);
    expect(stored((seen) => seen.list.push('b'))).toStrictEqual({
      ...whole,
      cart: { ...whole.cart, list: ['a', 'b'] },
    });
    expect(stored((seen) => Object.assign(seen.deep.rows[0] ?? {}, { name: 'x' }))).toStrictEqual({
      ...whole,
      cart: { ...whole.cart, deep: { rows: [{ ...whole.cart.deep.rows[0], name: 'x' }] } },
    });
    const counted = stored((seen) => seen.counted.set('rate', 4));
    expect(counted.cart.counted.get('total')).toBe(big);
    expect(counted.cart.counted.get('rate')).toStrictEqual(new PhpFloat(4));
    expect(counted.cart.owner).toStrictEqual(whole.cart.owner);
    const replaced = stored((seen) => Object.assign(seen, { id: '7' }));
    expect(replaced.cart).toStrictEqual({ ...whole.cart, id: '7' });
  }
});

test('a hole in an array is null, as in JSON', () => {
  const edit = (change: (cart: unknown[]) => void) =>
    storedAfter(open('cart|a:3:{i:0;i:1;i:1;i:2;i:2;i:3;}'), (seen) => {
      const cart = [...(seen['cart'] as unknown[])];
      change(cart);
      seen['cart'] = cart;
    });
  expect(edit((cart) => delete cart[1])).toBe('cart|a:3:{i:0;i:1;i:1;N;i:2;i:3;}');
  const grown = (cart: unknown[]) => {
    cart[4] = 5;
  };
  expect(edit(grown)).toBe('cart|a:5:{i:0;i:1;i:1;i:2;i:2;i:3;i:3;N;i:4;i:5;}');
});
