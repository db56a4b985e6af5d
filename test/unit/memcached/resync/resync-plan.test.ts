import { expect, test } from 'vitest';
import { ItemRate } from '../../../../src/memcached/resync/item-rate.js';
import {
  keepsForOthers,
  type NodeView,
  planResync as planFor,
  planSkipped,
  type ResyncJob,
  sourcesFor,
} from '../../../../src/memcached/resync/resync-plan.js';

const planResync = (views: readonly NodeView[], copies = 2): readonly ResyncJob[] => planFor(views, copies);

function view(node: string, more: Partial<NodeView> = {}): NodeView {
  const spare = { away: false, spareMark: undefined, roomy: true };
  return { node, reached: true, filled: true, items: 10, suspects: [], ...spare, ...more };
}

test('new nodes are marked at once; a single one always', () => {
  const fresh = [view('a', { filled: false, items: 0 }), view('b', { filled: false, items: 0 })];
  expect(planResync(fresh)).toEqual([{ kind: 'mark', nodes: ['a', 'b'] }]);
  expect(planResync([view('a', { filled: false })])).toEqual([{ kind: 'mark', nodes: ['a'] }]);
});

test('a node that lost its marker is filled from the others, completely only when all of them can be read', () => {
  expect(planResync([view('a', { filled: false, items: 0 }), view('b')])).toEqual([
    { kind: 'fill', node: 'a', sources: ['b'], complete: true, away: [] },
  ]);
  expect(planResync([view('a', { filled: false }), view('b'), view('c', { reached: false })])).toEqual([
    { kind: 'fill', node: 'a', sources: ['b'], complete: false, away: [] },
  ]);
  expect(planResync([view('a', { filled: false }), view('b', { reached: false })])).toEqual([]);
});

test('a node that missed writes is mended by those who say so, once it can be reached', () => {
  expect(planResync([view('a'), view('b', { suspects: ['a'] })])).toEqual([
    { kind: 'mend', node: 'a', reporters: ['b'] },
  ]);
  expect(planResync([view('a', { reached: false }), view('b', { suspects: ['a'] })])).toEqual([]);
  expect(planResync([view('a'), view('b')])).toEqual([]);
});

test('items are taken from holders before spare nodes, from complete ones before others', () => {
  const views = new Map(
    [view('a', { filled: false }), view('b'), view('c', { suspects: ['b'] }), view('d')].map((one) => [
      one.node,
      one,
    ]),
  );
  expect(sourcesFor(['a', 'b', 'c'], ['d'], views, 'a')).toEqual(['c', 'b', 'd']);
  expect(sourcesFor(['b', 'a'], ['c', 'd'], views, 'b')).toEqual(['a', 'c', 'd']);
});

test('the rate lets so many items pass in a second, without a burst after a pause', () => {
  let now = 0;
  const rate = new ItemRate(1_000, { now: () => now, wall: () => 0 });
  expect(rate.take(500)).toBe(0);
  expect(rate.take(500)).toBe(500);
  now = 10_000;
  expect(rate.take(1_000)).toBe(0);
  expect(rate.take(1)).toBe(750);
  expect(new ItemRate(0).take(1e9)).toBe(0);
});

test('a node that is away long enough is stood in for by the others, once, where there are more nodes than copies', () => {
  const gone = view('c', { reached: false, filled: false, away: true });
  const recopied = { kind: 'recopy', away: ['c'] };
  expect(planResync([view('a'), view('b'), gone])).toEqual([
    { ...recopied, node: 'a', sources: ['b'] },
    { ...recopied, node: 'b', sources: ['a'] },
  ]);
  expect(planResync([view('a', { spareMark: 'for c' }), view('b', { spareMark: 'begun' }), gone])).toEqual([
    { ...recopied, node: 'b', sources: ['a'] },
  ]);
  expect(planResync([view('a'), view('b'), { ...gone, away: false }])).toEqual([]);
  expect(planResync([view('a'), view('b'), gone], 3)).toEqual([]);
  expect(planResync([view('a', { roomy: false }), view('b', { filled: false }), gone])).toEqual([
    { kind: 'fill', node: 'b', sources: ['a'], complete: false, away: [] },
  ]);
});

test('a node that starts empty while another one is away gets second copies of what is left, and is not believed', () => {
  const [a, b] = [view('a', { filled: false, items: 0 }), view('b')];
  const c = view('c', { reached: false, filled: false, away: true });
  const fill = { kind: 'fill', node: 'a', sources: ['b'], complete: false };
  expect(planResync([a, b, c])).toEqual([{ ...fill, away: ['c'] }]);
  expect(planResync([a, b, { ...c, away: false }])).toEqual([{ ...fill, away: [] }]);
  expect(planResync([a, b, c], 3)).toEqual([{ ...fill, away: [] }]);
  expect(planResync([{ ...a, roomy: false }, b, c])).toEqual([{ ...fill, away: [] }]);
  // It is going to be as full as the others are, and would throw out sessions of its own for those of c.
  expect(planResync([a, { ...b, roomy: false }, c])).toEqual([{ ...fill, away: [] }]);
  // With two nodes there is nobody whose copies it could take.
  expect(planResync([a, view('b', { reached: false, away: true })])).toEqual([]);
});

test('what was kept for others is swept away when everybody is whole again, and not before', () => {
  const [a, b, c] = [view('a', { spareMark: 'for c' }), view('b'), view('c')] as const;
  expect(planResync([a, b, c])).toEqual([{ kind: 'sweep', node: 'a' }]);
  expect(planResync([a, b, { ...c, filled: false }])).toMatchObject([{ kind: 'fill', node: 'c' }]);
  expect(planResync([a, { ...b, suspects: ['c'] }, c])).toMatchObject([{ kind: 'mend', node: 'c' }]);
  expect(planResync([a, b, { ...c, reached: false }])).toEqual([]);
});

test('the next node in line keeps an item for a holder that is away', () => {
  expect(keepsForOthers('c', ['a', 'b'], ['c', 'd'], ['b'])).toBe(true);
  expect(keepsForOthers('d', ['a', 'b'], ['c', 'd'], ['b'])).toBe(false);
  expect(keepsForOthers('d', ['a', 'b'], ['c', 'd'], ['a', 'b'])).toBe(true);
  expect(keepsForOthers('d', ['a', 'b'], ['c', 'd'], ['b', 'c'])).toBe(true);
  expect(keepsForOthers('a', ['a', 'b'], ['c', 'd'], ['b'])).toBe(false);
});

test('nodes that are too full to stand in are told, as long as they have not done so', () => {
  const gone = view('c', { reached: false, filled: false, away: true });
  const [full, roomy] = [view('a', { roomy: false }), view('b')];
  expect(planSkipped([full, roomy, gone], 2)).toEqual({ away: ['c'], full: ['a'] });
  expect(planSkipped([{ ...full, spareMark: 'for c' }, roomy, gone], 2).full).toEqual([]);
  expect(planSkipped([full, roomy, { ...gone, away: false }], 2).full).toEqual([]);
  expect(planSkipped([full, roomy, gone], 3).full).toEqual([]);
});
