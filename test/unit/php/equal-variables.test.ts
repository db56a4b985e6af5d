import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equalVariables, variablesHeld } from '../../../src/php/equal-variables.js';
import {
  PhpArray,
  PhpCustomObject,
  PhpEnum,
  PhpFloat,
  PhpObject,
  PhpReference,
  SessionDocument,
} from '../../../src/php/index.js';

/** A session of `n` variables that are bound to each other and share objects as the numbers say. */
function sessionOf(picks: readonly (readonly number[])[]): SessionDocument {
  const objects = [0, 1, 2].map((index) => new PhpObject(index === 2 ? 'B' : 'A'));
  const references = [new PhpReference(1), new PhpReference([1, 2]), new PhpReference(objects[0])];
  const made = (pick: number): unknown =>
    [
      () => 1,
      () => 'text',
      () => new PhpFloat(1),
      () => [1, [2]],
      () => ({ a: 1, b: null }),
      () =>
        new PhpArray([
          [2, 1],
          [1, 2],
        ]),
      () => new PhpEnum('E', 'One'),
      () => new PhpCustomObject('C', Buffer.from('x')),
      () => Buffer.from([0xff]),
      () => objects[0],
      () => objects[1],
      () => objects[2],
      () => references[0],
      () => references[1],
      () => references[2],
      () => new PhpReference(1),
      () => new PhpObject('A', { p: 1 }),
      () => Number.NaN,
    ][pick]?.();
  objects[0]?.set('next', objects[1]);
  objects[1]?.set('back', objects[0]);
  const changes = new Map(
    picks.map((parts, index) => {
      const value = parts.length === 1 ? made(parts[0] ?? 0) : parts.map(made);
      return [`v${index}`, { kind: 'set', value } as const];
    }),
  );
  const bytes = SessionDocument.decode('', 'php').encodeWith(changes);
  return SessionDocument.decode(bytes, 'php');
}

const picks = fc.array(fc.array(fc.nat(17), { minLength: 1, maxLength: 3 }), { maxLength: 6 });

test('variables are equal when each encoded alone has the same bytes, whatever they share and with whom', () => {
  fc.assert(
    fc.property(
      picks,
      fc.array(fc.tuple(fc.nat(5), fc.nat(2), fc.nat(17)), { maxLength: 3 }),
      (first, edits) => {
        const second = first.map((parts) => [...parts]);
        for (const [variable, place, pick] of edits) {
          const parts = second[variable];
          if (parts !== undefined) parts[place % parts.length] = pick;
        }
        const [one, other] = [sessionOf(first), sessionOf(second)];
        const expected = one.keys.filter((name) => {
          const bytes = other.bytesOf(name);
          return bytes !== undefined && one.bytesOf(name)?.equals(bytes);
        });
        expect([...equalVariables(one, other)].sort()).toEqual([...expected].sort());
        const pairs = one.keys.map((name) => ({ name, one: one.get(name), other: other.get(name) }));
        const held = one.keys.filter((name) => other.holds(name, one.get(name)));
        expect([...variablesHeld(other, pairs)].sort()).toEqual([...held].sort());
      },
    ),
    { numRuns: 1_000 },
  );
});

test('an object that became two, or two that became one, makes a difference only where both are', () => {
  const apart = SessionDocument.decode(
    'a|O:1:"A":0:{}b|O:1:"A":0:{}c|a:2:{i:0;O:1:"A":0:{}i:1;O:1:"A":0:{}}',
    'php',
  );
  const together = SessionDocument.decode('a|O:1:"A":0:{}b|r:1;c|a:2:{i:0;O:1:"A":0:{}i:1;r:4;}', 'php');
  expect([...equalVariables(apart, together)].sort()).toEqual(['a', 'b']);
  expect([...equalVariables(together, apart)].sort()).toEqual(['a', 'b']);
});

test('what cannot be stored is stored nowhere', () => {
  const document = SessionDocument.decode('a|i:1;', 'php');
  expect(variablesHeld(document, [{ name: 'a', one: () => 1, other: 1 }]).size).toBe(0);
});
