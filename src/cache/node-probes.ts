/** Asks every node of a cache for a sign of life, so that the breaker of one that is down opens without traffic and closes again. */
import { pause } from '../common/backoff.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';

/** Told what a look at a node found. */
export type OnProbe = (
  node: MemcachedNode,
  outcome: { readonly ok: true } | { readonly ok: false; readonly error: unknown },
) => void;

const INTERVAL_MS = 1_000;
/** Every so many looks, and with the first one, the node's clock is looked at, by which it reads dates of expiry. */
const CLOCK_EVERY = 60;

/** One loop per node. */
export class NodeProbes {
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  /** Starts to look. */
  constructor(nodes: readonly MemcachedNode[], timeoutMs: number, onProbe: OnProbe) {
    this.#running = Promise.all(nodes.map((node) => this.#watch(node, timeoutMs, onProbe)));
  }

  /** Stops to look, and waits for the looks under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watch(node: MemcachedNode, timeoutMs: number, onProbe: OnProbe): Promise<void> {
    const { signal } = this.#stop;
    for (let round = 0; ; round += 1) {
      // Not all processes of a fleet at once.
      await pause(INTERVAL_MS * (0.9 + 0.2 * Math.random()), signal);
      if (signal.aborted) return;
      try {
        const answers = (): Promise<unknown> => node.version({ timeoutMs, signal });
        // What stands between may refuse statistics, or know no such command: that says nothing of the node.
        if (round % CLOCK_EVERY === 0) await node.stats({ timeoutMs, signal }).catch(answers);
        else await answers();
        onProbe(node, { ok: true });
      } catch (error) {
        if (!signal.aborted) onProbe(node, { ok: false, error });
      }
    }
  }
}
