/** The calls of a {@link MemcachedNode} as requests of the binary protocol, over a connection that is remade after every fault. */
import type { BreakerTicket } from '../breaker/node-breaker.js';
import { aborted, type CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { invalidOption } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { CallDeadlines } from './call-deadlines.js';
import { connectError } from './connect-error.js';
import { exptimeByClock, serverClockOffsetMs } from './exptime.js';
import { DEFAULT_ITEM_BYTES, maxValueBytes } from './item-size.js';
import type { MemcachedItem, MemcachedNode, StoreOptions, StoreResult } from './memcached-node.js';
import type { ResolvedMemcachedNodeOptions } from './memcached-node-options.js';
import { Status, statusError } from './memcached-status.js';
import type { ConnectNode, NodeConnection } from './node-connection.js';
import { Opcode } from './opcode.js';
import { type CallOwner, MORE, PendingCall } from './pending-call.js';
import {
  bare,
  counterExtras,
  exptimeExtras,
  keyed,
  statsRequest,
  storeExtras,
  UINT64_MAX,
} from './request-fields.js';
import { valueTooLarge } from './value-too-large.js';
import type { WireRequest } from './wire-message.js';
import { NO_FLAGS, type WireResponse } from './wire-response.js';

/** Values up to this size fit into every memcached, however small its `-I`. */
const SMALL_VALUE_BYTES = 512;
/** Room for the key and the fields of an answer beside its value. */
const BODY_MARGIN = 1024;
/** Larger items than this are taken only when `maxItemBytes` says so: a hostile server could name any size. */
const LEARNED_ITEM_LIMIT = 128 * 1024 * 1024;
const STATS_LIMIT = 10_000;

/** A memcached node over one connection at a time. */
export class BinaryNode implements MemcachedNode {
  readonly id: NodeId;
  readonly #options: ResolvedMemcachedNodeOptions;
  readonly #connect: ConnectNode;
  readonly #owner: CallOwner;
  readonly #readItem = (response: WireResponse): MemcachedItem | null => this.#item('get', response);
  #connection: NodeConnection | undefined;
  #itemBytes: number | undefined;
  /** How far the server's clock is ahead, as its statistics told last. */
  #clockAheadMs = 0;
  #learning: Promise<void> = Promise.resolve();
  #running = 0;
  #onIdle: (() => void) | undefined;
  #closed = false;

  /** Connects at the first call. */
  constructor(options: ResolvedMemcachedNodeOptions, connect: ConnectNode) {
    this.id = options.id;
    this.#options = options;
    this.#connect = connect;
    this.#itemBytes = options.maxItemBytes;
    const { id, timeoutMs } = options;
    this.#owner = { id, timeoutMs, deadlines: new CallDeadlines(), settled: () => this.#done() };
  }

  get available(): boolean {
    if (this.#closed) return false;
    const { breakers } = this.#options;
    return breakers === undefined || (breakers.get.allows && breakers.set.allows);
  }

  get clockAheadMs(): number {
    return this.#clockAheadMs;
  }

  get(key: string, options?: CallOptions): Promise<MemcachedItem | null> {
    return this.#call('get', 'get', () => keyed(Opcode.GET, key), options, this.#readItem);
  }

  getMany(keys: readonly string[], options?: CallOptions): Promise<readonly (MemcachedItem | null)[]> {
    const found: (MemcachedItem | null)[] = keys.map(() => null);
    if (keys.length === 0) return Promise.resolve(found);
    const last = keys.length - 1;
    const requests = (): readonly WireRequest[] =>
      keys.map((key, place) => keyed(place === last ? Opcode.GET : Opcode.GET_QUIET, key));
    return this.#call('get', 'get', requests, options, (response, place) => {
      found[place] = this.#item('get', response);
      return place === last ? found : MORE;
    });
  }

  peek(key: string, options?: CallOptions): Promise<MemcachedItem | null> {
    return this.#call('none', 'get', () => keyed(Opcode.GET, key), options, this.#readItem);
  }

  assertFits(key: string, { length }: { readonly length: number }): void {
    const limit = maxValueBytes(this.#itemBytes ?? DEFAULT_ITEM_BYTES, Buffer.byteLength(key));
    if (length > limit) throw valueTooLarge(this.id, length, limit);
  }

  getAndTouch(key: string, exptime: number, options?: CallOptions): Promise<MemcachedItem | null> {
    const request = (): WireRequest => ({
      ...keyed(Opcode.GET_AND_TOUCH, key),
      extras: exptimeExtras(this.#expiry(exptime)),
    });
    return this.#call('set', 'get-and-touch', request, options, (response) =>
      this.#item('get-and-touch', response),
    );
  }

  set(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult> {
    return this.#store(Opcode.SET, 'set', key, value, options);
  }

  add(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult> {
    return this.#store(Opcode.ADD, 'add', key, value, options);
  }

  replace(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult> {
    return this.#store(Opcode.REPLACE, 'replace', key, value, options);
  }

  delete(
    key: string,
    options?: CallOptions & { readonly cas?: bigint },
  ): Promise<'deleted' | 'not-found' | 'exists'> {
    const request = (): WireRequest => ({
      ...keyed(Opcode.DELETE, key),
      cas: this.#comparable(options?.cas),
    });
    return this.#call('set', 'delete', request, options, ({ status }) => {
      if (status === Status.OK) return 'deleted';
      if (status === Status.NOT_FOUND) return 'not-found';
      if (status === Status.EXISTS) return 'exists';
      throw statusError(this.id, 'delete', status);
    });
  }

  touch(key: string, exptime: number, options?: CallOptions): Promise<'touched' | 'not-found'> {
    const request = (): WireRequest => ({
      ...keyed(Opcode.TOUCH, key),
      extras: exptimeExtras(this.#expiry(exptime)),
    });
    return this.#call('set', 'touch', request, options, ({ status }) => {
      if (status === Status.OK) return 'touched';
      if (status === Status.NOT_FOUND) return 'not-found';
      throw statusError(this.id, 'touch', status);
    });
  }

  increment(
    key: string,
    delta: bigint,
    options: CallOptions & { readonly initial: bigint; readonly exptime: number },
  ): Promise<bigint> {
    const request = (): WireRequest => ({
      ...keyed(Opcode.INCREMENT, key),
      extras: counterExtras(delta, options),
    });
    return this.#call('set', 'increment', request, options, ({ status, value }) => {
      if (status !== Status.OK) throw statusError(this.id, 'increment', status);
      if (value.length !== 8) throw this.#nonsense('increment');
      return value.readBigUInt64BE(0);
    });
  }

  version(options?: CallOptions): Promise<string> {
    return this.#call(
      'none',
      'version',
      () => bare(Opcode.VERSION),
      options,
      ({ status, value }) => {
        if (status !== Status.OK) throw statusError(this.id, 'version', status);
        return value.toString('latin1', 0, 256);
      },
    );
  }

  async stats(options?: CallOptions & { readonly group?: string }): Promise<ReadonlyMap<string, string>> {
    const request = (): WireRequest => statsRequest(options?.group ?? '');
    const stats = await this.#call('none', 'stats', request, options, this.#statsReader());
    this.#clockAheadMs = serverClockOffsetMs(stats) ?? this.#clockAheadMs;
    return stats;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        const before = this.#onIdle;
        this.#onIdle = () => {
          before?.();
          resolve();
        };
      });
    }
    this.#connection?.end();
    this.#connection = undefined;
  }

  destroy(): void {
    this.#closed = true;
    this.#connection?.fault(this.#closedError());
    this.#connection = undefined;
  }

  #store(
    opcode: Opcode,
    what: string,
    key: string,
    value: Buffer,
    options: StoreOptions,
  ): Promise<StoreResult> {
    const request = (): WireRequest => {
      const exptime = this.#expiry(options.exptime);
      const extras = storeExtras(exptime === options.exptime ? options : { ...options, exptime });
      const checked = { ...keyed(opcode, key), extras, value, cas: this.#comparable(options.cas) };
      this.assertFits(key, value);
      return checked;
    };
    const read = (response: WireResponse): StoreResult => this.#stored(what, response);
    return this.#itemBytes === undefined && value.length > SMALL_VALUE_BYTES
      ? this.#storeWhenLearned(what, request, options, read)
      : this.#call('set', what, request, options, read);
  }

  // Only before the first answer of the first connection: how large an item may be is not known yet.
  async #storeWhenLearned(
    what: string,
    request: () => WireRequest,
    options: StoreOptions,
    read: (response: WireResponse) => StoreResult,
  ): Promise<StoreResult> {
    const deadline = Deadline.of(options, this.#options.timeoutMs);
    if (this.#options.breakers?.set.allows !== false && !this.#closed) {
      this.#connected();
      await deadline.race(`${what} on memcached ${this.id}`, this.#learning);
    }
    const leftMs = deadline.remainingMs();
    const rest = { signal: options.signal, timeoutMs: Number.isFinite(leftMs) ? Math.max(1, leftMs) : 0 };
    return await this.#call('set', what, request, rest, read);
  }

  #expiry(exptime: number): number {
    return exptimeByClock(exptime, this.#clockAheadMs);
  }

  #stored(what: string, { status, cas }: WireResponse): StoreResult {
    if (status === Status.OK) return { status: 'stored', cas };
    if (status === Status.EXISTS) return { status: 'exists' };
    if (status === Status.NOT_FOUND) return { status: 'not-found' };
    throw statusError(this.id, what, status);
  }

  #item(what: string, response: WireResponse): MemcachedItem | null {
    const { status } = response;
    if (status === Status.NOT_FOUND) return null;
    if (status !== Status.OK) throw statusError(this.id, what, status);
    const { value, flags, cas } = response;
    if (flags === NO_FLAGS) throw this.#nonsense(what);
    return { value, flags, cas };
  }

  #statsReader(): (response: WireResponse) => ReadonlyMap<string, string> | typeof MORE {
    const found = new Map<string, string>();
    return ({ status, totalBodyLength, key, value }) => {
      if (status !== Status.OK) throw statusError(this.id, 'stats', status);
      if (totalBodyLength === 0) return found;
      found.set(key.toString('latin1'), value.toString('latin1'));
      if (found.size > STATS_LIMIT) throw this.#nonsense('stats');
      return MORE;
    };
  }

  #call<T>(
    gate: 'get' | 'set' | 'none',
    what: string,
    request: () => WireRequest | readonly WireRequest[],
    options: CallOptions | undefined,
    read: (response: WireResponse, place: number) => T | typeof MORE,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { signal } = options ?? {};
      if (this.#closed) throw this.#closedError();
      const wire = request();
      if (signal?.aborted === true) throw aborted(`${what} on memcached ${this.id}`, signal.reason);
      const ticket = gate === 'none' ? undefined : this.#options.breakers?.[gate].admit();
      const connection = this.#connected(ticket);
      this.#running += 1;
      const owner = this.#owner;
      const call = new PendingCall<T>({ owner, what, options, ticket, read, resolve, reject });
      connection.send('opcode' in wire ? [wire] : wire, call as PendingCall);
    });
  }

  #connected(ticket?: BreakerTicket): NodeConnection {
    try {
      this.#connection ??= this.#open();
      return this.#connection;
    } catch (error) {
      // Node refuses some TLS options only when they are used.
      ticket?.failure(error);
      throw connectError(this.id, error);
    }
  }

  #open(): NodeConnection {
    const connection = this.#connect((ended) => {
      if (this.#connection === ended) this.#connection = undefined;
    });
    connection.bodyLimit = (this.#itemBytes ?? DEFAULT_ITEM_BYTES) + BODY_MARGIN;
    if (this.#options.maxItemBytes === undefined) this.#learning = this.#learn(connection);
    return connection;
  }

  // The first request of every connection: a server that was restarted may take other sizes than before.
  #learn(connection: NodeConnection): Promise<void> {
    return new Promise((resolve) => {
      const call = new PendingCall({
        owner: { ...this.#owner, timeoutMs: 0, settled: () => undefined },
        what: 'stats',
        options: undefined,
        ticket: undefined,
        read: this.#statsReader(),
        resolve: (settings) => {
          const bytes = Number(settings.get('item_size_max'));
          this.#itemBytes =
            Number.isSafeInteger(bytes) && bytes >= 1024
              ? Math.min(bytes, LEARNED_ITEM_LIMIT)
              : DEFAULT_ITEM_BYTES;
          connection.bodyLimit = this.#itemBytes + BODY_MARGIN;
          resolve();
        },
        reject: () => resolve(),
      });
      connection.send([statsRequest('settings')], call as PendingCall);
    });
  }

  #done(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#onIdle?.();
  }

  #comparable(cas: bigint | undefined): bigint {
    if (cas === undefined) return 0n;
    if (typeof cas === 'bigint' && cas > 0n && cas <= UINT64_MAX) return cas;
    if (cas === 0n) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `memcached ${this.id} gives its items no versions to compare; start it without -C`,
        { node: this.id },
      );
    }
    throw invalidOption('cas', 'a version of an item', cas);
  }

  #nonsense(what: string): StormlampError {
    return new StormlampError(
      ErrorCode.PROTOCOL,
      `The answer to ${what} of ${this.id} is not what memcached sends`,
      { node: this.id },
    );
  }

  #closedError(): StormlampError {
    return new StormlampError(ErrorCode.CLOSED, `The client of memcached ${this.id} is closed`, {
      node: this.id,
    });
  }
}
