/** A lock that was taken on one node, and refused for the other one, where somebody else has it. */
import { expect, test } from 'vitest';
import { ReplicatedItems } from '../../../src/gateway/replicated-items.js';
import type { StoreResult } from '../../../src/memcached/memcached-node.js';
import { releasedLockOf } from '../../../src/session/released-lock.js';
import { copiesOn, filledPair } from '../memcached/copies/filled-pair.js';
import { Chance, ModelNode, Network } from '../memcached/copies/model-world.js';

const LOCK = 'lock.1';

/** Somebody else takes the lock on it just before it is asked for here. */
class TakenNode extends ModelNode {
  override add(...call: Parameters<ModelNode['add']>): Promise<StoreResult> {
    if (call[0] === LOCK && !this.server.items.has(LOCK)) this.server.put(LOCK, Buffer.from('theirs'), 0);
    return super.add(...call);
  }
}

test('is given back there, so that who has the other one can have both', async () => {
  const network = new Network(new Chance(3));
  const servers = filledPair();
  // The first one missed writes, so the other one is begun with.
  const nodes = [new TakenNode(servers[0], network), new ModelNode(servers[1], network)];
  const items = new ReplicatedItems({
    copies: copiesOn(nodes, undefined, (standings) => standings.suspect('a', 'b')),
    itemOf: (key) => ({ key, place: '1' }),
    isLock: (key) => key === LOCK,
    isCountedLock: () => false,
    isSession: () => false,
    isGuarded: () => false,
    acks: 'one',
    times: { exptimeOf: () => Promise.resolve(undefined) } as never,
    commandTimeoutMs: 1_000,
    onMissed: () => undefined,
  });
  const isFree = (): boolean => {
    const left = servers[1].items.get(LOCK);
    return left === undefined || releasedLockOf(left.value) !== undefined;
  };
  const answer = items.execute(
    { op: 'store', how: 'add', key: LOCK, value: Buffer.from('1'), flags: 0, exptime: 30, cas: 0n },
    {},
  );
  await network.drive(answer);
  await network.drive(
    (async () => {
      for (let looks = 0; !isFree() && looks < 100; looks += 1) await nodes[1]?.version();
    })(),
  );
  expect((await answer).status).not.toBe('stored');
  expect(servers[0].items.get(LOCK)?.value.toString()).toBe('theirs');
  expect(isFree()).toBe(true);
});
