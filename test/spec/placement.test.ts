/** Replays what PHP's own extensions said and did: see `scripts/generate-placement-fixtures.mjs`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memcacheFindNode } from '../../src/memcached/memcache-placement.js';
import { createPlacement, type Placement, type PlacementNode } from '../../src/memcached/placement.js';

type Distribution = 'ketama' | 'ketama_weighted' | 'modula';

interface Asked {
  readonly extension: 'memcached' | 'memcache';
  readonly distribution?: Distribution;
  readonly strategy?: 'consistent' | 'standard';
  readonly hash?: 'crc32' | 'fnv';
  readonly nodes: readonly string[];
  readonly weights: readonly number[];
  /** One digit per key: the index of its node. */
  readonly found: string;
}

interface Live {
  readonly extension: 'memcached' | 'memcache';
  readonly ini: Readonly<Record<string, string | number>>;
  readonly nodes: readonly string[];
  readonly weights: readonly number[];
  readonly cases: readonly {
    readonly id: string;
    readonly lock: readonly number[];
    readonly data: readonly number[];
  }[];
}

interface Fixture {
  readonly keys: readonly string[];
  readonly asked: readonly Asked[];
  readonly live: readonly Live[];
}

const fixture: Fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'placement.fixture.json'), 'utf8'),
);
const keys = fixture.keys.map((hex) => Buffer.from(hex, 'hex'));

function nodeOf(text: string, weight: number): PlacementNode {
  if (text.startsWith('/')) return { host: text, port: 0, weight };
  if (text.startsWith('unix://')) return { host: text, port: 0, weight };
  const plain = text.replace(/^tcp:\/\//, '');
  const at = plain.lastIndexOf(':');
  return { host: plain.slice(0, at), port: Number(plain.slice(at + 1)), weight };
}

function nodesOf({ nodes, weights }: Asked | Live): readonly PlacementNode[] {
  return nodes.map((text, index) => nodeOf(text, weights[index] ?? 1));
}

describe('where the extensions say that keys are', () => {
  test.each(fixture.asked.map((asked) => [titleOf(asked), asked] as const))('%s', (_title, asked) => {
    const nodes = nodesOf(asked);
    const { strategy = 'consistent', hash = 'crc32' } = asked;
    const placement =
      asked.extension === 'memcached'
        ? createPlacement({ extension: 'memcached', nodes, ...given(asked.distribution) })
        : null;
    const find = memcacheFindNode(nodes, { strategy, hash });
    const found = keys.map((key) => placement?.nodesFor(key, 1)[0] ?? find(key)).join('');
    expect(found).toBe(asked.found);
  });
});

describe('where live PHP sessions and their locks are', () => {
  test.each(fixture.live.map((live) => [titleOf(live), live] as const))('%s', (_title, live) => {
    const { extension } = live;
    const placement = livePlacement(live);
    const copies =
      extension === 'memcached'
        ? Number(live.ini['memcached.sess_number_of_replicas'] ?? 0) + 1
        : Number(live.ini['memcache.session_redundancy'] ?? 2);
    for (const { id, lock, data } of live.cases) {
      expect(placement.nodesFor(id, copies).toSorted(), `data of ${id}`).toEqual(data);
      const lockNodes =
        extension === 'memcached' ? placement.nodesFor(`lock.${id}`, 1) : placement.nodesFor(id, 1);
      expect(lockNodes, `lock of ${id}`).toEqual(lock);
    }
  });
});

test('fewer copies are the first of more copies, and never more than there are nodes', () => {
  for (const live of fixture.live) {
    const placement = livePlacement(live);
    for (const key of keys) {
      const all = placement.nodesFor(key, 9);
      expect(all).toHaveLength(live.nodes.length);
      expect(new Set(all).size).toBe(all.length);
      for (let copies = 1; copies <= all.length; copies += 1) {
        expect(placement.nodesFor(key, copies)).toEqual(all.slice(0, copies));
      }
    }
  }
});

function livePlacement(live: Live): Placement {
  const { extension, ini } = live;
  const nodes = nodesOf(live);
  if (extension === 'memcached') {
    const distribution =
      ini['memcached.sess_consistent_hash'] === 0 ? 'modula' : ini['memcached.sess_consistent_hash_type'];
    return createPlacement({ extension, nodes, ...given(distribution as Distribution | undefined) });
  }
  return createPlacement({
    extension,
    nodes,
    strategy: ini['memcache.hash_strategy'] === 'standard' ? 'standard' : 'consistent',
    hash: ini['memcache.hash_function'] === 'fnv' ? 'fnv' : 'crc32',
  });
}

function given(distribution: Distribution | undefined): { distribution?: Distribution } {
  return distribution === undefined ? {} : { distribution };
}

function titleOf(set: Asked | Live): string {
  const how =
    'ini' in set
      ? Object.entries(set.ini).join(' ')
      : `${set.distribution ?? set.strategy} ${set.hash ?? ''}`;
  return `${set.extension} ${how} on ${set.nodes.join(' ')} weights ${set.weights.join('')}`;
}
