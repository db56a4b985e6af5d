import { expect, test } from 'vitest';
import { newFillMarker } from '../../../../src/memcached/copies/fill-marker.js';
import { LossWatch, type WatchedView } from '../../../../src/memcached/resync/loss-watch.js';

const LIFE = { pid: 1, startedAt: 1 };
const refilled = (): string => newFillMarker(LIFE).toString();
const anew = (): string => newFillMarker(LIFE, 1_000_000).toString();

function view(node: string, marker: string | undefined, more: Partial<WatchedView> = {}): WatchedView {
  const rest = { suspects: [], away: false, spareMark: undefined, roomy: true };
  return { node, reached: true, filled: marker !== undefined, items: 10, marker, ...rest, ...more };
}
const away = (node: string): WatchedView => view(node, undefined, { reached: false, away: true, items: 0 });

test('a node that begins anew is told once, with what it held and what is left', () => {
  const watch = new LossWatch();
  const [b, again] = [refilled(), anew()];
  expect(watch.look([view('a', refilled()), view('b', b)], 2)).toEqual([]);
  expect(watch.look([view('a', undefined, { items: 0 }), view('b', b)], 2)).toEqual([]);
  const now = [view('a', again, { items: 3 }), view('b', b)];
  expect(watch.look(now, 2)).toEqual([{ node: 'a', cause: 'emptied', held: 10, left: 3 }]);
  expect(watch.look(now, 2)).toEqual([]);
});

test('a node that got everything back, a new one, and one that is no longer ours tell nothing', () => {
  const watch = new LossWatch();
  expect(watch.look([view('a', anew())], 1)).toEqual([]);
  expect(watch.look([view('a', refilled())], 1)).toEqual([]);
  watch.forget('a');
  expect(watch.look([view('a', anew())], 1)).toEqual([]);
});

test.each([
  ['is filled', view('b', refilled()), 0],
  ['is being filled', view('b', undefined, { items: 4 }), 1],
  ['is silent as well', away('b'), 0],
])('a node is silent for too long while the other one %s', (_, other, told) => {
  const watch = new LossWatch();
  watch.look([view('a', refilled()), view('b', refilled())], 2);
  const lost = { node: 'a', cause: 'silent', held: 10, left: 4 };
  expect(watch.look([away('a'), other], 2)).toEqual(told === 1 ? [lost] : []);
  expect(watch.look([away('a'), other], 2)).toEqual([]);
});

test('a node is silent for too long while the other one missed writes that it took', () => {
  const watch = new LossWatch();
  const [a, b] = [refilled(), refilled()];
  watch.look([view('a', a), view('b', b)], 2);
  const suspected = view('c', refilled(), { suspects: ['b'] });
  expect(watch.look([away('a'), view('b', b), suspected], 2)).toHaveLength(1);
  watch.look([view('a', a), view('b', b), suspected], 2);
  expect(watch.look([away('a'), view('b', b), suspected], 2)).toHaveLength(1);
});

test('of three copies of everything one is left when two are gone', () => {
  const watch = new LossWatch();
  const c = view('c', refilled());
  watch.look([view('a', refilled()), view('b', refilled()), c], 3);
  expect(watch.look([away('a'), away('b'), c], 3)).toEqual([]);
});

const UNMENDED = { node: 'b', cause: 'unmended', held: 10, left: 0, missedBy: ['a'] };
const empty = (more: Partial<WatchedView> = {}): WatchedView => view('b', undefined, { items: 0, ...more });

test.each([
  ['is there again', view('a', 'a')],
  ['is away still', away('a')],
])('a node that alone had writes that another one missed, which %s, loses its memory', (_, a) => {
  const watch = new LossWatch();
  const before = [view('a', 'a'), view('b', 'b', { suspects: ['a'] })];
  expect(watch.look(before, 2)).toEqual([]);
  expect(watch.look([a, view('b', undefined, { reached: false })], 2)).toEqual([]);
  expect(watch.look([a, empty()], 2)).toContainEqual(UNMENDED);
  // What is missed from now on is there again.
  watch.noted('b', ['a']);
  expect(watch.look([a, empty({ suspects: ['a'] })], 2)).toEqual([]);
  expect(watch.look([a, view('b', refilled())], 2)).toEqual([]);
});

test('a write that was missed since the last look is lost as well, and one that was mended is not', () => {
  const watch = new LossWatch();
  const a = view('a', 'a');
  watch.look([a, view('b', 'b')], 2);
  watch.noted('b', ['a']);
  expect(watch.look([a, view('b', refilled(), { items: 0 })], 2)).toEqual([UNMENDED]);
  watch.look([a, view('b', 'b2', { suspects: ['a'] })], 2);
  watch.look([a, view('b', 'b2')], 2);
  expect(watch.look([a, empty()], 2)).toEqual([]);
});

test('what a spare node took as well is not lost', () => {
  const watch = new LossWatch();
  const c = view('c', 'c', { suspects: ['a'] });
  watch.look([away('a'), view('b', 'b', { suspects: ['a'] }), c], 2);
  expect(watch.look([away('a'), empty(), c], 2)).toEqual([]);
});

test('what others missed by a list of nodes that is over is no loss by the next one', () => {
  const watch = new LossWatch();
  const a = view('a', 'a');
  watch.look([a, view('b', 'b', { suspects: ['a'] })], 2);
  expect(watch.look([a, empty()], 2, true)).toEqual([]);
  watch.noted('b', ['a']);
  expect(watch.look([view('a', 'a of the next list'), view('b', 'b of the next list')], 2)).toEqual([]);
});
