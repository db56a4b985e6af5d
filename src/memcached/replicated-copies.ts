/** The copies of one item on several memcached nodes, in PHP's placement order: the first that can answer decides. */
import type { CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode, StoreOptions } from './memcached-node.js';

/** An item's key, and the text by which PHP places it (the key without its prefix). */
export interface CopyKey {
  /** The whole key. */
  readonly key: string;
  /** What placement hashes. */
  readonly place: string;
}

/** What the deciding node answered. */
export interface CopyRead {
  /** The item; null is a miss of the deciding node, which is final. */
  readonly item: MemcachedItem | null;
  /** The node that answered. */
  readonly node: MemcachedNode;
}

/** A copy that an operation could not reach. */
export interface MissedCopy {
  /** The node without the change. */
  readonly node: NodeId;
  /** Why it was not reached. */
  readonly error: Error;
}

/** How many copies took an operation, and which did not. */
export interface CopyReport {
  /** Nodes that took it. */
  readonly reached: readonly NodeId[];
  /** Nodes that did not. */
  readonly missed: readonly MissedCopy[];
}

/** Reads and writes the copies of items. */
export class ReplicatedCopies {
  readonly #nodes: readonly MemcachedNode[];
  readonly #place: (place: string) => readonly number[];
  readonly #operationTimeoutMs: number;

  /**
   * @param nodes all nodes, in the order of PHP's `save_path`
   * @param place indexes of the nodes that hold the copies of a key, the deciding one first
   * @param operationTimeoutMs how long one node may take, so that a silent one leaves time to ask the next
   */
  constructor(
    nodes: readonly MemcachedNode[],
    place: (place: string) => readonly number[],
    operationTimeoutMs: number,
  ) {
    this.#nodes = nodes;
    this.#place = place;
    this.#operationTimeoutMs = operationTimeoutMs;
  }

  /** The nodes that hold the copies of `key`, the deciding one first. */
  holders(key: CopyKey): readonly MemcachedNode[] {
    return this.#place(key.place).flatMap((index) => this.#nodes[index] ?? []);
  }

  /**
   * Asks the copies in order until one answers; its answer, a miss as well, is the answer.
   *
   * @throws StormlampError `ERR_STORE_DOWN` naming every node and why it did not answer.
   */
  read(key: CopyKey, deadline: Deadline): Promise<CopyRead> {
    return this.onFirst(key, deadline, async (node) => ({
      item: await node.get(key.key, this.#within(deadline)),
      node,
    }));
  }

  /** Runs `work` on the first copy that can do it; only a node that cannot be reached makes the next one be asked. */
  async onFirst<T>(key: CopyKey, deadline: Deadline, work: (node: MemcachedNode) => Promise<T>): Promise<T> {
    const failures: MissedCopy[] = [];
    for (const node of this.holders(key)) {
      deadline.check(`The session store`);
      try {
        return await work(node);
      } catch (error) {
        if (!meansUnreachable(error)) throw error;
        failures.push({ node: node.id, error });
      }
    }
    throw storeDown(failures);
  }

  /** Stores the same bytes on every copy but `except`. Never rejects: what was missed is in the report. */
  store(
    key: CopyKey,
    value: Buffer,
    options: StoreOptions,
    deadline: Deadline,
    except?: MemcachedNode,
  ): Promise<CopyReport> {
    return this.#onAll(key, except, async (node) => {
      await node.set(key.key, value, { ...options, ...this.#within(deadline) });
    });
  }

  /** Renews the expiry of every copy. Never rejects. */
  touch(key: CopyKey, exptime: number, deadline: Deadline): Promise<CopyReport> {
    return this.#onAll(key, undefined, async (node) => {
      await node.touch(key.key, exptime, this.#within(deadline));
    });
  }

  /** Removes every copy. Never rejects. */
  delete(key: CopyKey, deadline: Deadline): Promise<CopyReport> {
    return this.#onAll(key, undefined, async (node) => {
      await node.delete(key.key, this.#within(deadline));
    });
  }

  #within(deadline: Deadline): CallOptions {
    const timeoutMs = Math.max(1, Math.min(this.#operationTimeoutMs, Math.ceil(deadline.remainingMs())));
    return { signal: deadline.signal, timeoutMs };
  }

  async #onAll(
    key: CopyKey,
    except: MemcachedNode | undefined,
    work: (node: MemcachedNode) => Promise<void>,
  ): Promise<CopyReport> {
    const reached: NodeId[] = [];
    const missed: MissedCopy[] = [];
    const targets = this.holders(key).filter((node) => node !== except);
    await Promise.all(
      targets.map(async (node) => {
        try {
          await work(node);
          reached.push(node.id);
        } catch (error) {
          missed.push({
            node: node.id,
            error: error instanceof Error ? error : new Error(describeError(error)),
          });
        }
      }),
    );
    return { reached, missed };
  }
}

/** `ERR_STORE_DOWN` with every node that failed and its trouble in the message. */
export function storeDown(
  failures: readonly { readonly node: NodeId; readonly error: unknown }[],
  what = 'No memcached node that holds this session can be reached',
): StormlampError {
  const list = failures.map(({ node, error }) => `${node}: ${describeError(error)}`).join('; ');
  return new StormlampError(
    ErrorCode.STORE_DOWN,
    `${what} (${list}). Check that memcached runs there and that \`sessions.nodes\` is right`,
    { cause: failures[0]?.error, node: failures[0]?.node },
  );
}

function meansUnreachable(error: unknown): error is StormlampError {
  if (!(error instanceof StormlampError)) return false;
  return UNREACHABLE.has(error.code);
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  ErrorCode.NODE_UNREACHABLE,
  ErrorCode.TIMEOUT,
  ErrorCode.BREAKER_OPEN,
  ErrorCode.PROTOCOL,
  ErrorCode.ACCESS_DENIED,
]);
