/** Looks at every memcached node once per interval, so that breakers open without traffic and close again after a return. */

import { pause } from '../common/backoff.js';
import { systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { allowManyListeners } from '../common/shared-signal.js';
import type { MemcachedNode } from './memcached-node.js';
import { askNode, type NodeAnswer, type NodeMarks } from './node-observation.js';

/** What one look at a node found. */
export type MemcachedObservation =
  | {
      readonly node: NodeId;
      readonly ok: true;
      /** When the look began, by `performance.now()`. */
      readonly askedAt?: number;
      readonly latencyMs: number;
      readonly answer: NodeAnswer;
    }
  | { readonly node: NodeId; readonly ok: false; readonly error: unknown };

/** Events of a {@link MemcachedMonitor}. */
export interface MemcachedMonitorEvents {
  /** A node was looked at. */
  'node-observed': MemcachedObservation;
}

/** How nodes are looked at. */
export interface MemcachedMonitorOptions {
  /** Pause between two looks at a node, in milliseconds. */
  readonly intervalMs: number;
  /** Limit of one look, in milliseconds. */
  readonly timeoutMs: number;
  /** Where a node's marks are now. */
  readonly marks: () => NodeMarks;
}

/** One loop per node: ask, report, wait. */
export class MemcachedMonitor extends SafeEmitter<MemcachedMonitorEvents> {
  readonly #nodes: Set<MemcachedNode>;
  readonly #options: MemcachedMonitorOptions;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #started = false;

  /** Makes a monitor; it looks at nothing before `start`. */
  constructor(nodes: readonly MemcachedNode[], options: MemcachedMonitorOptions) {
    super();
    this.#nodes = new Set(nodes);
    this.#options = options;
    allowManyListeners(this.#stop.signal);
  }

  /** Looks at every node once, now. */
  checkAll(): Promise<readonly MemcachedObservation[]> {
    return Promise.all([...this.#nodes].map((node) => this.check(node)));
  }

  /** Looks at one node, now. Never rejects. */
  async check(node: MemcachedNode): Promise<MemcachedObservation> {
    const { timeoutMs, marks } = this.#options;
    const askedAt = performance.now();
    const started = systemClock.now();
    let observation: MemcachedObservation;
    try {
      const others = [...this.#nodes].flatMap(({ id }) => (id === node.id ? [] : [id]));
      const call = { timeoutMs, signal: this.#stop.signal };
      const answer = await askNode(node, marks(), others, call);
      const latencyMs = systemClock.now() - started;
      observation = { node: node.id, ok: true, askedAt, latencyMs, answer };
    } catch (error) {
      observation = { node: node.id, ok: false, error };
    }
    if (!this.#stop.signal.aborted) this.publish('node-observed', observation);
    return observation;
  }

  /** Starts the loops. */
  start(): void {
    this.#started = true;
    for (const node of this.#nodes) this.#begin(node);
  }

  /** Looks at one more node from now on. */
  add(node: MemcachedNode): void {
    if (this.#nodes.has(node)) return;
    this.#nodes.add(node);
    if (this.#started) this.#begin(node);
  }

  /** Looks at a node no more. */
  remove(node: MemcachedNode): void {
    this.#nodes.delete(node);
  }

  /** Stops the loops and waits for the looks under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  #begin(node: MemcachedNode): void {
    const loop = this.#watch(node);
    this.#running.add(loop);
    void loop.finally(() => this.#running.delete(loop));
  }

  async #watch(node: MemcachedNode): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted && this.#nodes.has(node)) {
      // Jitter keeps the processes of a fleet from asking all at once.
      await pause(this.#options.intervalMs * (0.9 + 0.2 * Math.random()), signal);
      if (!signal.aborted && this.#nodes.has(node)) await this.check(node);
    }
  }
}
