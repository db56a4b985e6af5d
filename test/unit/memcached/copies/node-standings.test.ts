/** What a process knows of its nodes, and when. */
import { expect, test } from 'vitest';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';

test('a look that began before a write was missed does not take back that it was', () => {
  const standings = new NodeStandings();
  standings.learnMarker('b', 'filled');
  const askedAt = performance.now();
  standings.suspect('b', 'a');
  standings.learnSuspects('a', new Set(), ['a', 'b'], askedAt);
  expect(standings.of('b')).toBe('suspect');
  standings.learnSuspects('a', new Set(), ['a', 'b'], performance.now() + 1);
  expect(standings.of('b')).toBe('filled');
});
