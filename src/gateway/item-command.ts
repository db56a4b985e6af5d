/** What the gateway's clients ask of items, whichever protocol they speak, and what they are answered: the port to the store. */
import type { MemcachedItem } from '../memcached/memcached-node.js';

/** How a value is put under a key. */
export type StoreHow = 'set' | 'add' | 'replace' | 'append' | 'prepend';

/** One command on one item. Keys are checked: 1 to 250 bytes of UTF-8 without spaces and control characters. */
export type ItemCommand =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'get-and-touch'; readonly key: string; readonly exptime: number }
  | {
      readonly op: 'store';
      readonly how: StoreHow;
      readonly key: string;
      readonly value: Buffer;
      readonly flags: number;
      readonly exptime: number;
      /** Only over exactly this version; 0 for any. */
      readonly cas: bigint;
    }
  | { readonly op: 'delete'; readonly key: string; readonly cas: bigint }
  | {
      readonly op: 'count';
      readonly key: string;
      readonly down: boolean;
      readonly delta: bigint;
      /** What an absent number is made with; undefined: it is not made. */
      readonly create: { readonly initial: bigint; readonly exptime: number } | undefined;
      readonly cas: bigint;
    }
  | { readonly op: 'touch'; readonly key: string; readonly exptime: number };

/** What became of a command. */
export type ItemAnswer =
  | { readonly status: 'hit'; readonly item: MemcachedItem }
  | { readonly status: 'stored'; readonly cas: bigint }
  | { readonly status: 'counted'; readonly value: bigint; readonly cas: bigint }
  | { readonly status: 'deleted' | 'touched' | 'not-found' | 'exists' }
  | { readonly status: 'not-a-number' | 'too-large' | 'invalid' }
  /** The store could not do it, or nobody knows whether it did. */
  | { readonly status: 'failed'; readonly message: string };

/** Where the items are. */
export interface GatewayItems {
  /**
   * Does one command. What it rejects with is told to the client as a failure of the server.
   *
   * @param client whose command it is; the same object for every command of a connection
   */
  execute(command: ItemCommand, client: object): Promise<ItemAnswer>;
  /** A client sends no more: it has closed its side, and may be gone. */
  hungUp(client: object): void;
  /** A client's connection is closed. */
  gone(client: object): void;
  /**
   * A client was not told what became of a read of its own, whether it was done or not: what was before it in the same request has
   * failed.
   */
  unseen(command: ItemCommand, client: object): void;
  /** Does several commands of a client that change nothing, together; each comes out by itself. Never rejects. */
  executeReads(
    commands: readonly ItemCommand[],
    client: object,
  ): Promise<readonly PromiseSettledResult<ItemAnswer>[]>;
}

/** Whether a command changes nothing, so that it may run beside others that change nothing. */
export function isRead(command: ItemCommand): boolean {
  return command.op === 'get';
}
