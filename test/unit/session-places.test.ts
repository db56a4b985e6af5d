import { expect, test } from 'vitest';
import { sessionPlaces } from '../../src/session-places.js';

test('mounts have the phases that breakers would have', () => {
  const health = (phase: string) => ({ mount: `/srv/${phase}`, health: { phase } });
  const store = { status: () => ['healthy', 'impaired', 'filling', 'down', 'unknown'].map(health) };
  const rows = sessionPlaces(store)?.map(({ node, reads, writes, standing }) => [
    node,
    reads,
    writes,
    standing,
  ]);
  expect(rows).toEqual([
    ['/srv/healthy', 'closed', 'closed', 'filled'],
    ['/srv/impaired', 'closed', 'open', 'filled'],
    ['/srv/filling', 'closed', 'closed', 'warming'],
    ['/srv/down', 'open', 'open', 'filled'],
    ['/srv/unknown', 'open', 'open', 'filled'],
  ]);
});

test('of a mount it is told why it takes nothing', () => {
  const status = () => [
    { mount: '/srv/a', health: { phase: 'impaired', why: 'full', error: new Error('no room') } },
    { mount: '/srv/b', health: { phase: 'healthy' } },
  ];
  expect(sessionPlaces({ status })?.map(({ why }) => why)).toEqual(['full', undefined]);
});

test('nodes are told as they are, and a store that does not tell is null', () => {
  const node = {
    node: 'cache1:11211',
    reads: 'closed',
    writes: 'closed',
    standing: 'filled',
    begunAnewAt: undefined,
    memory: undefined,
  };
  expect(sessionPlaces({ status: () => [node] })).toEqual([node]);
  expect([sessionPlaces({}), sessionPlaces(undefined)]).toEqual([null, null]);
});
