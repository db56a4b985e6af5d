/** Keeps the copies of sessions complete and alike: refills nodes, and mends single sessions whose copies were seen to differ. */
import type { CallOptions, Deadline } from '../common/deadline.js';
import type { NodeAddress, NodeId } from '../common/node-address.js';
import { allowManyListeners } from '../common/shared-signal.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { CopyKey } from '../memcached/copies/copy-key.js';
import type { NodeStandings } from '../memcached/copies/node-standings.js';
import type { ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import { exptimeOf, exptimeOfRemaining } from '../memcached/exptime.js';
import type { MemcachedMonitor } from '../memcached/memcached-monitor.js';
import type { MemcachedItem } from '../memcached/memcached-node.js';
import { MendCopies } from '../memcached/resync/mend-copies.js';
import { Resync } from '../memcached/resync/resync.js';
import { TextConnection } from '../memcached/text-connection.js';
import { BackgroundWork } from './background-work.js';
import { FailedLately } from './failed-lately.js';
import { mergeRivals } from './merge-rivals.js';
import type { SessionStoreEvents } from './session-events.js';
import { isLockKey, keptPlaceOf, sessionPlaceOf } from './session-keys.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { sessionBytes } from './session-values.js';

/** What it needs of the store. */
export interface SessionResyncOptions {
  /** The options of the store. */
  readonly store: ResolvedSessionOptions;
  /** Where sessions are. */
  readonly copies: ReplicatedCopies;
  /** Where a node is reached. */
  readonly addressOf: (node: NodeId) => NodeAddress | undefined;
  /** What is known of the nodes. */
  readonly standings: NodeStandings;
  /** Looks at them. */
  readonly monitor: MemcachedMonitor;
  /** Runs `work` under the session's lock. */
  readonly locked: <T>(key: CopyKey, deadline: Deadline, work: () => Promise<T>) => Promise<T>;
  /** Told of a decided conflict. */
  readonly onConflict: (decision: SessionStoreEvents['conflict-decided']) => void;
}

/** A hostile server could name any length. */
const LARGEST_ITEM = 128 * 1024 * 1024;
/** Sessions that are mended at once, and that wait for it; the others are mended when they are seen again. */
const MENDING_AT_ONCE = 200;
/** How long an item is left alone of which nobody could tell when it ends, however often it is read. */
const UNTOLD_REST_MS = 5_000;
/** How long a node is not asked again that only speaks the binary protocol: it may be another server by then. */
const SILENT_REST_MS = 60_000;

/** See the head of this file. */
export class SessionResync {
  /** Refills nodes. */
  readonly resync: Resync;
  readonly #options: SessionResyncOptions;
  readonly #mending: MendCopies;
  readonly #wanted = new Set<string>();
  readonly #work = new BackgroundWork();
  /** Items, by their keys. */
  readonly #untold = new FailedLately(UNTOLD_REST_MS);
  /** Nodes without the text protocol. */
  readonly #silent = new FailedLately(SILENT_REST_MS);
  readonly #stop = new AbortController();

  /** Does nothing before `resync.start()`. */
  constructor(options: SessionResyncOptions) {
    const { store, copies, standings, monitor, locked } = options;
    this.#options = options;
    allowManyListeners(this.#stop.signal);
    this.#mending = new MendCopies({
      copies,
      // Only sessions have locks that others know of.
      locked: (key, deadline, work) =>
        sessionPlaceOf(store, key.key) === undefined ? work() : locked(key, deadline, work),
      merge: (item, rivals) => this.#merge(item, rivals),
      exptimeOn: (node, key, call) => this.#exptimeOn(node, key, call),
      timeoutMs: store.lockWaitMs + 10 * store.operationTimeoutMs,
    });
    this.resync = new Resync({
      places: copies.places,
      standings,
      monitor,
      placeOf: (key) => keptPlaceOf(store, key),
      connect: (node, signal) => this.#connect(node, { signal }),
      // A lock is over before it could be mended, and its next holder's would be taken for it.
      mend: async (key, call) => (isLockKey(store, key.key) ? 'alike' : await this.#mending.mend(key, call)),
      itemsPerSecond: store.resyncItemsPerSecond,
      recopyAfterMs: store.recopyAfterMs,
      operationTimeoutMs: store.operationTimeoutMs,
    });
  }

  /** Mends a session soon, unless that is under way or too many are. */
  mendLater(key: CopyKey): void {
    const { store } = this.#options;
    if (!store.resync || isLockKey(store, key.key)) return;
    if (this.#wanted.has(key.key) || this.#wanted.size >= MENDING_AT_ONCE || this.#stop.signal.aborted)
      return;
    if (this.#untold.isResting(key.key, performance.now())) return;
    this.#wanted.add(key.key);
    const mended = this.#mending.mend(key, { signal: this.#stop.signal });
    this.#work.add(mended.finally(() => this.#wanted.delete(key.key)));
  }

  /** Gives up what is under way: another process or a later look takes it up. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.resync.close();
    await this.#work.settled();
  }

  #merge(first: MemcachedItem, rivals: readonly MemcachedItem[]): Pick<MemcachedItem, 'value' | 'flags'> {
    const { handler, serialize } = this.#options.store;
    try {
      const { bytes, decided } = mergeRivals(
        sessionBytes(first, handler),
        rivals.map((rival) => sessionBytes(rival, handler)),
        serialize,
      );
      for (const variable of decided) this.#options.onConflict({ variable, kept: 'ours' });
      return { value: bytes, flags: 0 };
    } catch (error) {
      // What is no session cannot be merged: the copy that counts stays.
      if (isStormlampError(error)) return first;
      throw error;
    }
  }

  async #exptimeOn(node: string, key: CopyKey, call: CallOptions): Promise<number | undefined> {
    const { store } = this.#options;
    try {
      return await this.#exptimeTold(node, key, call);
    } catch (error) {
      // Without the text protocol nobody can tell. A session is as if it was used now; any other item may be meant to last.
      if (sessionPlaceOf(store, key.key) !== undefined) return exptimeOf(store.lifetimeMs);
      this.#untold.failed(key.key, performance.now());
      throw error;
    }
  }

  async #exptimeTold(node: string, key: CopyKey, call: CallOptions): Promise<number | undefined> {
    if (this.#silent.isResting(node, performance.now()))
      throw new StormlampError(ErrorCode.UNSUPPORTED, `${node} only speaks the binary protocol`, { node });
    try {
      await using connection = await this.#connect(node, call);
      const [item] = await connection.items([key.key], call);
      return item == null ? undefined : exptimeOfRemaining(item.remainingSeconds);
    } catch (error) {
      if (isStormlampError(error, ErrorCode.UNSUPPORTED)) this.#silent.failed(node, performance.now());
      throw error;
    }
  }

  async #connect(id: string, call: CallOptions): Promise<TextConnection> {
    const { store, addressOf } = this.#options;
    const address = addressOf(id);
    if (address === undefined) throw new Error(`There is no node ${id}`);
    const timeoutMs = Math.max(2_000, store.operationTimeoutMs);
    return await TextConnection.open(
      { address, id, timeoutMs, tls: store.tls, maxItemBytes: LARGEST_ITEM },
      call,
    );
  }
}
