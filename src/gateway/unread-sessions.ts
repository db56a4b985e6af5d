/**
 * Items that a client could not read. PHP goes on with an empty session when its handler fails to read (measured: 8.2, both
 * extensions), and would write that over the stored one a moment later, when the nodes answer again. What counts is what this very
 * client was shown: that somebody else has read the session meanwhile does not fill this client's empty one.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/**
 * What each client is remembered to have asked for in vain, and to have been shown, last. Of more the oldest is forgotten: a connection is
 * one PHP process, which has long done with the page that asked for it. To refuse what it never asked for instead would refuse new ids,
 * which nobody reads before they are written, and with them all logins, for as long as a persistent connection lives.
 */
const MAX_PER_CLIENT = 1_000;
/** Sessions that clients which are gone had not read; of more the oldest is forgotten, for the same reason. */
const MAX_LEFT = 100_000;
/** So long PHP may still write over another connection what it did not read. No page lives longer. */
const LEFT_MS = 3_600_000;

/** Which items are watched. */
export interface UnreadOptions {
  /** Whether an item is not to be written by a client that could not read it. */
  readonly isGuarded: (key: string) => boolean;
  /**
   * Whether PHP's session handler stores under this key. It reads before it writes, also over a new connection. Who writes other items
   * may never read them: what a client that is gone has not read of those is nobody else's business.
   */
  readonly isSession: (key: string) => boolean;
}

interface Client {
  readonly unread: Set<string>;
  readonly shown: Set<string>;
}

/** See the head of this file. */
export class UnreadSessions {
  readonly #options: UnreadOptions;
  readonly #now: () => number;
  readonly #clients = new WeakMap<object, Client>();
  readonly #away = new WeakSet<object>();
  /** By key until when, of clients that are gone. */
  readonly #left = new Map<string, number>();

  /** @param now a clock, in milliseconds */
  constructor(options: UnreadOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /** `client` asks for it, or did so in vain: it has not read it before it is shown. */
  asked(client: object, key: string): void {
    if (!this.#options.isGuarded(key)) return;
    const known = this.#of(client);
    known.shown.delete(key);
    addNewest(known.unread, key);
    if (this.#away.has(client)) this.#leave(key);
  }

  /** `client` was shown it, or removed it: whatever it writes from now on is made from what there is. */
  known(client: object, key: string): void {
    if (!this.#options.isGuarded(key)) return;
    const { unread, shown } = this.#of(client);
    unread.delete(key);
    addNewest(shown, key);
  }

  /** `client` is gone, or sends no more: answers that are under way may never be seen, and PHP may come back over another connection. */
  gone(client: object): void {
    if (this.#away.has(client)) return;
    this.#away.add(client);
    for (const key of this.#clients.get(client)?.unread ?? []) this.#leave(key);
  }

  /** @throws StormlampError `ERR_STORE_DOWN` when `client` asked for it last in vain, or may be one that did. */
  assertKnown(client: object, key: string): void {
    const known = this.#clients.get(client);
    const refused = known?.unread.has(key) === true || (known?.shown.has(key) !== true && this.#isLeft(key));
    if (!refused) return;
    throw new StormlampError(
      ErrorCode.STORE_DOWN,
      `${
        this.#options.isSession(key)
          ? 'This session could not be read before, and PHP took it for an empty one'
          : 'This item could not be read before, and may have been taken for an absent one'
      }: it is not written until it was read over this connection`,
    );
  }

  #of(client: object): Client {
    const known = this.#clients.get(client) ?? { unread: new Set(), shown: new Set() };
    this.#clients.set(client, known);
    return known;
  }

  #leave(key: string): void {
    if (!this.#options.isSession(key)) return;
    const now = this.#now();
    // In the order of their ends.
    this.#left.delete(key);
    this.#left.set(key, now + LEFT_MS);
    for (const [oldest, until] of this.#left) {
      if (until > now && this.#left.size <= MAX_LEFT) break;
      this.#left.delete(oldest);
    }
  }

  #isLeft(key: string): boolean {
    return this.#options.isSession(key) && (this.#left.get(key) ?? Number.NEGATIVE_INFINITY) > this.#now();
  }
}

function addNewest(keys: Set<string>, key: string): void {
  keys.delete(key);
  keys.add(key);
  const [oldest] = keys;
  if (keys.size > MAX_PER_CLIENT && oldest !== undefined) keys.delete(oldest);
}
