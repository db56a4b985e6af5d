import { expect, test } from 'vitest';
import type { CopyKey } from '../../../../src/memcached/copies/copy-key.js';
import { CopyPlaces, type NodeList } from '../../../../src/memcached/copies/copy-places.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { Chance, ModelNode, ModelServer, Network } from './model-world.js';

const network = new Network(new Chance(1));
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => new ModelNode(new ModelServer(id), network)) as [
  ModelNode,
  ModelNode,
  ModelNode,
  ModelNode,
];
const KEY: CopyKey = { key: 'k', place: '1' };

/** The first node by the number that is the place, the others after it. */
function list(ring: string, ...nodes: readonly ModelNode[]): NodeList {
  return {
    ring,
    nodes,
    place: (place) => nodes.map((_node, index) => (Number(place) + index) % nodes.length),
  };
}

function ids(nodes: readonly { readonly id: string }[]): string {
  return nodes.map(({ id }) => id).join('');
}

function shown(places: CopyPlaces, key = KEY): string {
  return [places.holders(key), places.joint(key), places.spares(key)].map(ids).join(' ');
}

test('the first nodes of a place hold its items, the others may take them', () => {
  const places = new CopyPlaces(list('old', a, b, c), 2, new NodeStandings());
  expect(shown(places)).toBe('bc  a');
  expect(ids(places.nodes)).toBe('abc');
});

test('while nodes change one list decides, and the holders by the other one take every write', () => {
  const [old, next] = [list('old', a, b, c), list('new', a, d, c)];
  const places = new CopyPlaces(old, 2, new NodeStandings());
  places.relist(old, next);
  expect(shown(places)).toBe('bc d a');
  expect(places.ring).toBe('old');
  expect(ids(places.otherHolders(KEY))).toBe('dc');
  expect(places.isListed('d')).toBe(false);
  expect(ids(places.nodes)).toBe('abcd');
  places.relist(next, old);
  expect(shown(places)).toBe('dc b a');
  expect(places.ring).toBe('new');
  places.relist(next);
  expect(shown(places)).toBe('dc  a');
  expect(ids(places.nodes)).toBe('adc');
});

test('items on the same nodes by both lists are of one order', () => {
  const [old, next] = [list('old', a, b), list('new', a, b, c)];
  const places = new CopyPlaces(old, 2, new NodeStandings());
  expect(places.order('0')).toBe(places.order('2'));
  places.relist(old, next);
  expect(places.order('0')).not.toBe(places.order('2'));
  expect(places.order('0')).toBe(places.order('6'));
});

test('what a node said about others is forgotten with it', () => {
  const standings = new NodeStandings();
  standings.learnMarker('a', 'm');
  standings.suspect('a', 'b');
  expect(standings.of('a')).toBe('suspect');
  standings.forget('b');
  expect(standings.of('a')).toBe('filled');
});
