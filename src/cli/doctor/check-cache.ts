/** Looks at the nodes of the tiered cache. */
import type { CacheOptions } from '../../cache/cache-options.js';
import { lookAtCache } from '../status/look-at-cache.js';
import { type Check, Checks } from './check.js';

/** Checks where cached values are kept. */
export async function checkCache(given: CacheOptions): Promise<readonly Check[]> {
  const checks = new Checks('cache');
  for (const { node, up, version, error } of await lookAtCache(given)) {
    const [why = '', ...fix] = (error ?? '').split('; ');
    checks.expect(up, 'failed', node, 'answers', {
      found: up ? `memcached ${version}` : why,
      expected: 'an answer; without one nothing is cached on it',
      fix: fix.join('; ') || `start memcached on ${node}, or correct \`cache.nodes\``,
    });
  }
  return checks.list;
}
