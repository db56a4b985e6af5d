/** Asks servers that are listed as memcached whether they are gateways of this package, and what they serve. */
import { describeError } from '../../common/stormlamp-error.js';
import { isGatewayVersion } from '../../gateway/gateway-version.js';
import { createMemcachedNode } from '../../memcached/memjs-node.js';
import type { StoreOptions } from '../../session/store-options.js';

/** What one server is. */
export type AskedServer =
  | {
      readonly kind: 'gateway';
      /** Its name in the list. */
      readonly id: string;
      /** The nodes behind it that decide, in their order. */
      readonly nodes: string;
      /** `none` unless its nodes are being changed. */
      readonly change: string;
      /** Its `handler`, `prefix`, `copies` and `keys`; undefined where an older one does not tell. */
      readonly handler: string | undefined;
      readonly prefix: string | undefined;
      readonly copies: string | undefined;
      readonly keys: string | undefined;
    }
  | { readonly kind: 'memcached'; readonly id: string }
  | { readonly kind: 'silent'; readonly id: string; readonly why: string };

const LIMIT_MS = 5_000;

/** Looks at all of them at the same time; none for sessions in files. Never rejects. */
export async function lookAtServers(store: StoreOptions): Promise<readonly AskedServer[]> {
  if (store.kind === 'files') return [];
  const { nodes, credentials, tls } = store.options;
  return await Promise.all(
    nodes.map(async ({ id, address }): Promise<AskedServer> => {
      const node = createMemcachedNode({ id, address, timeoutMs: LIMIT_MS, tls, ...credentials });
      try {
        if (!isGatewayVersion(await node.version())) return { kind: 'memcached', id };
        const stats = await node.stats();
        const [handler, prefix, copies, keys] = ['handler', 'prefix', 'copies', 'keys'].map((name) =>
          stats.get(name),
        );
        const [served = '', change = 'none'] = ['nodes', 'node_change'].map((name) => stats.get(name));
        return {
          kind: 'gateway',
          id,
          nodes: served.replaceAll(',', ', '),
          change,
          handler,
          prefix,
          copies,
          keys,
        };
      } catch (error) {
        return { kind: 'silent', id, why: describeError(error) };
      } finally {
        node.destroy();
      }
    }),
  );
}
