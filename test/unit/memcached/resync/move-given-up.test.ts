/** A list of nodes is given up while its nodes get what they shall hold, and may be taken up again before that has ended. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { leaseKey } from '../../../../src/memcached/copies/copy-key.js';
import { fillMarkerKey, newFillMarker } from '../../../../src/memcached/copies/fill-marker.js';
import { twoLists } from './two-lists.js';

/** The work on `d` has begun, and waits for a connection; nobody waits for it any more. */
async function begun(patient: boolean) {
  let letGo = (): void => undefined;
  let waiting = false;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const world = twoLists(0, async (node, signal) => {
    if (node !== 'd:1') return;
    waiting = true;
    if (patient) return await held;
    signal.throwIfAborted();
    await once(signal, 'abort');
    throw signal.reason;
  });
  const { network, a, b, d, resync } = world;
  for (const { server } of [a, b]) {
    server.put(fillMarkerKey('old'), newFillMarker({ pid: 1, startedAt: 1 }), 0);
    server.put('s.1', Buffer.from('before'), 0);
  }
  const failed: unknown[] = [];
  resync.on('resync-failed', (event) => failed.push(event));
  const stop = new AbortController();
  const move = resync.move(true, Deadline.of({ signal: stop.signal })).catch(() => undefined);
  const until = (come: () => boolean): Promise<void> =>
    network.drive(
      (async () => {
        while (!come()) await a.version();
      })(),
    );
  await until(() => waiting);
  stop.abort();
  await move;
  const isLeased = (): boolean => d.server.items.has(leaseKey(d.id));
  expect(isLeased()).toBe(true);
  const isMarked = (): boolean => d.server.items.has(fillMarkerKey('new'));
  return { ...world, letGo, until, isLeased, isMarked, failed };
}

test('what was begun before the gap in which nobody wrote by the list marks no node of it', async () => {
  const { prepare, cancel, letGo, until, isLeased, isMarked, d } = await begun(true);
  cancel();
  prepare();
  letGo();
  await until(() => !isLeased());
  expect(d.server.items.has('s.1')).toBe(true);
  expect(isMarked()).toBe(false);
});

test('what is given up ends, and is no failure', async () => {
  const { network, resync, isLeased, isMarked, failed, d } = await begun(false);
  await network.drive(resync.giveUpMoves());
  expect(isLeased()).toBe(false);
  expect([isMarked(), d.server.items.has('s.1')]).toEqual([false, false]);
  expect(failed).toEqual([]);
});
