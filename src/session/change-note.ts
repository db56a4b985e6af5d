/**
 * Says on the nodes that a change to another list is under way, for as long as any process takes part in it. Only then the marks of that
 * list are believed: a node that was away when a change was called off, or finished, has kept its mark, and missed what was written since.
 */
import type { CallOptions } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { changeKey } from '../memcached/copies/copy-key.js';
import { meansUnreachable } from '../memcached/copies/copy-report.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';

/** How long it stays where nobody says so any more, at least, in seconds: as when all processes were killed. */
const LIFE_SECONDS = 30;
const RENEW_MS = 10_000;
/** So many looks at a node go by before it ends. */
const LOOKS = 4;

/** See the head of this file. */
export class ChangeNote {
  readonly #exptime: number;
  readonly #timeoutMs: number;
  #ring: string | undefined;
  /** The nodes, and when it was said there last, in monotonic milliseconds. */
  #toldAt = new Map<MemcachedNode, number>();

  /** Says nothing yet. */
  constructor(options: { readonly operationTimeoutMs: number; readonly monitorIntervalMs: number }) {
    this.#timeoutMs = options.operationTimeoutMs;
    this.#exptime = Math.max(LIFE_SECONDS, Math.ceil((LOOKS * options.monitorIntervalMs) / 1_000));
  }

  /** Whether those of `nodes` that answer, all of them, say so of the list `ring`. */
  async isOn(nodes: readonly MemcachedNode[], ring: string, call: CallOptions): Promise<boolean> {
    const answers = await Promise.all(
      nodes.map(async (node) => {
        try {
          return (await node.peek(changeKey(ring), call)) !== null;
        } catch (error) {
          if (meansUnreachable(error)) return undefined;
          throw error;
        }
      }),
    );
    return answers.includes(true) && !answers.includes(false);
  }

  /** Says so on `nodes` until `drop`. Never rejects. */
  async keep(nodes: readonly MemcachedNode[], ring: string): Promise<void> {
    this.#ring = ring;
    this.#toldAt = new Map(nodes.map((node) => [node, Number.NEGATIVE_INFINITY]));
    await Promise.all(nodes.map((node) => this.#tell(node, ring)));
  }

  /** A node answered: it is said again there where that is due. */
  observed(id: NodeId): void {
    const ring = this.#ring;
    if (ring === undefined) return;
    for (const [node, toldAt] of this.#toldAt)
      if (node.id === id && performance.now() - toldAt >= RENEW_MS) void this.#tell(node, ring);
  }

  /** Says so no more. Never rejects. */
  async drop(): Promise<void> {
    const ring = this.#ring;
    const nodes = [...this.#toldAt.keys()];
    this.#ring = undefined;
    this.#toldAt.clear();
    if (ring === undefined) return;
    const call = { timeoutMs: this.#timeoutMs };
    await Promise.allSettled(nodes.map((node) => node.delete(changeKey(ring), call)));
  }

  async #tell(node: MemcachedNode, ring: string): Promise<void> {
    const before = this.#toldAt.get(node);
    this.#toldAt.set(node, performance.now());
    try {
      const call = { timeoutMs: this.#timeoutMs, exptime: this.#exptime };
      await node.set(changeKey(ring), Buffer.from('1'), call);
    } catch {
      // With the next look that goes well.
      if (before !== undefined && this.#toldAt.has(node)) this.#toldAt.set(node, before);
    }
  }
}
