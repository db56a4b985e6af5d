/** pecl-memcache's hash strategies, and the walk by which its session handler finds the node of each copy. */
import { HashRing } from './hash-ring.js';
import { crc32Hash, fnv1aHash, type KeyHash } from './key-hash.js';
import type { Placement, PlacementNode } from './placement.js';

const POINTS_PER_WEIGHT = 160;
const BUCKETS = 1024;
const BUCKET_STEP = Math.floor(0xffff_ffff / BUCKETS);

/** How the extension is configured. */
export interface MemcachePlacementSettings {
  /** `memcache.hash_strategy`. */
  readonly strategy: 'consistent' | 'standard';
  /** `memcache.hash_function`. */
  readonly hash: 'crc32' | 'fnv';
  /** `memcache.max_failover_attempts`. */
  readonly maxFailoverAttempts: number;
}

/** Finds the node of a key as the extension's plain calls do. */
export type FindNode = (key: Buffer) => number;

/** Makes the placement of `nodes`: the copies of `key` are where `key-0`, `key-1`, … lie, nodes that were already met left out. */
export function createMemcachePlacement(
  nodes: readonly PlacementNode[],
  settings: MemcachePlacementSettings,
): Placement {
  const find = memcacheFindNode(nodes, settings);
  return {
    nodesFor(key, copies) {
      const met: number[] = [];
      let attempt = 0;
      // The extension counts its attempts over all copies, and when they are used up takes a node that it already met.
      while (met.length < Math.min(copies, nodes.length)) {
        let node: number;
        do {
          node = find(withNumber(key, attempt));
          attempt += 1;
        } while (met.includes(node) && attempt < settings.maxFailoverAttempts);
        met.push(node);
      }
      return [...new Set(met)];
    },
  };
}

/** The node of a bare key. */
export function memcacheFindNode(
  nodes: readonly PlacementNode[],
  { strategy, hash }: Pick<MemcachePlacementSettings, 'strategy' | 'hash'>,
): FindNode {
  if (nodes.length === 1) return () => 0;
  const hashOf = hash === 'crc32' ? crc32Hash : fnv1aHash;
  const buckets = strategy === 'consistent' ? consistentBuckets(nodes, hashOf) : standardBuckets(nodes);
  const fold = strategy === 'consistent' ? (value: number) => value : folded;
  return (key) => buckets[fold(hashOf(key)) % buckets.length] ?? 0;
}

function consistentBuckets(nodes: readonly PlacementNode[], hashOf: KeyHash): readonly number[] {
  const ring = new HashRing(
    nodes.flatMap(({ host, port, weight = 1 }, node) =>
      Array.from({ length: weight * POINTS_PER_WEIGHT }, (_, point) => ({
        value: hashOf(Buffer.from(`${host}:${port}-${point}`)),
        node,
      })),
    ),
  );
  return Array.from({ length: BUCKETS }, (_, bucket) => ring.nodeAt(bucket * BUCKET_STEP));
}

function standardBuckets(nodes: readonly PlacementNode[]): readonly number[] {
  return nodes.flatMap(({ weight = 1 }, node) => new Array<number>(weight).fill(node));
}

function folded(hash: number): number {
  const value = (hash >>> 16) & 0x7fff;
  return value === 0 ? 1 : value;
}

function withNumber(key: string | Buffer, number: number): Buffer {
  return Buffer.isBuffer(key)
    ? Buffer.concat([key, Buffer.from(`-${number}`)])
    : Buffer.from(`${key}-${number}`);
}
