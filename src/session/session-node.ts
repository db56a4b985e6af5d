/** A memcached node of the session store with its two breakers, fed by real calls and by the monitor's looks. */
import type { BreakerChange, NodeBreaker } from '../breaker/node-breaker.js';
import { createNodeBreaker } from '../breaker/opossum-breaker.js';
import type { NodeAddress, NodeId } from '../common/node-address.js';
import type { MemcachedObservation } from '../memcached/memcached-monitor.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { createMemcachedNode, isNodeFault } from '../memcached/memjs-node.js';
import { isSessionDataKey } from './session-keys.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { withSessionValues } from './session-values.js';

/** A node and its breakers. */
export interface SessionNode {
  /** The node. */
  readonly node: MemcachedNode;
  /** Gate for reads. */
  readonly get: NodeBreaker;
  /** Gate for writes. */
  readonly set: NodeBreaker;
  /** Tells the breakers what a look at the node found. */
  observed(seen: MemcachedObservation): void;
}

/**
 * Makes the node at `address` and its breakers.
 *
 * @param canOpen whether faults may open them, as long as others can do what the node does
 */
export function createSessionNode(
  seed: { readonly id: NodeId; readonly address: NodeAddress },
  options: Pick<
    ResolvedSessionOptions,
    'operationTimeoutMs' | 'credentials' | 'tls' | 'handler' | 'prefix' | 'seal'
  >,
  onChange: (change: BreakerChange) => void,
  canOpen: () => boolean,
  createNode: typeof createMemcachedNode = createMemcachedNode,
): SessionNode {
  const breaker = (operation: 'get' | 'set'): NodeBreaker =>
    createNodeBreaker({ cluster: 'sessions', node: seed.id, operation, isNodeFault, onChange, canOpen });
  const get = breaker('get');
  const set = breaker('set');
  const plain = createNode({
    id: seed.id,
    address: seed.address,
    timeoutMs: options.operationTimeoutMs,
    breakers: { get, set },
    tls: options.tls,
    ...options.credentials,
  });
  const node =
    options.handler === 'memcached-class'
      ? withSessionValues(plain, (key) => isSessionDataKey(options, key), options.seal)
      : plain;
  return {
    node,
    get,
    set,
    observed(seen) {
      const outcome = seen.ok ? ({ ok: true } as const) : ({ ok: false, error: seen.error } as const);
      get.probed(outcome);
      set.probed(outcome);
    },
  };
}
