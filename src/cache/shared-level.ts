/** The level on memcached: each key on the one node where PHP's `Memcached` class looks for it. A node that is down is a miss. */
import type { NodeBreaker } from '../breaker/node-breaker.js';
import { createNodeBreaker } from '../breaker/opossum-breaker.js';
import { type CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { createMemcachedNode, isNodeFault } from '../memcached/memjs-node.js';
import { createPlacement, type Placement } from '../memcached/placement.js';
import type { ResolvedCacheOptions } from './cache-options.js';
import { NodeProbes } from './node-probes.js';

/** What an operation gives whose node cannot be reached. */
export const NODE_DOWN: unique symbol = Symbol('the node is down');

/** Told of every operation that a node did not do. */
export type NodeFailure = (node: NodeId, error: unknown) => void;

/** The nodes of a cache. */
export class SharedLevel {
  readonly #options: ResolvedCacheOptions;
  readonly #nodes: readonly MemcachedNode[];
  readonly #breakers: readonly NodeBreaker[];
  readonly #placement: Placement;
  readonly #probes: NodeProbes;
  readonly #onFailure: NodeFailure;

  /** Connects at the first use. */
  constructor(options: ResolvedCacheOptions, onFailure: NodeFailure) {
    this.#options = options;
    this.#onFailure = onFailure;
    const { nodes, distribution, operationTimeoutMs, credentials, tls } = options;
    this.#placement = createPlacement({
      extension: 'memcached',
      nodes: nodes.map(({ place }) => place),
      distribution,
    });
    const made = nodes.map(({ id, address }) => {
      const breaker = (operation: 'get' | 'set'): NodeBreaker =>
        createNodeBreaker({ cluster: 'cache', node: id, operation, isNodeFault, onChange: () => undefined });
      const breakers = { get: breaker('get'), set: breaker('set') };
      const node = createMemcachedNode({
        id,
        address,
        timeoutMs: operationTimeoutMs,
        breakers,
        tls,
        ...credentials,
      });
      return { node, breakers };
    });
    this.#nodes = made.map(({ node }) => node);
    this.#breakers = made.flatMap(({ breakers: { get, set } }) => [get, set]);
    this.#probes = new NodeProbes(this.#nodes, operationTimeoutMs, (node, outcome) => {
      for (const breaker of this.#breakers) if (breaker.node === node.id) breaker.probed(outcome);
    });
  }

  /**
   * Runs `work` on the node of `place`.
   *
   * @returns NODE_DOWN when the node cannot be reached, unless the options ask for an error
   */
  async on<T>(
    place: string,
    call: CallOptions | undefined,
    work: (node: MemcachedNode, call: CallOptions) => Promise<T>,
  ): Promise<T | typeof NODE_DOWN> {
    const node = this.#nodes[this.#placement.nodesFor(place, 1)[0] ?? 0] as MemcachedNode;
    const { operationTimeoutMs, onNodeDown } = this.#options;
    const deadline = Deadline.of(call, 0).within(operationTimeoutMs);
    const remainingMs = deadline.remainingMs();
    try {
      return await work(node, {
        signal: deadline.signal,
        timeoutMs: Number.isFinite(remainingMs) ? Math.max(1, remainingMs) : operationTimeoutMs,
      });
    } catch (error) {
      if (!meansDown(error)) throw error;
      this.#onFailure(node.id, error);
      if (onNodeDown === 'throw') throw error;
      return NODE_DOWN;
    }
  }

  /** Which node holds `place`. */
  nodeOf(place: string): NodeId {
    return (this.#nodes[this.#placement.nodesFor(place, 1)[0] ?? 0] as MemcachedNode).id;
  }

  /** Waits for what is under way, then closes the connections. */
  async close(): Promise<void> {
    await this.#probes.close();
    await Promise.all(this.#nodes.map((node) => node.close()));
    for (const breaker of this.#breakers) breaker.close();
  }
}

function meansDown(error: unknown): boolean {
  if (!isStormlampError(error)) return false;
  return DOWN.has(error.code);
}

/** An error status counts too: a node without memory for the item serves nobody with it. */
const DOWN: ReadonlySet<string> = new Set([
  ErrorCode.NODE_UNREACHABLE,
  ErrorCode.TIMEOUT,
  ErrorCode.BREAKER_OPEN,
  ErrorCode.PROTOCOL,
  ErrorCode.ACCESS_DENIED,
  ErrorCode.MEMCACHED,
]);
