/** Looks at every memcached node once per interval, so that breakers open without traffic and close again after a return. */

import { pause } from '../common/backoff.js';
import { systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import type { MemcachedNode } from './memcached-node.js';

/** What one look at a node found. */
export type MemcachedObservation =
  | { readonly node: NodeId; readonly ok: true; readonly latencyMs: number; readonly version: string }
  | { readonly node: NodeId; readonly ok: false; readonly error: unknown };

/** Events of a {@link MemcachedMonitor}. */
export interface MemcachedMonitorEvents {
  /** A node was looked at. */
  'node-observed': MemcachedObservation;
}

/** One loop per node: ask for the version, report, wait. */
export class MemcachedMonitor extends SafeEmitter<MemcachedMonitorEvents> {
  readonly #nodes: readonly MemcachedNode[];
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  /** Makes a monitor; it looks at nothing before `start`. */
  constructor(
    nodes: readonly MemcachedNode[],
    options: { readonly intervalMs: number; readonly timeoutMs: number },
  ) {
    super();
    this.#nodes = nodes;
    this.#intervalMs = options.intervalMs;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Looks at every node once, now. */
  checkAll(): Promise<readonly MemcachedObservation[]> {
    return Promise.all(this.#nodes.map((node) => this.#check(node)));
  }

  /** Starts the loops. */
  start(): void {
    this.#running = Promise.all(this.#nodes.map((node) => this.#watch(node)));
  }

  /** Stops the loops and waits for the looks under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watch(node: MemcachedNode): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // Jitter keeps the processes of a fleet from asking all at once.
      await pause(this.#intervalMs * (0.9 + 0.2 * Math.random()), signal);
      if (!signal.aborted) await this.#check(node);
    }
  }

  async #check(node: MemcachedNode): Promise<MemcachedObservation> {
    const started = systemClock.now();
    let observation: MemcachedObservation;
    try {
      const version = await node.version({ timeoutMs: this.#timeoutMs, signal: this.#stop.signal });
      observation = { node: node.id, ok: true, latencyMs: systemClock.now() - started, version };
    } catch (error) {
      observation = { node: node.id, ok: false, error };
    }
    if (!this.#stop.signal.aborted) this.publish('node-observed', observation);
    return observation;
  }
}
