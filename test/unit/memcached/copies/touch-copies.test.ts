/** Whose life is renewed by a touch: three nodes, two copies, the first ones of them on `a` and `b`. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, type StormlampError } from '../../../../src/common/stormlamp-error.js';
import { copyHash } from '../../../../src/memcached/copies/copy-hash.js';
import { hintKey, tombKey } from '../../../../src/memcached/copies/copy-key.js';
import { decodeHint, encodeHint, encodeTomb } from '../../../../src/memcached/copies/copy-notes.js';
import type { Acks } from '../../../../src/memcached/copies/copy-report.js';
import type { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { copiesOn, filled } from './filled-pair.js';
import { Chance, ModelNode, type ModelServer, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };

class TouchedNode extends ModelNode {
  readonly lives: number[] = [];

  override async touch(...call: readonly [key: string, exptime?: number]): Promise<'touched' | 'not-found'> {
    const answer = await super.touch(call[0]);
    if (answer === 'touched') this.lives.push(call[1] ?? 0);
    return answer;
  }

  override async getAndTouch(...call: readonly [key: string, exptime?: number]) {
    const item = await super.getAndTouch(call[0]);
    if (item !== null) this.lives.push(call[1] ?? 0);
    return item;
  }
}

function world(learn?: (standings: NodeStandings) => void) {
  const network = new Network(new Chance(3));
  const servers = ['a', 'b', 'c'].map(filled) as [ModelServer, ModelServer, ModelServer];
  const nodes = servers.map((server) => new TouchedNode(server, network)) as [
    TouchedNode,
    TouchedNode,
    TouchedNode,
  ];
  const told: string[] = [];
  const copies = copiesOn(
    nodes,
    () => [0, 1, 2],
    learn,
    ({ key }) => told.push(key),
  );
  const touch = async (acks?: Acks) => {
    const done = copies.touch(KEY, 99, Deadline.of({ timeoutMs: 5_000 }), acks).catch((error: unknown) => ({
      code: (error as StormlampError).code,
    }));
    await network.drive(done);
    return await done;
  };
  const lives = (): readonly (readonly number[])[] => nodes.map((node) => [...new Set(node.lives)]);
  const put = (server: ModelServer, value: string): void => void server.put(KEY.key, Buffer.from(value), 0);
  const missed = (server: ModelServer): readonly string[] => {
    const hint = server.items.get(hintKey(KEY.key));
    return hint === undefined ? [] : [...(decodeHint(hint.value)?.missed.keys() ?? [])];
  };
  return { servers, nodes, told, touch, put, missed, lives };
}

test('the copy that a spare node took for a holder that is away gets the new life as well', async () => {
  const { servers, nodes, touch, put, missed, lives } = world();
  const [, b, c] = servers;
  nodes[0].link.up = false;
  put(b, 'now');
  put(c, 'now');
  expect(await touch()).toMatchObject({ found: true, reached: ['b', 'c'], missed: [{ node: 'a' }] });
  expect(lives()).toEqual([[], [99], [99]]);
  expect([missed(b), missed(c)]).toEqual([['a'], ['a']]);
});

test('what a spare node has of before is left to its end, and counts for nothing', async () => {
  const { servers, nodes, touch, put } = world();
  const [, b, c] = servers;
  nodes[0].link.up = false;
  put(b, 'now');
  put(c, 'before');
  expect(await touch()).toMatchObject({ found: true, reached: ['b'] });
  expect(nodes[2].lives).toEqual([]);
});

test('while both holders are away the spare copy is touched', async () => {
  const { servers, nodes, touch, put } = world();
  nodes[0].link.up = false;
  nodes[1].link.up = false;
  put(servers[2], 'now');
  expect(await touch()).toMatchObject({ found: true, reached: ['c'] });
  expect(nodes[2].lives).toEqual([99]);
});

test('where all copies are to be renewed a spare node gets one in place of one that is away', async () => {
  const { servers, nodes, touch, put, missed } = world();
  const [, b, c] = servers;
  nodes[0].link.up = false;
  put(b, 'now');
  expect(await touch('all')).toMatchObject({ found: true, reached: ['b', 'c'] });
  expect(c.items.get(KEY.key)?.value.toString()).toBe('now');
  expect([missed(b), missed(c)]).toEqual([['a'], ['a']]);
});

test('where nobody knows whether there is one it is not said that there is none', async () => {
  const { servers, nodes, touch } = world((standings) => standings.learnMarker('a', undefined));
  const [a] = servers;
  a.items.clear();
  nodes[1].link.up = false;
  expect(await touch()).toEqual({ code: ErrorCode.STORE_DOWN });
});

test('what was destroyed is not there, however old the copy that is left, which is told', async () => {
  const { servers, nodes, touch, put, told } = world((standings) => standings.suspect('b', 'a'));
  const [a, b] = servers;
  put(b, 'before');
  a.put(tombKey(KEY.key), encodeTomb({ ...KEY, id: 'over' }), 0);
  expect(await touch()).toMatchObject({ found: false });
  expect(nodes[1].lives).toEqual([]);
  expect(told).toEqual([KEY.key]);
});

test('a copy that is old by the notes of another is not touched, but mended', async () => {
  const { servers, touch, put, told, lives } = world((standings) => standings.suspect('a', 'b'));
  const [a, b] = servers;
  put(a, 'before');
  put(b, 'now');
  const superseded = [copyHash({ value: Buffer.from('before'), flags: 0 })];
  b.put(hintKey(KEY.key), encodeHint({ ...KEY, missed: new Map([['a', { superseded, lifted: [] }]]) }), 0);
  expect(await touch()).toMatchObject({ found: true, reached: ['b', 'a'], missed: [] });
  expect(lives()).toEqual([[], [99], []]);
  expect(told).toEqual([KEY.key]);
});

test('a healthy session is touched without a look', async () => {
  const { servers, touch, put, told, lives } = world();
  put(servers[0], 'now');
  put(servers[1], 'now');
  expect(await touch('all')).toEqual({ found: true, reached: ['a', 'b'], missed: [] });
  expect(lives()).toEqual([[99], [99], []]);
  expect(told).toEqual([]);
});
