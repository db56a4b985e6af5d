import { inspect, isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeSession, SessionDocument, SessionView } from '../../../src/php/index.js';

type Data = Record<string, unknown>;

const NAMES = ['a', 'b', 'c', 'n', 'x', '__proto__', 'y'];
const STORED = 'a|a:1:{s:1:"n";i:1;}b|a:2:{i:0;i:7;i:1;a:1:{i:0;i:8;}}c|a:0:{}n|i:3;__proto__|a:1:{i:0;i:1;}';

function stored(): Data {
  const data: Data = { a: { n: 1 }, b: [7, [8]], c: [], n: 3 };
  return Object.defineProperty(data, '__proto__', property([1]));
}

function property(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** What an application may do with an object, or with one that it made of it. */
const WAYS: Record<string, (data: Data, name: string, value: unknown) => unknown> = {
  get: (data, name) => Reflect.get(data, name),
  set: (data, name, value) => {
    if (!Reflect.set(data, name, value)) throw new TypeError(name);
  },
  assign: (data, name, value) => Object.assign(data, { [name]: value }),
  delete: (data, name) => Reflect.deleteProperty(data, name),
  has: (data, name) => [name in data, Object.hasOwn(data, name), Object.keys(data)],
  define: (data, name, value) => Reflect.defineProperty(data, name, property(value)),
  hide: (data, name, value) => Reflect.defineProperty(data, name, { ...property(value), enumerable: false }),
  nested: (data, name, value) => {
    const inner = Object.hasOwn(data, name) ? data[name] : undefined;
    if (Array.isArray(inner)) inner.push(value);
    else if (typeof inner === 'object' && inner !== null) Object.assign(inner, { x: value });
    return inner;
  },
  entries: (data) => Object.entries(data),
  spread: (data) => ({ ...data }),
  json: (data) => JSON.stringify(data),
  clone: (data) => structuredClone(data),
  // From Node 26 on proxies are told.
  inspect: (data) => inspect(data).replace(/^Proxy\(([\s\S]*)\)$/, '$1'),
  loop: (data) => {
    const names: string[] = [];
    for (const name in data) names.push(name);
    return names;
  },
  seal: (data) => Object.isSealed(Object.seal(data)),
  freeze: (data) => Object.isFrozen(Object.freeze(data)),
  prevent: (data) => Object.isExtensible(Object.preventExtensions(data)),
};

/** Who does it: the holder of the object, of one that inherits from it, of a proxy, or of a copy. */
const HOLDERS = {
  itself: (data: Data): Data => data,
  heir: (data: Data): Data => Object.create(data) as Data,
  proxy: (data: Data): Data => new Proxy(data, {}),
  copy: (data: Data): Data => Object.create(Object.prototype, Object.getOwnPropertyDescriptors(data)) as Data,
};

function tried(work: () => unknown): unknown {
  try {
    // What came out must not change with the object.
    return structuredClone(work());
  } catch (error) {
    return (error as Error).name;
  }
}

const step = fc
  .record({
    holder: fc.constantFrom(...(Object.keys(HOLDERS) as (keyof typeof HOLDERS)[])),
    way: fc.constantFrom(...Object.keys(WAYS)),
    name: fc.constantFrom(...NAMES),
    value: fc.constantFrom<unknown>(1, 'text', [9], { y: 2 }),
  })
  // A copy of the getters is sealed in its own right; what is assigned then is the one thing that it has in common with the others.
  .filter(({ holder, way }) => holder !== 'copy' || (way !== 'seal' && way !== 'freeze'));

describe('the data of a session of which nobody has looked at anything', () => {
  test('is as a plain object, whatever is done with it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const document = SessionDocument.decode(STORED, 'php', undefined, 'later');
        const view = new SessionView(document);
        const [lazy, plain] = [view.data, stored()].map((data) =>
          Object.fromEntries(Object.entries(HOLDERS).map(([name, held]) => [name, held(data)])),
        ) as [Record<string, Data>, Record<string, Data>];
        for (const { holder, way, name, value } of steps) {
          const [got, wanted] = [lazy, plain].map((of) =>
            tried(() => WAYS[way]?.(of[holder] as Data, name, structuredClone(value))),
          );
          expect(got, `${holder} ${way} ${name}`).toStrictEqual(wanted);
        }
        for (const holder of Object.keys(HOLDERS))
          expect({ ...lazy[holder] }, holder).toStrictEqual({ ...plain[holder] });
        expect(isDeepStrictEqual(lazy['itself'], plain['itself'])).toBe(true);
        const saved = document.encodeWith(view.changes());
        expect(SessionDocument.decode(saved, 'php').toObject()).toStrictEqual(
          SessionDocument.decode(encodeSession({ ...plain['itself'] }, 'php'), 'php').toObject(),
        );
      }),
      { numRuns: 200 },
    );
  });
});
