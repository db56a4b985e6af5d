/** A way to a server on which what is stored of one item waits until it is let go. */
import type { StoreResult } from '../../../../src/memcached/memcached-node.js';
import { ModelNode } from './model-world.js';

/** The item. */
export const KEY = { key: 's.1', place: '1' };

/** See the head of this file. */
export class SlowNode extends ModelNode {
  #release: (() => void)[] | undefined;
  waiting = 0;

  hold(): void {
    this.#release = [];
  }

  letGo(): void {
    for (const release of this.#release ?? []) release();
    this.#release = undefined;
  }

  async #turn(): Promise<void> {
    const held = this.#release;
    if (held === undefined) return;
    this.waiting += 1;
    await new Promise<void>((resolve) => held.push(resolve));
  }

  override async set(...call: Parameters<ModelNode['set']>): Promise<StoreResult> {
    if (call[0] === KEY.key) await this.#turn();
    return await super.set(...call);
  }

  override async add(...call: Parameters<ModelNode['add']>): Promise<StoreResult> {
    if (call[0] === KEY.key) await this.#turn();
    return await super.add(...call);
  }
}
