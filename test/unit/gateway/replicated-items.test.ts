/** What the gateway's items do about locks of which the nodes do not know the same. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import type { ItemAnswer, ItemCommand } from '../../../src/gateway/item-command.js';
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

test('a lock that was taken on one node, and refused for the other one, is given back there, so that who has the other one can have both', async () => {
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

test('who counts a lock reads the session of every node: the first one may have missed a change that nobody told of yet', async () => {
  const network = new Network(new Chance(4));
  const servers = filledPair();
  const ways = () => servers.map((server) => new ModelNode(server, network));
  const key = { key: 's.1', place: '1' };
  const store = async (nodes: readonly ModelNode[], text: string): Promise<void> => {
    const stored = copiesOn(nodes).store(
      key,
      { value: Buffer.from(text), exptime: 0 },
      Deadline.of(undefined),
    );
    await network.drive(stored);
  };
  await store(ways(), 'old');
  const items = new ReplicatedItems({
    copies: copiesOn(ways()),
    itemOf: (name) => ({ key: name, place: '1' }),
    isLock: () => false,
    isCountedLock: (name) => name === LOCK,
    isSession: (name) => name === key.key,
    acks: 'one',
    times: { exptimeOf: () => Promise.resolve(undefined) } as never,
    commandTimeoutMs: 1_000,
    onMissed: () => undefined,
  });
  const client = {};
  const ask = async (command: ItemCommand): Promise<ItemAnswer> => {
    const answer = items.execute(command, client);
    await network.drive(answer);
    return await answer;
  };
  const create = { initial: 1n, exptime: 30 };
  expect(await ask({ op: 'count', key: LOCK, down: false, delta: 1n, create, cas: 0n })).toMatchObject({
    status: 'counted',
    value: 1n,
  });
  const cut = ways();
  for (const { id, link } of cut) link.up = id !== 'a';
  await store(cut, 'new');
  expect(await ask({ op: 'get', key: key.key })).toMatchObject({ item: { value: Buffer.from('new') } });
});
