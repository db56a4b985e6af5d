/** The board of a site on its memcached: one item holds the right to look at the databases, another one what was seen. */
import { createHash, randomUUID } from 'node:crypto';
import { parseNodeAddress } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { ObservationBoard } from '../health/observation-board.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { createMemcachedNode } from '../memcached/memjs-node.js';
import type { ShareOptions } from './share-options.js';

/** The right to look ends by itself after so many seconds; memcached counts whole ones. */
const LEASE_S = 3;
/** What was seen is of no use later than this, in seconds. */
const LOOKS_S = 30;
/** Limit of one call, in milliseconds. */
const TIMEOUT_MS = 500;
/** Larger items are neither written nor taken, in bytes: whoever can write there could fill the memory of every process. */
const ITEM_BYTES = 1_048_576;

/**
 * Makes the board of all processes that watch the nodes `ids`, and measure lag the same `way`, with the same memcached nodes.
 * Nothing is connected yet.
 */
export function createMemcachedBoard(
  { memcached, username, password, tls = false }: ShareOptions,
  ids: readonly string[],
  way: string,
): ObservationBoard {
  const login = username === undefined || password === undefined ? {} : { username, password };
  const nodes = memcached.map((node, index) =>
    createMemcachedNode({
      address: parseNodeAddress(`mysql.monitor.share.memcached[${index}]`, node, 11_211),
      timeoutMs: TIMEOUT_MS,
      maxItemBytes: ITEM_BYTES,
      ...login,
      tls,
    }),
  );
  const site = createHash('sha256')
    .update([...ids].sort().concat('', way).join('\n'))
    .digest('hex')
    .slice(0, 32);
  return new MemcachedBoard(nodes, site);
}

class MemcachedBoard implements ObservationBoard {
  readonly #nodes: readonly MemcachedNode[];
  readonly #lease: string;
  readonly #looks: string;
  readonly #owner = Buffer.from(randomUUID());

  constructor(nodes: readonly MemcachedNode[], site: string) {
    this.#nodes = nodes;
    this.#lease = `stormlamp:lead:${site}`;
    this.#looks = `stormlamp:looks:${site}`;
  }

  lead(): Promise<boolean> {
    return this.#onFirst(async (node) => {
      const present = await node.get(this.#lease);
      if (present === null) {
        const { status } = await node.add(this.#lease, this.#owner, { exptime: LEASE_S });
        return status === 'stored';
      }
      if (!present.value.equals(this.#owner)) return false;
      // Only over the very item that was read: it may have ended and be somebody else's by now.
      const { status } = await node.set(this.#lease, this.#owner, { exptime: LEASE_S, cas: present.cas });
      return status === 'stored';
    });
  }

  async publish(text: string): Promise<void> {
    await this.#onFirst((node) => node.set(this.#looks, Buffer.from(text, 'utf8'), { exptime: LOOKS_S }));
  }

  async read(): Promise<string | undefined> {
    const item = await this.#onFirst((node) => node.get(this.#looks));
    return item?.value.toString('utf8');
  }

  async close(): Promise<void> {
    try {
      await this.#onFirst(async (node) => {
        const present = await node.get(this.#lease);
        if (present?.value.equals(this.#owner) === true) {
          await node.delete(this.#lease, { cas: present.cas });
        }
      });
    } finally {
      for (const node of this.#nodes) node.destroy();
    }
  }

  /** The first node that answers; all processes try them in the same order. */
  async #onFirst<T>(work: (node: MemcachedNode) => Promise<T>): Promise<T> {
    let cause: unknown;
    for (const node of this.#nodes) {
      try {
        return await work(node);
      } catch (error) {
        cause = error;
      }
    }
    const message = 'No memcached node answers on which the processes share what they see';
    throw new StormlampError(ErrorCode.NODE_UNREACHABLE, message, { cause });
  }
}
