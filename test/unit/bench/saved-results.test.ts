/** Suites that are measured anew join the figures that are kept. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

interface Suite {
  readonly name: string;
  readonly isWhole: boolean;
  readonly commit: string;
}
interface Result {
  readonly machine: string;
  readonly node: string;
  readonly missing: readonly string[];
  readonly suites: readonly Suite[];
}
const file = pathToFileURL(resolve(import.meta.dirname, '../../../bench/saved-results.mjs')).href;
const { isSameMachine, merged } = (await import(file)) as {
  isSameMachine(saved: Result | undefined, here: Result): boolean;
  merged(saved: Result | undefined, result: Result, names: readonly string[]): Result;
};

const NAMES = ['queries', 'codec', 'sessions'];
const suite = (name: string, commit: string, isWhole = true): Suite => ({ name, commit, isWhole });
const result = (...suites: readonly Suite[]): Result => ({
  machine: 'one',
  node: 'v20',
  missing: [],
  suites,
});

test('a suite replaces its own figures, the others stay, and each says at which commit it was measured', () => {
  const saved = result(suite('queries', 'old'), suite('sessions', 'old'));
  const kept = merged(saved, result(suite('sessions', 'new')), NAMES);
  expect(kept.suites).toEqual([suite('queries', 'old'), suite('sessions', 'new')]);
  expect(kept.missing).toEqual(['codec']);
});

test('suites stand in the order of the page, whenever they were measured', () => {
  const kept = merged(
    result(suite('sessions', 'old')),
    result(suite('codec', 'new'), suite('queries', 'new')),
    NAMES,
  );
  expect(kept.suites.map(({ name }) => name)).toEqual(NAMES);
  expect(kept.missing).toEqual([]);
});

test('a suite that did not come to its end does not replace one that did, and is kept where there is no other', () => {
  const saved = result(suite('queries', 'old'));
  const kept = merged(saved, result(suite('queries', 'new', false), suite('codec', 'new', false)), NAMES);
  expect(kept.suites).toEqual([suite('queries', 'old'), suite('codec', 'new', false)]);
  expect(kept.missing).toEqual(['sessions']);
});

test('figures of another machine, or of another Node, do not stand beside these', () => {
  const here = result();
  expect(isSameMachine(result(), here)).toBe(true);
  expect(isSameMachine({ ...result(), node: 'v22' }, here)).toBe(false);
  expect(isSameMachine({ ...result(), machine: 'two' }, here)).toBe(false);
  expect(isSameMachine(undefined, here)).toBe(false);
});
