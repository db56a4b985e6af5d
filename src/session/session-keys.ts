/** The memcached keys of a session, as each PHP extension names and places them (measured; php-memcached, pecl-memcache). */
import { createPlacement, type PlacementOptions } from '../memcached/placement.js';
import type { CopyKey } from '../memcached/replicated-copies.js';
import type { ResolvedSessionOptions } from './session-options.js';

type KeyOptions = Pick<ResolvedSessionOptions, 'handler' | 'prefix'>;

/** The key of a session's data. */
export function sessionDataKey({ handler, prefix }: KeyOptions, id: string): CopyKey {
  // php-memcached hashes the key without its prefix, pecl-memcache with it.
  const key = prefix + id;
  return { key, place: handler === 'memcached' ? id : key };
}

/** The key of a session's lock. php-memcached places it by its own hash, pecl-memcache pipelines it with the data. */
export function sessionLockKey({ handler, prefix }: KeyOptions, id: string): CopyKey {
  if (handler === 'memcached') return { key: `${prefix}lock.${id}`, place: `lock.${id}` };
  return { key: `${prefix}${id}.lock`, place: prefix + id };
}

/** Which nodes hold the copies of a key, by its place: the choice of the PHP extension. */
export function sessionPlacement({
  handler,
  nodes,
  copies,
  placement: { weights, ...rest },
}: Pick<ResolvedSessionOptions, 'handler' | 'nodes' | 'copies' | 'placement'>): (
  place: string,
) => readonly number[] {
  const placed = nodes.map(({ place }, index) => ({ ...place, weight: weights?.[index] ?? 1 }));
  const placement = createPlacement({ extension: handler, nodes: placed, ...rest } as PlacementOptions);
  return (place) => placement.nodesFor(place, copies);
}
