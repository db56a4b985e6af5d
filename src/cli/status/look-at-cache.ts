/** Looks once at the nodes of the tiered cache. */
import { type CacheOptions, resolveCacheOptions } from '../../cache/cache-options.js';
import { describeError } from '../../common/stormlamp-error.js';
import { createMemcachedNode } from '../../memcached/memjs-node.js';
import type { CacheNodeReport } from './status-report.js';

/** Whether every node answers, and which server it is. */
export async function lookAtCache(given: CacheOptions): Promise<readonly CacheNodeReport[]> {
  const { nodes, operationTimeoutMs: timeoutMs, credentials, tls } = resolveCacheOptions(given);
  return await Promise.all(
    nodes.map(async ({ id, address }) => {
      const node = createMemcachedNode({ id, address, timeoutMs, tls, ...credentials });
      try {
        return { node: id, up: true, version: await node.version({ timeoutMs }), error: null };
      } catch (error) {
        return { node: id, up: false, version: null, error: describeError(error) };
      } finally {
        await node.close();
      }
    }),
  );
}
