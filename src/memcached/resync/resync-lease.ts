/** The lease of the one process that works on a node. It lies on that node, so that whoever cannot reach it does not get it, and a restart ends it. */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from '../../common/deadline.js';
import { leaseKey } from '../copies/copy-key.js';
import type { MemcachedNode } from '../memcached-node.js';
import { encodeUnderWay, type RepairUnderWay } from './repair-notes.js';

/** How long a lease lives when its holder dies, in seconds. */
const LEASE_SECONDS = 10;
/** A holder that stood still relies on it for no longer: the server counts in whole seconds, and what is sent takes its time. */
const RELY_MS = (LEASE_SECONDS - 3) * 1_000;
/** How often it is renewed, which also is how often others see how far the work is. */
const RENEW_EVERY_MS = 1_000;

/** A lease that was taken. */
export class ResyncLease {
  readonly #node: MemcachedNode;
  readonly #owner: string;
  #cas: bigint;
  #note: RepairUnderWay | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the last renewal that succeeded was sent, by `performance.now()`. */
  #renewedAt: number;
  /** One after the other: each has the version that the one before it left. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    node: MemcachedNode,
    owner: string,
    cas: bigint,
    note: RepairUnderWay | undefined,
    takenAt: number,
  ) {
    this.#renewedAt = takenAt;
    this.#node = node;
    this.#owner = owner;
    this.#cas = cas;
    this.#note = note;
  }

  /** Takes the lease, for a repair of which it tells; undefined when another process has it. */
  static async take(
    node: MemcachedNode,
    call?: CallOptions,
    note?: RepairUnderWay,
  ): Promise<ResyncLease | undefined> {
    const owner = `${process.pid} ${randomUUID()}`;
    const takenAt = performance.now();
    const added = await node.add(leaseKey(node.id), textOf(owner, note), { ...call, exptime: LEASE_SECONDS });
    return added.status === 'stored' ? new ResyncLease(node, owner, added.cas, note, takenAt) : undefined;
  }

  /** Whether it certainly is still ours: a process that stood still may have lost it, and not know yet. */
  get isHeld(): boolean {
    return performance.now() - this.#renewedAt < RELY_MS;
  }

  /** What it says from its next renewal on. */
  tell(note: RepairUnderWay): void {
    this.#note = note;
  }

  /** Renews it until it is released; `onLost` is called when it is no longer ours, or that cannot be known. */
  keep(onLost: () => void, call?: CallOptions): void {
    this.#timer = setInterval(() => {
      this.renew(call).then((ours) => {
        if (!ours) onLost();
      }, onLost);
    }, RENEW_EVERY_MS);
  }

  /** Gives it more time; false when it is no longer ours: the node was restarted or flushed, or we were too slow. */
  renew(call?: CallOptions): Promise<boolean> {
    return this.#inTurn(async () => {
      const sentAt = performance.now();
      const renewed = await this.#node.set(leaseKey(this.#node.id), textOf(this.#owner, this.#note), {
        ...call,
        exptime: LEASE_SECONDS,
        cas: this.#cas,
      });
      if (renewed.status !== 'stored') return false;
      this.#cas = renewed.cas;
      this.#renewedAt = sentAt;
      return true;
    });
  }

  /** Gives it back. Never rejects. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    const gone = this.#inTurn(() => this.#node.delete(leaseKey(this.#node.id), { cas: this.#cas }));
    await gone.catch(() => undefined);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function textOf(owner: string, note: RepairUnderWay | undefined): Buffer {
  return Buffer.from(note === undefined ? owner : `${owner} ${encodeUnderWay(note)}`);
}
