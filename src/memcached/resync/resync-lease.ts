/** The lease of the one process that works on a node. It lies on that node, so that whoever cannot reach it does not get it, and a restart ends it. */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from '../../common/deadline.js';
import { leaseKey } from '../copies/copy-key.js';
import type { MemcachedNode } from '../memcached-node.js';

/** How long a lease lives when its holder dies, in seconds. */
const LEASE_SECONDS = 10;

/** A lease that was taken. */
export class ResyncLease {
  readonly #node: MemcachedNode;
  readonly #owner: Buffer;
  #cas: bigint;

  private constructor(node: MemcachedNode, owner: Buffer, cas: bigint) {
    this.#node = node;
    this.#owner = owner;
    this.#cas = cas;
  }

  /** How often it has to be renewed, in milliseconds. */
  static readonly renewEveryMs: number = (LEASE_SECONDS * 1000) / 4;

  /** Takes the lease; undefined when another process has it. */
  static async take(node: MemcachedNode, call?: CallOptions): Promise<ResyncLease | undefined> {
    const owner = Buffer.from(`${process.pid} ${randomUUID()}`);
    const added = await node.add(leaseKey(node.id), owner, { ...call, exptime: LEASE_SECONDS });
    return added.status === 'stored' ? new ResyncLease(node, owner, added.cas) : undefined;
  }

  /** Gives it more time; false when it is no longer ours: the node was restarted or flushed, or we were too slow. */
  async renew(call?: CallOptions): Promise<boolean> {
    const renewed = await this.#node.set(leaseKey(this.#node.id), this.#owner, {
      ...call,
      exptime: LEASE_SECONDS,
      cas: this.#cas,
    });
    if (renewed.status !== 'stored') return false;
    this.#cas = renewed.cas;
    return true;
  }

  /** Gives it back. Never rejects. */
  async release(): Promise<void> {
    await this.#node.delete(leaseKey(this.#node.id), { cas: this.#cas }).catch(() => undefined);
  }
}
