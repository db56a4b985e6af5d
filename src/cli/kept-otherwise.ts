/** Whether memcached nodes are kept complete by somebody who spreads sessions otherwise than was asked for. */
import { leaseKey } from '../memcached/copies/copy-key.js';
import { FILLED_PREFIX } from '../memcached/copies/fill-marker.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { decodeUnderWay } from '../memcached/resync/repair-notes.js';
import { TextConnection } from '../memcached/text-connection.js';
import type { ResolvedSessionOptions } from '../session/session-options.js';
import { SessionStore } from '../session/session-store.js';

/**
 * Whether any node says that it is complete for some list of nodes. To be asked where none says so for the list in question: a node that
 * is being filled at this moment is for it, as far as can be seen. Of nodes that do not list their keys, as with SASL, nobody can tell.
 * Rejects only by `signal`.
 */
export async function isKeptOtherwise(
  options: ResolvedSessionOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const store = new SessionStore(options);
  try {
    const { nodes } = store.copies.places;
    const filling = await Promise.all(nodes.map((node) => isBeingFilled(node, options.operationTimeoutMs)));
    if (filling.includes(true)) return false;
    for (const { id } of nodes) if (await isMarked(store, id, signal)) return true;
    return false;
  } finally {
    await store.close();
  }
}

async function isBeingFilled(node: MemcachedNode, timeoutMs: number): Promise<boolean> {
  const lease = await node.peek(leaseKey(node.id), { timeoutMs }).catch(() => null);
  return lease !== null && decodeUnderWay(lease.value)?.kind === 'fill';
}

async function isMarked(store: SessionStore, id: string, signal: AbortSignal): Promise<boolean> {
  const address = store.nodes.addressOf(id);
  const { tls, operationTimeoutMs: timeoutMs } = store.options;
  if (address === undefined) return false;
  try {
    await using connection = await TextConnection.open({ address, id, timeoutMs, tls }, { signal });
    for await (const keys of connection.metadumpKeys({ prefixes: [FILLED_PREFIX], signal }))
      if (keys.length > 0) return true;
  } catch (error) {
    if (signal.aborted) throw error;
  }
  return false;
}
