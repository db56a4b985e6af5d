import { expect, test } from 'vitest';
import { OrderedMap, type PhpObject, SessionDocument } from '../../../src/php/index.js';
import { Session } from '../../../src/session/session.js';
import { mergeSession } from '../../../src/session/session-merge.js';

const SHAPES: Readonly<Record<string, (n: number) => string>> = {
  'one large object': (n) => {
    const entries = Array.from({ length: n }, (_, i) => `i:${i};i:1;`).join('');
    const object = `O:1:"A":${n}:{${entries}}`;
    return Array.from({ length: n }, (_, i) => `v${i}|${i === 0 ? object : 'a:2:{i:0;r:1;i:1;i:5;}'}`).join(
      '',
    );
  },
  'a chain of objects': (n) =>
    Array.from(
      { length: n },
      // Slots: one of the object, one of its property, which is the object of the variable before.
      (_, i) => `v${i}|${i === 0 ? 'O:1:"A":0:{}' : `O:1:"A":1:{s:1:"p";r:${i === 1 ? 1 : 2 * i - 2};}`}`,
    ).join(''),
};

/** How many entries of objects `work` looks at. */
function entriesLookedAt(work: () => void): number {
  let looks = 0;
  const { prototype } = OrderedMap;
  const names = ['get', 'has', 'set', 'entries', 'values', Symbol.iterator] as const;
  const real = names.map((name) => [name, Object.getOwnPropertyDescriptor(prototype, name)] as const);
  for (const name of names) {
    // Some of them are those of Map.
    const method = prototype[name] as (...args: unknown[]) => unknown;
    const counting = function (this: OrderedMap, ...args: unknown[]): unknown {
      // Whoever asks for all entries looks at all.
      looks += args.length > 0 ? 1 : this.size;
      return Reflect.apply(method, this, args);
    };
    Object.defineProperty(prototype, name, { value: counting, configurable: true, writable: true });
  }
  try {
    work();
  } finally {
    for (const [name, descriptor] of real) {
      if (descriptor === undefined) Reflect.deleteProperty(prototype, name);
      else Object.defineProperty(prototype, name, descriptor);
    }
  }
  return looks;
}

/** Edits what all variables share, saves it, and takes over what was saved. */
function editAndSave(data: string): void {
  const session = Session.stored('id', SessionDocument.decode(data, 'php'));
  (session.data['v0'] as PhpObject).set('edited', 1);
  const changes = session.pendingChanges() ?? new Map();
  expect(changes.size).toBeGreaterThan(500);
  const written = session.base.encodeWith(changes);
  session.wrote(SessionDocument.decode(written, 'php'), SessionDocument.decode(written, 'php'));
  expect(session.changed).toBe(false);
}

/** The same while somebody else saved another variable. */
function editAndMerge(data: string): void {
  const session = Session.stored('id', SessionDocument.decode(`${data}mine|i:1;theirs|i:1;`, 'php'));
  (session.data['v0'] as PhpObject).set('edited', 1);
  const changes = session.pendingChanges() ?? new Map();
  const stored = SessionDocument.decode(`${data}mine|i:1;theirs|i:2;`, 'php');
  const { bytes, decided } = mergeSession(session.base, changes, stored, () => 'ours');
  expect(decided).toEqual([]);
  const ours = session.base.encodeWith(changes);
  session.wrote(SessionDocument.decode(bytes, 'php'), SessionDocument.decode(ours, 'php'));
  expect(session.data['theirs']).toBe(2);
  expect((session.data['v0'] as PhpObject).get('edited')).toBe(1);
}

test.each(Object.keys(SHAPES))(
  'the work of such an edit grows as they do when somebody else saves meanwhile, too: %s',
  (name) => {
    const shape = SHAPES[name] ?? String;
    const [small, large] = [600, 2_400].map((n) => entriesLookedAt(() => editAndMerge(shape(n))));
    const growth = (large ?? 0) / (small ?? 0);
    expect(growth).toBeGreaterThan(1);
    expect(growth).toBeLessThan(8);
  },
);

test.each(Object.keys(SHAPES))(
  'the work of an edit of what many variables share grows as they do: %s',
  (name) => {
    const shape = SHAPES[name] ?? String;
    const [small, large] = [600, 2_400].map((n) => entriesLookedAt(() => editAndSave(shape(n))));
    const growth = (large ?? 0) / (small ?? 0);
    // Four times the session: quadratic work would be sixteen times as much.
    expect(growth).toBeGreaterThan(1);
    expect(growth).toBeLessThan(8);
  },
);
