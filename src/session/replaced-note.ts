/** Says on the nodes that another list took the place of one of theirs, also on those that were away when that was said. */
import type { NodeId } from '../common/node-address.js';
import { replacedKey } from '../memcached/copies/copy-key.js';
import { encodeReplaced, type ReplacedList } from '../memcached/copies/replaced-list.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';

/** See the head of this file. */
export class ReplacedNote {
  readonly #timeoutMs: number;
  #said: ReplacedList | undefined;
  /** Nodes that have not heard it. */
  readonly #untold = new Map<NodeId, MemcachedNode>();

  /** Says nothing yet. */
  constructor(options: { readonly operationTimeoutMs: number }) {
    this.#timeoutMs = options.operationTimeoutMs;
  }

  /** Says so on `nodes`. Never rejects. */
  async tell(nodes: readonly MemcachedNode[], said: ReplacedList): Promise<void> {
    this.#said = said;
    this.#untold.clear();
    await Promise.all(nodes.map((node) => this.#tell(node, said)));
  }

  /** A node answered: it is told what it has not heard. */
  observed(id: NodeId): void {
    const node = this.#untold.get(id);
    if (node === undefined || this.#said === undefined) return;
    this.#untold.delete(id);
    void this.#tell(node, this.#said);
  }

  /** A node is no longer one of ours. */
  forget(id: NodeId): void {
    this.#untold.delete(id);
  }

  /** Takes back on `nodes` what is said of `ring`, which is to decide; nothing is said of another list any more. */
  async takeBack(nodes: readonly MemcachedNode[], ring: string): Promise<void> {
    this.#said = undefined;
    this.#untold.clear();
    await Promise.all(nodes.map((node) => node.delete(replacedKey(ring), { timeoutMs: this.#timeoutMs })));
  }

  async #tell(node: MemcachedNode, said: ReplacedList): Promise<void> {
    try {
      const call = { timeoutMs: this.#timeoutMs, exptime: 0 };
      await node.set(replacedKey(said.ring), encodeReplaced(said), call);
    } catch {
      if (this.#said === said) this.#untold.set(node.id, node);
    }
  }
}
