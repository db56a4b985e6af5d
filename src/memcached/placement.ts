/** Which nodes hold a key: the very choice that PHP's extensions make, so that PHP finds what we write and the other way round. */
import { invalidOption, readChoice, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { createMemcachePlacement } from './memcache-placement.js';
import { createMemcachedPlacement } from './memcached-placement.js';

/** A node as placement sees it: by the text of PHP's `session.save_path`. Another spelling of the same host is another place. */
export interface PlacementNode {
  /** The host's text, for a unix socket what the extension makes of it: php-memcached the path, pecl-memcache `unix://` and the path. */
  readonly host: string;
  /** The port; 0 for a unix socket. */
  readonly port: number;
  /** The weight. Default 1. */
  readonly weight?: number;
}

/** Placement as php-memcached does it, over libmemcached. */
interface MemcachedPlacementOptions {
  /** The PHP extension: its session handler, or an application that uses its class by itself. */
  readonly extension: 'memcached' | 'memcached-class';
  /** The nodes in the order of `save_path`, which is also the order of replicas. */
  readonly nodes: readonly PlacementNode[];
  /** `memcached.sess_consistent_hash_type`, or `'modula'` for `memcached.sess_consistent_hash=Off`. Default `'ketama'`, which ignores weights in sessions. */
  readonly distribution?: 'ketama' | 'ketama_weighted' | 'modula';
}

/** Placement as pecl-memcache does it. */
interface MemcachePlacementOptions {
  /** The PHP extension. */
  readonly extension: 'memcache';
  /** The nodes in the order of `save_path`. */
  readonly nodes: readonly PlacementNode[];
  /** `memcache.hash_strategy`. Default `'consistent'`. */
  readonly strategy?: 'consistent' | 'standard';
  /** `memcache.hash_function`. Default `'crc32'`. */
  readonly hash?: 'crc32' | 'fnv';
}

/** How a PHP extension places keys. */
export type PlacementOptions = MemcachedPlacementOptions | MemcachePlacementOptions;

/** Knows where keys are. */
export interface Placement {
  /**
   * The nodes that hold the copies of `key`, as indexes into the list of nodes, in PHP's order: the first one decides.
   * php-memcached hashes the key without its prefix, and a lock by its own key (`lock.<id>`); pecl-memcache hashes the whole
   * data key, and puts the lock beside the data.
   *
   * @param copies how many nodes are wanted; fewer come back when there are fewer, or when pecl-memcache's buckets name fewer
   */
  nodesFor(key: string | Buffer, copies: number): readonly number[];
}

/**
 * Makes the placement of a list of nodes.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createPlacement(options: PlacementOptions): Placement {
  const { extension, nodes } = options;
  if (!Array.isArray(nodes) || nodes.length === 0)
    throw invalidOption('nodes', 'a list of at least one node', nodes);
  nodes.forEach((node: PlacementNode, index) => {
    readNumber(`nodes[${index}].port`, node.port, 0, { min: 0, max: 65_535, integer: true });
    readNumber(`nodes[${index}].weight`, node.weight, 1, { min: 1, max: 10_000, integer: true });
  });
  if (extension === 'memcached' || extension === 'memcached-class') {
    rejectUnknownOptions('options', options, ['extension', 'nodes', 'distribution']);
    const distribution = readChoice(
      'distribution',
      options.distribution,
      ['ketama', 'ketama_weighted', 'modula'],
      'ketama',
    );
    return createMemcachedPlacement(nodes, distribution, extension === 'memcached-class');
  }
  if (extension !== 'memcache')
    throw invalidOption('extension', "'memcached', 'memcached-class' or 'memcache'", extension);
  rejectUnknownOptions('options', options, ['extension', 'nodes', 'strategy', 'hash']);
  return createMemcachePlacement(nodes, {
    strategy: readChoice('strategy', options.strategy, ['consistent', 'standard'], 'consistent'),
    hash: readChoice('hash', options.hash, ['crc32', 'fnv'], 'crc32'),
  });
}
