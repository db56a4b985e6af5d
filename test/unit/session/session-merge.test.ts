import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { VariableChange } from '../../../src/php/session-document.js';
import { mergeChanges } from '../../../src/session/session-merge.js';

const bytes = (text: string | undefined): Buffer | undefined =>
  text === undefined ? undefined : Buffer.from(text);
const lookup = (state: Readonly<Record<string, string>>) => (name: string) => bytes(state[name]);
const set = (value: string): VariableChange => ({ kind: 'set', value });
const remove: VariableChange = { kind: 'delete' };
const ours = () => 'ours' as const;
const theirs = () => 'theirs' as const;

test('a variable that only we changed takes our change', () => {
  const merged = mergeChanges(
    new Map([['a', set('2')]]),
    lookup({ a: '1' }),
    lookup({ a: '1', b: '9' }),
    theirs,
  );
  expect(merged).toEqual({ apply: new Map([['a', set('2')]]), conflicts: [] });
});

test.each([[Promise.resolve('ours')], [undefined], ['mine'], [true]])(
  'a decision that is none, %s, is refused, and not taken for the others',
  (decision) => {
    const changes = new Map([['a', set('2')]]);
    const merge = () =>
      mergeChanges(changes, lookup({ a: '1' }), lookup({ a: '3' }), () => decision as never);
    expect(merge).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
    expect(merge).toThrow(/sessions\.onConflict/);
  },
);

test('a variable that both changed is a conflict, decided by the caller', () => {
  const changes = new Map([['a', set('2')]]);
  expect(mergeChanges(changes, lookup({ a: '1' }), lookup({ a: '3' }), ours).apply).toEqual(changes);
  const lost = mergeChanges(changes, lookup({ a: '1' }), lookup({ a: '3' }), theirs);
  expect(lost.apply.size).toBe(0);
  expect(lost.conflicts).toEqual([{ name: 'a', base: bytes('1'), theirs: bytes('3'), ours: set('2') }]);
});

test('two who remove the same variable agree', () => {
  expect(mergeChanges(new Map([['a', remove]]), lookup({ a: '1' }), lookup({}), theirs)).toEqual({
    apply: new Map(),
    conflicts: [],
  });
});

test('a variable that we changed and somebody removed is a conflict', () => {
  expect(
    mergeChanges(new Map([['a', set('2')]]), lookup({ a: '1' }), lookup({}), ours).conflicts,
  ).toHaveLength(1);
});

test('whatever the others did to other variables, our change to an untouched one is applied', () => {
  const state = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2', '3'));
  fc.assert(
    fc.property(state, state, fc.constantFrom('a', 'b', 'c', 'd'), (base, stored, name) => {
      const merged = mergeChanges(new Map([[name, set('new')]]), lookup(base), lookup(stored), theirs);
      const untouched = base[name] === stored[name];
      expect(merged.apply.has(name)).toBe(untouched);
      expect(merged.conflicts.length).toBe(untouched ? 0 : 1);
    }),
  );
});
