import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MissedWrite, parseMissed } from '../../../src/files/missed-writes.js';
import { encodeSession, SessionDocument, type SessionHandler } from '../../../src/php/index.js';
import { type FileCopy, versionOf } from '../../../src/session/file-copy.js';
import { changedParts, partsOf, reconcileCopies } from '../../../src/session/reconcile-copies.js';

type Variables = Record<string, unknown>;

const BAG = '_sf2_attributes';

function copyOf(bytes: Buffer, changedMs: number): FileCopy {
  return { bytes, version: versionOf(bytes), modifiedMs: changedMs, changedMs, bornMs: 0 };
}

/** What becomes of a session that Node saved on the others, at 10, and PHP on the mount that missed it. */
function reconcile(
  base: Variables,
  php: Variables,
  node: Variables,
  how: {
    readonly at?: number;
    readonly handler?: SessionHandler;
    readonly late?: Variables;
    readonly phpWrites?: 'own' | 'others';
  } = {},
) {
  const { at = 20, handler = 'php', late, phpWrites } = how;
  const encode = (variables: Variables) => encodeSession(variables, handler);
  const decode = (bytes: Buffer) => SessionDocument.decode(bytes, handler);
  const changed = Object.keys({ ...base, ...node });
  const record: MissedWrite = {
    name: 'sess_x',
    kind: 'write',
    superseded: versionOf(encode(base)),
    at: 10,
    parts: changedParts(changed, decode(encode(base)), decode(encode(node))),
    late: late && [{ version: versionOf(encode(late)), parts: partsOf(encode(late), handler) }],
  };
  const { copy, kept } = reconcileCopies(
    copyOf(encode(php), at),
    copyOf(encode(node), 10),
    // As it is read from the mount.
    parseMissed(JSON.stringify(record)) as MissedWrite,
    handler,
    phpWrites,
  );
  return { data: { ...decode(copy.bytes as Buffer).toObject() }, kept, bytes: String(copy.bytes) };
}

test.each(['php', 'php_serialize', 'igbinary'] as const)(
  'attributes that only one side changed are kept, whatever they are and whoever was later (%s)',
  (handler) => {
    const names = ['a', 'b', 'c', 'd'];
    const variables = fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(variables, variables, variables, fc.boolean(), (base, ours, theirs, phpIsLater) => {
        // Even names are Node's, odd ones PHP's: nobody changes what the other does.
        const pick = (of: (index: number) => Variables) =>
          Object.fromEntries(
            names.flatMap((name, index) => (name in of(index) ? [[name, of(index)[name]]] : [])),
          );
        const php = pick((index) => (index % 2 === 0 ? base : theirs));
        const node = pick((index) => (index % 2 === 0 ? ours : base));
        const both = pick((index) => (index % 2 === 0 ? ours : theirs));
        const { data, kept } = reconcile(
          { [BAG]: base },
          { [BAG]: php },
          { [BAG]: node },
          {
            at: phpIsLater ? 20 : 1,
            handler,
          },
        );
        expect({ ...(data[BAG] as Variables) }).toEqual(both);
        expect(kept).toBe('both');
      }),
    );
  },
);

test.each([
  [20, 2, 'its own'],
  [1, 3, 'the others'],
] as const)('an attribute that both changed is that of the later one (%d)', (at, n, kept) => {
  const result = reconcile(
    { [BAG]: { n: 1 } },
    { [BAG]: { n: 2, php: 1 } },
    { [BAG]: { n: 3, node: 1 } },
    { at },
  );
  expect(result).toMatchObject({ data: { [BAG]: { n, php: 1, node: 1 } }, kept });
});

test('attributes that a logout of PHP removed do not come back with one that Node changed', () => {
  const base = { [BAG]: { _security_main: 'TOKEN', cart: [1] } };
  const { data } = reconcile(
    base,
    { [BAG]: [] },
    { [BAG]: { _security_main: 'TOKEN', cart: [2] } },
    { at: 1 },
  );
  expect(data).toEqual({ [BAG]: { cart: [2] } });
});

test('a bag that Node removed is gone but for what PHP put into it meanwhile', () => {
  const base = { [BAG]: { user: 'ada' }, v: 1 };
  expect(reconcile(base, base, { v: 1 }).data).toEqual({ v: 1 });
  expect(reconcile(base, { [BAG]: { user: 'ada', lang: 'fr' }, v: 1 }, { v: 1 }).data).toEqual({
    [BAG]: { lang: 'fr' },
    v: 1,
  });
  expect(reconcile(base, { [BAG]: { user: 'bob' }, v: 1 }, { v: 1 }, { at: 1 }).data).toEqual({ v: 1 });
});

test('what a late call of Node made of an attribute is nobody’s later write', () => {
  const { data, kept } = reconcile(
    { [BAG]: { n: 1, old: 1 } },
    { [BAG]: { n: 2, old: 1, php: 1 } },
    { [BAG]: { n: 3, old: 1 } },
    { late: { [BAG]: { n: 2, old: 1 } } },
  );
  expect(data).toEqual({ [BAG]: { n: 3, old: 1, php: 1 } });
  expect(kept).toBe('both');
});

test('on mounts that PHP does not write, only what a missed write changed counts', () => {
  const { data } = reconcile(
    { [BAG]: { a: 1, b: 1 } },
    { [BAG]: { a: 2, b: 2, c: 2 } },
    { [BAG]: { a: 3, b: 1 } },
    { phpWrites: 'others' },
  );
  expect(data).toEqual({ [BAG]: { a: 2, b: 1 } });
});

test.each([
  ['no array', { [BAG]: 'text' }, { [BAG]: { a: 2 } }],
  ['more attributes than a record takes', { [BAG]: many(1) }, { [BAG]: { ...many(1), a: 2 } }],
])('a bag that is %s is decided as a whole', (_what, base, node) => {
  const php = { [BAG]: { b: 1 } };
  expect(reconcile(base, php, node)).toMatchObject({ data: php, kept: 'its own' });
  expect(reconcile(base, php, node, { at: 1 })).toMatchObject({ data: node, kept: 'the others' });
});

test('attributes that share one huge value are decided as a whole, in time that follows the session', () => {
  const shared = 'x'.repeat(1000);
  const big = (n: number) =>
    `${BAG}|a:301:{s:1:"n";i:${n};s:1:"o";O:8:"stdClass":1:{s:1:"t";s:1000:"${shared}";}${Array.from(
      { length: 299 },
      (_, index) => `i:${index};r:3;`,
    ).join('')}}`;
  const record = (node: string): MissedWrite => {
    const decode = (text: string) => SessionDocument.decode(text, 'php');
    return {
      name: 'sess_x',
      kind: 'write',
      superseded: null,
      at: 10,
      parts: changedParts([BAG], decode(big(1)), decode(node)),
    };
  };
  expect(Object.keys(record(big(3)).parts ?? {})).toHaveLength(2);
  const { copy } = reconcileCopies(
    copyOf(Buffer.from(big(2)), 20),
    copyOf(Buffer.from(big(3)), 10),
    record(big(3)),
    'php',
  );
  expect(String(copy.bytes)).toBe(big(2));
});

test('an attribute that shares an object with another one still does', () => {
  const user = 's:4:"user";O:8:"stdClass":1:{s:1:"n";i:1;}';
  const copy = (rest: string, count: number) => Buffer.from(`${BAG}|a:${count}:{${user}${rest}}`);
  const decode = (bytes: Buffer) => SessionDocument.decode(bytes, 'php');
  const [base, php, node] = [
    copy('', 1),
    copy('s:3:"php";i:1;', 2),
    copy('s:4:"cart";a:1:{s:5:"owner";r:2;}', 2),
  ] as const;
  const parts = changedParts([BAG], decode(base), decode(node));
  const record: MissedWrite = { name: 'sess_x', kind: 'write', superseded: versionOf(base), at: 10, parts };
  expect(String(reconcileCopies(copyOf(php, 20), copyOf(node, 10), record, 'php').copy.bytes)).toBe(
    `${BAG}|a:3:{${user}s:3:"php";i:1;s:4:"cart";a:1:{s:5:"owner";r:2;}}`,
  );
});

function many(value: number): Variables {
  return Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`attribute${index}`, value]));
}
