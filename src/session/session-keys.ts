/** The memcached keys of a session, as each PHP extension names and places them (measured; php-memcached, pecl-memcache). */
import type { CopyKey } from '../memcached/copies/copy-key.js';
import { ringId } from '../memcached/copies/fill-marker.js';
import { createPlacement, type PlacementOptions } from '../memcached/placement.js';

import type { ResolvedSessionOptions } from './session-options.js';

/** Start of the keys that are this package's own. */
const OWN_PREFIX = 'stormlamp:';

type KeyOptions = Pick<ResolvedSessionOptions, 'handler' | 'prefix'>;

/** The key of a session's data. */
export function sessionDataKey({ handler, prefix }: KeyOptions, id: string): CopyKey {
  // php-memcached's session handler hashes the key without its prefix, the others with it.
  const key = prefix + id;
  return { key, place: handler === 'memcached' ? id : key };
}

/** The id of the session that a key of data belongs to. */
export function sessionIdOf({ prefix }: Pick<KeyOptions, 'prefix'>, { key }: CopyKey): string {
  return key.slice(prefix.length);
}

/**
 * The key of a session's lock. php-memcached places it by its own hash, pecl-memcache pipelines it with the data. Frameworks
 * take none: ours, between Node processes, stays out of their keys.
 */
export function sessionLockKey({ handler, prefix }: KeyOptions, id: string): CopyKey {
  if (handler === 'memcached') return { key: `${prefix}lock.${id}`, place: `lock.${id}` };
  if (handler === 'memcached-class') return { key: `${OWN_PREFIX}lock:${prefix}${id}`, place: prefix + id };
  return { key: `${prefix}${id}.lock`, place: prefix + id };
}

/** The place of a session by the key of its data; undefined for the keys of locks and for what is no session. */
export function sessionPlaceOf(
  { handler, prefix, accept }: KeyOptions & Pick<ResolvedSessionOptions, 'accept'>,
  key: string,
): string | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const id = key.slice(prefix.length);
  if (!accept.test(id) || (handler === 'memcached' ? id.startsWith('lock.') : id.endsWith('.lock')))
    return undefined;
  return sessionDataKey({ handler, prefix }, id).place;
}

/** The item of any key that a PHP client names, placed as the PHP extension would place it: sessions, locks and everything else. */
export function itemKey({ handler, prefix }: KeyOptions, key: string): CopyKey {
  if (handler === 'memcache') {
    const locked = key.endsWith('.lock') ? key.slice(0, -'.lock'.length) : '';
    return { key, place: locked === '' ? key : locked };
  }
  const place = key.startsWith(prefix) ? key.slice(prefix.length) : key;
  return { key, place: place === '' ? key : place };
}

/** The place of an item that is kept replicated, by its key; undefined for locks and, unless all keys are, for what is no session. */
export function keptPlaceOf(
  options: KeyOptions & Pick<ResolvedSessionOptions, 'accept' | 'keys'>,
  key: string,
): string | undefined {
  const session = sessionPlaceOf(options, key);
  if (session !== undefined || options.keys === 'sessions') return session;
  return isLockKey(options, key) ? undefined : itemKey(options, key).place;
}

/** Whether this is the key of a session's lock. */
export function isLockKey({ handler, prefix }: KeyOptions, key: string): boolean {
  return handler === 'memcached' ? key.startsWith(`${prefix}lock.`) : key.endsWith('.lock');
}

/** All nodes of a place, in the order of the PHP extension: the first of them hold the copies. */
export function sessionPlacement({
  handler,
  nodes,
  placement: { weights, ...rest },
}: Pick<ResolvedSessionOptions, 'handler' | 'nodes' | 'placement'>): (place: string) => readonly number[] {
  const placed = nodes.map(({ place }, index) => ({ ...place, weight: weights?.[index] ?? 1 }));
  const placement = createPlacement({
    extension: handler,
    nodes: placed,
    ...rest,
  } as PlacementOptions);
  return (place) => placement.nodesFor(place, nodes.length);
}

/** The name of the sessions' nodes and of how sessions are spread over them, for the marker that says that a node is filled. */
export function sessionRing({
  handler,
  nodes,
  copies,
  prefix,
  placement,
  keys,
}: Pick<ResolvedSessionOptions, 'handler' | 'nodes' | 'copies' | 'prefix' | 'placement' | 'keys'>): string {
  const { distribution, strategy, hash, weights } = placement;
  const places = nodes.map(({ place: { host, port } }) => `${host}:${port}`);
  return ringId([handler, places, copies, prefix, distribution, strategy, hash, weights, keys]);
}

/** Whether a key is that of a session's data, and not one of this package's own. */
export function isSessionDataKey({ prefix }: KeyOptions, key: string): boolean {
  return key.startsWith(prefix) && !key.startsWith(OWN_PREFIX);
}
