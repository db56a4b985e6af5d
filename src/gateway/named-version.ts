/**
 * Versions as clients see them. Every memcached numbers its versions by itself, so a version only means something on the node
 * that gave it: the number that a client gets names that node, and compared after another node has taken over it is another one.
 */

const NODE_SHIFT = 56n;
const VERSION_MASK = (1n << NODE_SHIFT) - 1n;
const NODES = 255;

/** A number that no version has: what a client gives that means none. */
export const NO_VERSION = 1n;

/**
 * The number for a client.
 *
 * @param node the place of the node in the list of nodes
 * @param cas the node's own version; of a number beyond 2^56, which no server reaches, the lower part
 */
export function nameVersion(node: number, cas: bigint): bigint {
  return (BigInt((node % NODES) + 1) << NODE_SHIFT) | (cas & VERSION_MASK);
}

/** Whether `named` is the number of this version of this node. */
export function isVersion(named: bigint, node: number, cas: bigint): boolean {
  return named === nameVersion(node, cas);
}
