/** Options that say where the sessions are: the nodes, as PHP's extensions hash them, and how keys are spread over them. */
import { type NodeAddress, nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import { invalidOption, readChoice, readStrings, rejectUnknownOptions } from '../common/option-reader.js';

/** How keys are spread over nodes; PHP's settings of the same meaning must be followed exactly. */
export interface SessionPlacementOptions {
  /**
   * php-memcached: `memcached.sess_consistent_hash_type`, or `'modula'` when `memcached.sess_consistent_hash` is off. Default
   * `'ketama'`.
   */
  readonly distribution?: 'ketama' | 'ketama_weighted' | 'modula';
  /** pecl-memcache: `memcache.hash_strategy`. Default `'consistent'`. */
  readonly strategy?: 'consistent' | 'standard';
  /** pecl-memcache: `memcache.hash_function`. Default `'crc32'`. */
  readonly hash?: 'crc32' | 'fnv';
  /** Weights of the nodes, in their order. Default 1 each. */
  readonly weights?: readonly number[];
}

/** A memcached node with what placement hashes: the host as it was written, and a port that is 0 for a unix socket. */
export interface PlacedNode {
  /** Its name in events and errors. */
  readonly id: string;
  /** Where it listens. */
  readonly address: NodeAddress;
  /** What PHP hashes. */
  readonly place: { readonly host: string; readonly port: number };
}

/** The nodes of a list of `host:port`. */
export function resolveSessionNodes(
  path: string,
  given: readonly string[] | undefined,
  handler: 'memcached' | 'memcache' | 'memcached-class',
): readonly PlacedNode[] {
  const texts = readStrings(path, given, []);
  if (texts.length === 0) throw invalidOption(path, "a list of 'host:port' with at least one node", given);
  const nodes = texts.map((text, index) => {
    const address = parseNodeAddress(`${path}[${index}]`, text, 11_211);
    return { id: nodeIdOf(address), address, place: placeOf(text, address, handler) };
  });
  const twice = nodes.find((node, index) => nodes.findIndex((other) => other.id === node.id) !== index);
  if (twice !== undefined) throw invalidOption(path, 'a list without repeated nodes', twice.id);
  return nodes;
}

/** The nodes with the addresses of `addressMap` where it names one. */
export function withAddressMap(
  path: string,
  nodes: readonly PlacedNode[],
  addressMap: Readonly<Record<string, string>> | undefined,
): readonly PlacedNode[] {
  if (addressMap === undefined) return nodes;
  if (typeof addressMap !== 'object' || addressMap === null)
    throw invalidOption(path, 'an object of addresses by the names of nodes', addressMap);
  rejectUnknownOptions(
    path,
    addressMap,
    nodes.map(({ id }) => id),
  );
  return nodes.map((node) => {
    const to = Object.hasOwn(addressMap, node.id) ? addressMap[node.id] : undefined;
    if (to === undefined) return node;
    return { ...node, address: parseNodeAddress(`${path}['${node.id}']`, to, 11_211) };
  });
}

/** What PHP's extensions hash of a node: the text of `save_path`, brackets of IPv6 included (measured). */
function placeOf(
  text: string,
  address: NodeAddress,
  handler: 'memcached' | 'memcache' | 'memcached-class',
): { host: string; port: number } {
  if (address.socketPath !== undefined) {
    return { host: handler === 'memcache' ? `unix://${address.socketPath}` : address.socketPath, port: 0 };
  }
  const host = text.startsWith('[') ? text.slice(0, text.indexOf(']') + 1) : address.host;
  return { host, port: address.port };
}

/** Refuses settings of the other extension, and weights that do not fit the nodes. */
export function resolvePlacement(
  path: string,
  given: SessionPlacementOptions | undefined,
  handler: 'memcached' | 'memcache' | 'memcached-class',
  nodes: number,
): SessionPlacementOptions {
  const options = given === undefined ? {} : given;
  // A setting of the other extension would be ignored in silence, and every session be somewhere else.
  rejectUnknownOptions(
    path,
    options,
    handler === 'memcache' ? ['strategy', 'hash', 'weights'] : ['distribution', 'weights'],
  );
  readChoice(`${path}.distribution`, options.distribution, ['ketama', 'ketama_weighted', 'modula'], 'ketama');
  readChoice(`${path}.strategy`, options.strategy, ['consistent', 'standard'], 'consistent');
  readChoice(`${path}.hash`, options.hash, ['crc32', 'fnv'], 'crc32');
  const { weights } = options;
  const fit =
    weights === undefined ||
    (Array.isArray(weights) &&
      weights.length === nodes &&
      weights.every((weight) => Number.isInteger(weight) && weight > 0));
  if (!fit) throw invalidOption(`${path}.weights`, `${nodes} positive integers, one for each node`, weights);
  return options;
}
