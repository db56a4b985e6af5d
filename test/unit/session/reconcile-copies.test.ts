import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MissedWrite } from '../../../src/files/missed-writes.js';
import { encodeSession } from '../../../src/php/index.js';
import { SessionDocument } from '../../../src/php/session-document.js';
import { type FileCopy, versionOf } from '../../../src/session/file-copy.js';
import { changedParts, reconcileCopies } from '../../../src/session/reconcile-copies.js';

type Variables = Readonly<Record<string, number>>;

function copyOf(bytes: Buffer | null, changedMs = 0): FileCopy {
  return { bytes, version: versionOf(bytes), modifiedMs: changedMs, changedMs, bornMs: 0 };
}
const session = (variables: Variables): Buffer => encodeSession({ ...variables }, 'php');
const read = ({ bytes }: FileCopy): unknown =>
  bytes === null ? null : { ...SessionDocument.decode(bytes, 'php').toObject() };
function missed(
  names: readonly string[],
  base: Variables,
  at: number,
  made: Buffer = session(base),
): MissedWrite {
  const decode = (bytes: Buffer) => SessionDocument.decode(bytes, 'php');
  const parts = changedParts(names, decode(session(base)), decode(made));
  return { name: 'sess_x', kind: 'write', superseded: versionOf(session(base)), at, parts };
}

test('what each side changed alone is kept, whatever they are and whoever was later', () => {
  const names = ['a', 'b', 'c', 'd'];
  const variables = fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 3 }));
  fc.assert(
    fc.property(variables, variables, variables, fc.boolean(), (base, ours, theirs, ownIsLater) => {
      // Even names are ours, odd ones theirs: nobody changes what the other does.
      const mine: Record<string, number> = {};
      const other: Record<string, number> = {};
      const both: Record<string, number> = {};
      for (const [index, name] of names.entries()) {
        const put = (where: Record<string, number>, from: Variables): void => {
          const value = from[name];
          if (value !== undefined) where[name] = value;
        };
        put(mine, index % 2 === 0 ? base : theirs);
        put(other, index % 2 === 0 ? ours : base);
        put(both, index % 2 === 0 ? ours : theirs);
      }
      const { copy, kept } = reconcileCopies(
        copyOf(session(mine), ownIsLater ? 20 : 1),
        copyOf(session(other), 10),
        missed(['a', 'c'], base, 10),
        'php',
      );
      expect(read(copy)).toEqual(both);
      expect(kept).toBe('both');
      expect(copy.version).toBe(versionOf(copy.bytes));
    }),
  );
});

test.each([
  [20, { v: 2, php: 1, node: 1 }, 'its own'],
  [1, { v: 3, php: 1, node: 1 }, 'the others'],
])('a variable that both changed is that of the later one (%d)', (changedMs, expected, kept) => {
  const result = reconcileCopies(
    copyOf(session({ v: 2, php: 1 }), changedMs),
    copyOf(session({ v: 3, node: 1 }), 10),
    missed(['v', 'node'], { v: 1 }, 10),
    'php',
  );
  expect({ data: read(result.copy), kept: result.kept }).toEqual({ data: expected, kept });
});

test('a logout stands, what is no session counts for nothing, and without parts the later copy is kept whole', () => {
  const others = copyOf(session({ v: 3 }), 10);
  const record = missed(['v'], { v: 1 }, 10);
  const kept = (own: FileCopy, as: MissedWrite = record, them: FileCopy = others) =>
    reconcileCopies(own, them, as, 'php').kept;
  expect(kept(copyOf(null))).toBe('its own');
  expect(kept(copyOf(Buffer.from('v|i:'), 20))).toBe('the others');
  const { parts: _parts, ...whole } = record;
  expect(kept(copyOf(session({ v: 2 }), 20), whole)).toBe('its own');
  expect(kept(copyOf(session({ v: 2 }), 1), whole)).toBe('the others');
  expect(kept(copyOf(session({ v: 2 }), 20), record, copyOf(null))).toBe('its own');
  expect(kept(copyOf(session({ v: 2 }), 1), record, copyOf(Buffer.from('v|')))).toBe('its own');
});

test('of the copies of mounts that PHP does not write, only what they have of a missed write counts', () => {
  const { copy, kept } = reconcileCopies(
    copyOf(session({ php: 1, node: 2, v: 5 }), 20),
    copyOf(session({ php: 2, node: 2, v: 3 }), 30),
    missed(['node', 'v'], { php: 1, node: 0, v: 1 }, 10),
    'php',
    'others',
  );
  expect({ data: read(copy), kept }).toEqual({ data: { php: 2, node: 2, v: 5 }, kept: 'its own' });
});

test.each(['own', 'others'] as const)(
  'what shares an object still shares it when PHP writes its %s',
  (phpWrites) => {
    const user = 'user|O:8:"stdClass":1:{s:1:"n";i:1;}';
    const result = reconcileCopies(
      copyOf(Buffer.from(`${user}php|i:1;`), 20),
      copyOf(Buffer.from(`${user}cart|a:1:{s:5:"owner";r:1;}php|i:1;`), 10),
      missed(['cart'], {}, 10),
      'php',
      phpWrites,
    );
    const bytes = String(result.copy.bytes);
    expect(bytes).toContain('cart|a:1:{s:5:"owner";r:1;}');
    expect(bytes).toContain('php|i:1;');
  },
);
