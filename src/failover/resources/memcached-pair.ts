/** Watches a pair of memcached nodes (or more): which of them answer, and whose misses can be believed. There is no promotion. */
import type { ConnectionOptions } from 'node:tls';
import { pause } from '../../common/backoff.js';
import { type NodeId, parseNodeAddress } from '../../common/node-address.js';
import { invalidOption, readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { describeError, ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedNode } from '../../memcached/memcached-node.js';
import { readNodeTls } from '../../memcached/memcached-node-options.js';
import { createMemcachedNode } from '../../memcached/memjs-node.js';
import { afterFill, afterLook, type Incarnation, incarnationOf, type PairNodeState } from './incarnation.js';

/** Options of {@link watchMemcachedPair}. */
export interface MemcachedPairOptions {
  /** The nodes, like `cache1:11211`. */
  readonly nodes: readonly string[];
  /** User name of the nodes, for SASL PLAIN. Default: no authentication. */
  readonly username?: string | undefined;
  /** Its password. */
  readonly password?: string | undefined;
  /** Speak TLS to the nodes: true, or options of `tls.connect`. Default false. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Time between two looks, milliseconds. Default 1000. */
  readonly intervalMs?: number | undefined;
  /** Longest time for an answer, milliseconds. Default 500. */
  readonly timeoutMs?: number | undefined;
  /**
   * Fills a node that came back, from its peers; when it resolves the node counts as up. Without it a node stays `warming` until
   * {@link MemcachedPair.filled} is called.
   */
  readonly fill?: ((node: NodeId, signal: AbortSignal) => Promise<void>) | undefined;
}

/** The events of a {@link MemcachedPair}. */
export interface MemcachedPairEvents {
  /** The state of a node changed. */
  'node-changed': { readonly node: NodeId; readonly before: PairNodeState; readonly after: PairNodeState };
  /** Filling a node failed; it is tried again after the next look. */
  'fill-failed': { readonly node: NodeId; readonly error: Error };
}

const NAMES = ['nodes', 'username', 'password', 'tls', 'intervalMs', 'timeoutMs', 'fill'];

/**
 * Watches memcached nodes until it is closed; resolves after the first look at all of them.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, or `ERR_ACCESS_DENIED` when a node that answers wants another login.
 */
export async function watchMemcachedPair(options: MemcachedPairOptions): Promise<MemcachedPair> {
  rejectUnknownOptions('memcachedPair', options, NAMES);
  if (!Array.isArray(options.nodes) || options.nodes.length < 2)
    throw invalidOption('memcachedPair.nodes', 'at least two nodes', options.nodes);
  const intervalMs = readNumber('memcachedPair.intervalMs', options.intervalMs, 1_000, {
    min: 50,
    max: 60_000,
  });
  const timeoutMs = readNumber('memcachedPair.timeoutMs', options.timeoutMs, 500, { min: 10, max: 60_000 });
  const { username, password } = options;
  if ((username === undefined) !== (password === undefined))
    throw invalidOption('memcachedPair.username', 'given together with `password`', username);
  const login = username === undefined || password === undefined ? {} : { username, password };
  const tls = readNodeTls('memcachedPair.tls', options.tls);
  const nodes = options.nodes.map((node, index) => {
    const address = parseNodeAddress(`memcachedPair.nodes[${index}]`, node, 11_211);
    return createMemcachedNode({ address, ...login, tls });
  });
  const pair = new MemcachedPair(nodes, intervalMs, timeoutMs, options.fill);
  const refused = (await pair.look()).find((error) => isStormlampError(error, ErrorCode.ACCESS_DENIED));
  if (refused !== undefined) {
    await pair.close();
    throw refused;
  }
  pair.start();
  return pair;
}

/** A watched pair. Made by {@link watchMemcachedPair}. */
export class MemcachedPair extends SafeEmitter<MemcachedPairEvents> implements AsyncDisposable {
  readonly #nodes: readonly MemcachedNode[];
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #fill: MemcachedPairOptions['fill'];
  readonly #states = new Map<NodeId, PairNodeState>();
  readonly #filling = new Set<NodeId>();
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(
    nodes: readonly MemcachedNode[],
    intervalMs: number,
    timeoutMs: number,
    fill: MemcachedPairOptions['fill'],
  ) {
    super();
    this.#nodes = nodes;
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#fill = fill;
    for (const { id } of nodes) this.#states.set(id, { state: 'unknown' });
  }

  /** The state of every node. */
  get states(): ReadonlyMap<NodeId, PairNodeState> {
    return this.#states;
  }

  /** The nodes whose answers, misses too, can be believed. */
  get trusted(): readonly NodeId[] {
    return [...this.#states].filter(([, { state }]) => state === 'up').map(([node]) => node);
  }

  /** Says that a node was filled, with the incarnation that it had when that began; ignored when it was restarted, or away, since. */
  filled(node: NodeId, incarnation: Incarnation): void {
    const before = this.#states.get(node);
    if (before !== undefined) this.#become(node, afterFill(before, incarnation));
  }

  /** @internal */
  start(): void {
    this.#running = this.#watch();
  }

  /**
   * Looks at all nodes; the errors of those that did not answer.
   *
   * @internal
   */
  async look(): Promise<readonly unknown[]> {
    const { signal } = this.#stop;
    const errors: unknown[] = [];
    const seen = await Promise.all(
      this.#nodes.map((node) =>
        node
          .stats({ timeoutMs: this.#timeoutMs, signal })
          .then(incarnationOf, (error: unknown) => void errors.push(error)),
      ),
    );
    if (signal.aborted) return errors;
    const answers = seen.some((incarnation) => incarnation !== undefined);
    for (const [index, { id }] of this.#nodes.entries()) {
      const after = afterLook(this.#states.get(id) ?? { state: 'unknown' }, seen[index], answers);
      this.#become(id, after);
      if (after.state === 'warming') void this.#fillNow(id, after.incarnation);
    }
    return errors;
  }

  /** Stops. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    for (const node of this.#nodes) node.destroy();
  }

  /** Same as {@link MemcachedPair.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await pause(this.#intervalMs * (0.9 + 0.2 * Math.random()), signal);
      if (signal.aborted) return;
      await this.look();
    }
  }

  async #fillNow(node: NodeId, incarnation: Incarnation): Promise<void> {
    if (this.#fill === undefined || this.#filling.has(node)) return;
    this.#filling.add(node);
    try {
      await this.#fill(node, this.#stop.signal);
      if (!this.#stop.signal.aborted) this.filled(node, incarnation);
    } catch (error) {
      this.publish('fill-failed', {
        node,
        error: error instanceof Error ? error : new Error(describeError(error)),
      });
    } finally {
      this.#filling.delete(node);
    }
  }

  #become(node: NodeId, after: PairNodeState): void {
    const before = this.#states.get(node);
    if (before === after || before === undefined) return;
    this.#states.set(node, after);
    if (before.state !== after.state) this.publish('node-changed', { node, before, after });
  }
}
