/** A removal that was held up on its way arrives when the item was created anew. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { Chance, ModelNode, ModelServer, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };
const RING = 'ring';

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
  const servers = [new ModelServer('a'), new ModelServer('b')] as const;
  const marker = Buffer.from('filled');
  for (const server of servers) server.put(fillMarkerKey(RING), marker, 0);
  const copiesOf = (nodes: readonly ModelNode[]): ReplicatedCopies => {
    const standings = new NodeStandings();
    for (const { id } of nodes) standings.learnMarker(id, marker.toString());
    return new ReplicatedCopies({
      nodes,
      place: () => [0, 1],
      copies: 2,
      ring: RING,
      standings,
      operationTimeoutMs: 1_000,
      noteLifetimeMs: 1_000_000,
      giveUpMs: Number.POSITIVE_INFINITY,
    });
  };
  const holding = new HoldingNode(servers[0], network);
  const removing = copiesOf([holding, new ModelNode(servers[1], network)]);
  const other = copiesOf(servers.map((server) => new ModelNode(server, network)));
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
