/** A resync that was asked for on a new node, while another process is about to mark it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { leaseKey } from '../../../../src/memcached/copies/copy-key.js';
import { twoLists } from './two-lists.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

test('it asks again after a pause, and not as fast as the network allows', async () => {
  const { network, a, places, resync } = twoLists(600_000);
  places.relist({ nodes: [a], place: () => [0], ring: 'old' });
  a.server.put(leaseKey(a.id), Buffer.from('somebody'), 0);
  let asked = 0;
  network.trace = (line) => {
    if (line.includes(`add ${leaseKey(a.id)}`)) asked += 1;
  };
  const run = resync.run();
  const running = network.drive(run);
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  await turns(500);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(60);
  await turns(500);
  expect(asked).toBe(2);
  a.server.items.delete(leaseKey(a.id));
  await vi.advanceTimersByTimeAsync(60);
  await running;
  expect(await run).toMatchObject([{ node: a.id, outcome: 'complete' }]);
});
