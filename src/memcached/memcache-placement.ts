/** pecl-memcache's hash strategies, and the walk by which its session handler finds the node of each copy. */
import { HashRing } from './hash-ring.js';
import { crc32Hash, fnv1aHash, type KeyHash } from './key-hash.js';
import type { Placement, PlacementNode } from './placement.js';

const POINTS_PER_WEIGHT = 160;
const BUCKETS = 1024;
/** The extension itself would walk for ever when it cannot meet enough nodes. */
const MAX_ATTEMPTS = 100_000;
const BUCKET_STEP = Math.floor(0xffff_ffff / BUCKETS);

/** How the extension is configured. */
export interface MemcachePlacementSettings {
  /** `memcache.hash_strategy`. */
  readonly strategy: 'consistent' | 'standard';
  /** `memcache.hash_function`. */
  readonly hash: 'crc32' | 'fnv';
}

/** Makes the placement of `nodes`: the copies of `key` are where `key-0`, `key-1`, … lie, each node taken once. */
export function createMemcachePlacement(
  nodes: readonly PlacementNode[],
  settings: MemcachePlacementSettings,
): Placement {
  const { buckets, nodeOf } = new Buckets(nodes, settings);
  const reachable = new Set(buckets).size;
  return {
    nodesFor(key, copies) {
      const found: number[] = [];
      const wanted = Math.min(copies, reachable);
      for (let attempt = 0; found.length < wanted && attempt < MAX_ATTEMPTS; attempt += 1) {
        const node = nodeOf(withNumber(key, attempt));
        if (!found.includes(node)) found.push(node);
      }
      return found;
    },
  };
}

/** Finds the node of a bare key, as the extension's plain calls do. */
export function memcacheFindNode(
  nodes: readonly PlacementNode[],
  settings: MemcachePlacementSettings,
): (key: Buffer) => number {
  return new Buckets(nodes, settings).nodeOf;
}

class Buckets {
  readonly buckets: readonly number[];
  readonly nodeOf: (key: Buffer) => number;

  constructor(nodes: readonly PlacementNode[], { strategy, hash }: MemcachePlacementSettings) {
    const hashOf = hash === 'crc32' ? crc32Hash : fnv1aHash;
    const consistent = strategy === 'consistent';
    const buckets =
      nodes.length === 1 ? [0] : consistent ? consistentBuckets(nodes, hashOf) : standardBuckets(nodes);
    this.buckets = buckets;
    this.nodeOf = (key) => {
      const value = hashOf(key);
      return buckets[(consistent ? value : folded(value)) % buckets.length] ?? 0;
    };
  }
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
