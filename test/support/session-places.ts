/** Where PHP and Node may keep the sessions that they share, and what each has to be told for it. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { AnySessionOptions } from '../../src/index.js';
import type { LocalCluster } from '../../src/testing/index.js';

/** Settings for PHP, options for Node. */
export interface SessionPlace {
  /** php.ini. */
  readonly ini: Readonly<Record<string, string>>;
  /** `sessions`. */
  readonly options: AnySessionOptions;
}

/** The names of the places. */
export const SESSION_PLACES = ['memcached', 'memcache', 'files'] as const;

/** A place on the nodes of a cluster, or in a new folder below `root`. */
export function sessionPlace(
  name: (typeof SESSION_PLACES)[number],
  servers: LocalCluster,
  root: string,
): SessionPlace {
  const nodes = servers.memcached.map((node) => node.id);
  if (name === 'memcached') return { ini: {}, options: { nodes } };
  if (name === 'memcache') {
    const ini = {
      'session.save_handler': 'memcache',
      'session.save_path': nodes.map((node) => `tcp://${node}?timeout=30`).join(','),
      'memcache.session_redundancy': String(Math.min(2, nodes.length)),
    };
    return { ini, options: { nodes, handler: 'memcache' } };
  }
  const folder = mkdtempSync(join(root, 'sessions-'));
  return {
    ini: { 'session.save_handler': 'files', 'session.save_path': folder },
    options: { mounts: [folder] },
  };
}
