/** A removal and a write are under way at the same time: what one of them finds of the other. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { tombKey } from '../../../../src/memcached/copies/copy-key.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };

/** What it is to remove arrives when it is let go, and nobody hears of that. */
class HoldingNode extends ModelNode {
  readonly held: (() => Promise<unknown>)[] = [];

  override delete(key: string, options: { cas?: bigint } = {}): Promise<'deleted' | 'not-found' | 'exists'> {
    this.held.push(() => super.delete(key, options));
    return Promise.reject(new StormlampError(ErrorCode.TIMEOUT, 'late', { node: this.id }));
  }
}

test('it removes what it was sent for, and not what is there by now', async () => {
  const network = new Network(new Chance(1));
  const servers = filledPair();
  const holding = new HoldingNode(servers[0], network);
  const removing = copiesOn([holding, new ModelNode(servers[1], network)]);
  const other = copiesOn(servers.map((server) => new ModelNode(server, network)));
  const deadline = Deadline.of(undefined);
  const done = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  await done(other.store(KEY, { value: Buffer.from('old'), exptime: 0 }, deadline));
  expect((await done(removing.delete(KEY, deadline))).reached).toEqual(['b']);
  await done(other.store(KEY, { value: Buffer.from('new'), exptime: 0 }, deadline));
  for (const arrive of holding.held) await done(arrive());
  for (const { items } of servers) expect(items.get(KEY.key)?.value.toString()).toBe('new');
});

/** Removes the item by its version; `meanwhile` happens when its first copy is gone. */
async function removedAmid(
  meanwhile: (servers: ReturnType<typeof filledPair>, way: ModelNode, network: Network) => void,
): Promise<readonly unknown[]> {
  const network = new Network(new Chance(4));
  const servers = filledPair();
  const [way, other] = servers.map((server) => new ModelNode(server, network)) as [ModelNode, ModelNode];
  const copies = copiesOn([way, other]);
  const done = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  const deadline = Deadline.of(undefined);
  await done(copies.store(KEY, { value: Buffer.from('same'), exptime: 0 }, deadline));
  network.trace = (line) => {
    if (!/ a delete s\.1 .*"deleted"/.test(line)) return;
    network.trace = undefined;
    meanwhile(servers, way, network);
  };
  expect(await done(copies.deleteVersion(KEY, () => undefined, deadline))).toMatchObject({ found: true });
  return servers.map(({ items }) => [
    items.get(KEY.key)?.value.toString(),
    items.has(tombKey(KEY.key)) ? 'tombstone' : undefined,
  ]);
}

const SAME = Buffer.from('same');

test('by its version: the same bytes that come to the second node under a new number, when the first one holds none, go as well', async () => {
  const left = await removedAmid(([, second]) => second.put(KEY.key, SAME, 0));
  expect(left).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

test('by its version: the same bytes stay that somebody stored anew, which the first node holds', async () => {
  const left = await removedAmid((servers) => {
    for (const server of servers) server.put(KEY.key, SAME, 0);
  });
  expect(left).toEqual([
    ['same', undefined],
    ['same', undefined],
  ]);
});

test('by its version: where the first node cannot say whether it was stored anew, a tombstone is left', async () => {
  const left = await removedAmid(([, second], way, network) => {
    second.put(KEY.key, SAME, 0);
    network.trace = (line) => {
      if (/ b delete s\.1 .*"exists"/.test(line)) way.link.up = false;
    };
  });
  expect(left[1]).toEqual([undefined, 'tombstone']);
});

test('what is stored anew has a new number where a copy of the same bytes was left: whoever is removing that does not meet it', async () => {
  const network = new Network(new Chance(4));
  const servers = filledPair();
  const copies = copiesOn(servers.map((server) => new ModelNode(server, network)));
  const version = (): bigint => servers[1].items.get(KEY.key)?.cas ?? 0n;
  servers[1].put(KEY.key, SAME, 0);
  const left = version();
  const storing = copies.store(KEY, { value: SAME, exptime: 0 }, Deadline.of(undefined));
  await network.drive(storing);
  expect((await storing).reached).toEqual(['a', 'b']);
  expect(version()).toBeGreaterThan(left);
});
