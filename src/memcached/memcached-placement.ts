/** libmemcached's distributions, as php-memcached's session handler uses them. */
import { HashRing, type RingPoint } from './hash-ring.js';
import { type KeyHash, md5Hash, md5Words, oneAtATime } from './key-hash.js';
import type { Placement, PlacementNode } from './placement.js';

const POINTS = 100;
const WEIGHTED_POINTS = 160;
const POINTS_PER_DIGEST = 4;
const DEFAULT_PORT = 11_211;

/**
 * Makes the placement of `nodes`; replicas follow the first node in the order of the list.
 *
 * @param ofClass whether an application adds the servers to an object of the class `Memcached` itself: with `ketama` the library
 * begins to weigh all of them then when it is given one whose weight is above 1 (measured), which the session handler takes back
 */
export function createMemcachedPlacement(
  nodes: readonly PlacementNode[],
  distribution: 'ketama' | 'ketama_weighted' | 'modula',
  ofClass: boolean,
): Placement {
  const count = nodes.length;
  const weigh = ofClass && nodes.some(({ weight = 1 }) => weight > 1);
  const first = firstNode(nodes, distribution, weigh);
  // There are as many orders as nodes, and whoever asks for all nodes gets the same list every time.
  const orders = nodes.map((_, start) => nodes.map((__, index) => (start + index) % count));
  return {
    nodesFor(key, copies) {
      const start = count === 1 ? 0 : first(Buffer.isBuffer(key) ? key : Buffer.from(key));
      const order = orders[start] ?? [];
      return copies >= count ? order : order.slice(0, copies);
    },
  };
}

function firstNode(
  nodes: readonly PlacementNode[],
  distribution: 'ketama' | 'ketama_weighted' | 'modula',
  weigh: boolean,
): (key: Buffer) => number {
  if (distribution === 'modula') return (key) => oneAtATime(key) % nodes.length;
  const weighted = distribution === 'ketama_weighted';
  const ring = new HashRing(weighted || weigh ? weightedPoints(nodes) : plainPoints(nodes));
  const hash: KeyHash = weighted ? md5Hash : oneAtATime;
  return (key) => ring.nodeAt(hash(key));
}

function plainPoints(nodes: readonly PlacementNode[]): RingPoint[] {
  return nodes.flatMap((node, index) =>
    Array.from({ length: POINTS }, (_, point) => ({
      value: oneAtATime(pointText(node, point)),
      node: index,
    })),
  );
}

function weightedPoints(nodes: readonly PlacementNode[]): RingPoint[] {
  const total = nodes.reduce((sum, { weight = 1 }) => sum + weight, 0);
  return nodes.flatMap((node, index) => {
    const digests = digestCount(node.weight ?? 1, total, nodes.length);
    return Array.from({ length: digests }, (_, point) => md5Words(pointText(node, point)))
      .flat()
      .map((value) => ({ value, node: index }));
  });
}

// The library computes in single precision, and a different rounding would move a tenth of a percent of the keys.
function digestCount(weight: number, total: number, count: number): number {
  const share = Math.fround(Math.fround(weight) / Math.fround(total));
  const perNode = Math.fround(Math.fround(share * WEIGHTED_POINTS) / POINTS_PER_DIGEST);
  return Math.floor(Math.fround(Math.fround(perNode * count) + Math.fround(1e-10)));
}

function pointText({ host, port }: PlacementNode, point: number): Buffer {
  return Buffer.from(port === DEFAULT_PORT ? `${host}-${point}` : `${host}:${port}-${point}`);
}
