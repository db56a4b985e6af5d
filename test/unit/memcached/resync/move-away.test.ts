/** A dead node is replaced while another one of the old list came back empty: `a` and `b`, one of them dead, become `a` and `d`. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode } from '../../../../src/common/stormlamp-error.js';
import { begunAnewAt, fillMarkerKey, newFillMarker } from '../../../../src/memcached/copies/fill-marker.js';
import type { ModelNode } from '../copies/model-world.js';
import { twoLists } from './two-lists.js';

function world(recopyAfterMs: number) {
  const { network, a, b, d, resync } = twoLists(recopyAfterMs);
  a.server.put('s.1', Buffer.from('since it is back'), 0);
  const move = async (): Promise<string> => {
    const done = resync.move(true, Deadline.of({ timeoutMs: 60_000 })).then(
      () => 'done',
      (error: { readonly code: string }) => error.code,
    );
    await network.drive(done);
    return await done;
  };
  const marker = ({ server }: ModelNode): string =>
    server.items.get(fillMarkerKey('new'))?.value.toString() ?? '';
  return { a, b, d, move, marker };
}

test('the one that is given up is not waited for, and the node that lost what only that one had says so', async () => {
  const { a, b, d, move, marker } = world(1);
  b.link.up = false;
  let came = await move();
  // It is silent from the first look on.
  for (let turn = 0; came === ErrorCode.STORE_DOWN && turn < 100; turn += 1) came = await move();
  expect(came).toBe('done');
  expect(d.server.items.get('s.1')?.value.toString()).toBe('since it is back');
  expect(begunAnewAt(marker(a))).toBeInstanceOf(Date);
  expect(marker(d)).not.toBe('');
  expect(begunAnewAt(marker(d))).toBeUndefined();
});

test('before that the move is refused, for it may have alone what the other one lost', async () => {
  const { b, move } = world(600_000);
  b.link.up = false;
  expect(await move()).toBe(ErrorCode.STORE_DOWN);
});

test('a node that is filled is moved from without the dead one', async () => {
  const { a, b, d, move, marker } = world(600_000);
  a.server.put(fillMarkerKey('old'), newFillMarker({ pid: 1, startedAt: 1 }), 0);
  b.link.up = false;
  expect(await move()).toBe('done');
  expect(d.server.items.has('s.1')).toBe(true);
  expect(begunAnewAt(marker(a))).toBeUndefined();
});
