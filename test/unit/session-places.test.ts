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
    ['/srv/filling', 'open', 'closed', 'warming'],
    ['/srv/down', 'open', 'open', 'filled'],
    ['/srv/unknown', 'open', 'open', 'filled'],
  ]);
});

test('a mount that is being filled is not read from, and what it alone would take is not kept', () => {
  const withOther = (phase: string) => ({
    status: () => [
      { mount: '/srv/a', health: { phase } },
      { mount: '/srv/b', health: { phase: 'filling' } },
    ],
  });
  const told = (phase: string) => {
    const { reads, writes, why } = sessionPlaces(withOther(phase))?.[1] ?? {};
    return [reads, writes, why];
  };
  expect(told('healthy')).toEqual(['open', 'closed', 'filling']);
  for (const phase of ['down', 'unknown', 'impaired', 'filling'])
    expect(told(phase)).toEqual(['open', 'open', 'filling']);
});

test('a node that never answered is not read from, whatever its breakers say', () => {
  const node = { node: 'cache1:11211', reads: 'closed', writes: 'closed', standing: 'warming', silent: true };
  expect(sessionPlaces({ status: () => [node] })).toMatchObject([
    { reads: 'open', writes: 'open', why: 'it never did' },
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
    silent: false,
  };
  expect(sessionPlaces({ status: () => [node] })).toEqual([node]);
  expect([sessionPlaces({}), sessionPlaces(undefined)]).toEqual([null, null]);
});
