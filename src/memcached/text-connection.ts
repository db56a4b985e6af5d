/**
 * A short-lived connection of memcached's text protocol, for what the binary one cannot say: which items there are, and how
 * long each still lives. One command at a time; whoever opened it closes it soon.
 */
import type { Socket } from 'node:net';
import { pause } from '../common/backoff.js';
import { type CallOptions, Deadline } from '../common/deadline.js';
import { type NodeId, nodeIdOf } from '../common/node-address.js';
import { resetSocket } from '../common/reset-socket.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { connectError } from './connect-error.js';
import { dialNode } from './dial-node.js';
import { foreignPeer } from './foreign-peer.js';
import { DEFAULT_ITEM_BYTES } from './item-size.js';
import { type ItemHead, itemHead, type LivingItem, livingItem } from './living-item.js';
import { assertKey } from './memcached-key.js';
import { type MemcachedNodeOptions, resolveMemcachedNodeOptions } from './memcached-node-options.js';
import { keysOf, type MetadumpEntry, parseMetadumpKey, parseMetadumpLine } from './metadump-entry.js';
import { readAhead } from './read-ahead.js';
import { TextInput, TextInputEnd } from './text-input.js';

/** How a text connection is opened: as its node, without what only the binary protocol has. */
export type TextConnectionOptions = Pick<
  MemcachedNodeOptions,
  'address' | 'id' | 'timeoutMs' | 'connectTimeoutMs' | 'tls' | 'maxItemBytes'
>;

/** Which items a dump names. */
export interface MetadumpOptions extends CallOptions {
  /** Only keys that begin with one of these. Default: all. */
  readonly prefixes?: readonly string[];
}

/** What a reader of lines gives when there are more to come. */
export const MORE: unique symbol = Symbol('more lines');

const STATS_LIMIT = 10_000;
/** How long somebody else's dump is waited for, and how often is asked whether it is over. */
const DUMP_PATIENCE_MS = 10_000;
const DUMP_AGAIN_MS = 50;

/** An open text connection. */
export class TextConnection implements AsyncDisposable {
  /** The node's name. */
  readonly id: NodeId;
  readonly #socket: Socket;
  readonly #input: TextInput;
  readonly #timeoutMs: number;
  readonly #maxItemBytes: number;
  #busy = false;

  private constructor(id: NodeId, socket: Socket, timeoutMs: number, maxItemBytes: number) {
    this.id = id;
    this.#socket = socket;
    this.#input = new TextInput(socket);
    this.#timeoutMs = timeoutMs;
    this.#maxItemBytes = maxItemBytes;
  }

  /**
   * Connects, and makes sure that a memcached with the text protocol answers.
   *
   * @throws StormlampError `ERR_NODE_UNREACHABLE`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_PROTOCOL`; `ERR_UNSUPPORTED` when the
   * server only speaks the binary protocol, as one with SASL does; `ERR_INVALID_OPTION`.
   */
  static async open(options: TextConnectionOptions, call?: CallOptions): Promise<TextConnection> {
    const { address, tls, timeoutMs, connectTimeoutMs, maxItemBytes } = resolveMemcachedNodeOptions(options);
    const id = options.id ?? nodeIdOf(address);
    const deadline = Deadline.of(call, 0).within(connectTimeoutMs);
    const socket = await connected(id, deadline, (ready) => dialNode({ address, tls }, ready));
    const connection = new TextConnection(id, socket, timeoutMs, maxItemBytes ?? DEFAULT_ITEM_BYTES);
    try {
      await connection.#greet(deadline);
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** The server's statistics: the general ones, or those of `group`. */
  async stats(options: CallOptions & { readonly group?: string } = {}): Promise<ReadonlyMap<string, string>> {
    const { group } = options;
    if (group !== undefined) assertKey(group);
    const found = new Map<string, string>();
    const read = (line: string): ReadonlyMap<string, string> | typeof MORE | undefined => {
      if (line === 'END' || line === 'RESET') return found;
      const match = /^STAT ([^ ]+) ?(.*)$/.exec(line);
      if (match === null || found.size >= STATS_LIMIT) return undefined;
      found.set(match[1] ?? '', match[2] ?? '');
      return MORE;
    };
    return await this.lines('stats', group === undefined ? 'stats\r\n' : `stats ${group}\r\n`, read, options);
  }

  /**
   * Items with the time that each still lives, in the order of `keys`; null is a miss. Sent as one pipeline.
   * Reading them counts as a use, as any read does.
   */
  async items(keys: readonly string[], options: CallOptions = {}): Promise<readonly (LivingItem | null)[]> {
    for (const key of keys) assertKey(key);
    if (keys.length === 0) return [];
    return await this.#exclusive('reading items', options, async (deadline) => {
      this.#write(keys.map((key) => `mg ${key} v t f c\r\n`).join(''));
      const found: (LivingItem | null)[] = [];
      for (const _key of keys) {
        const line = this.#input.lineAtHand() ?? (await this.#line('reading items', deadline));
        const item = this.#itemAtHand(line);
        found.push(item === undefined ? await this.#item(line, deadline) : item);
      }
      return found;
    });
  }

  /**
   * Sends commands that are answered by one line each, as one pipeline, and gives every answer to `read`, in order.
   *
   * @param read makes something of an answer; undefined is an answer that memcached does not give
   */
  async pipeline<T>(
    what: string,
    commands: string | Buffer,
    count: number,
    read: (line: string) => T | undefined,
    options: CallOptions = {},
  ): Promise<readonly T[]> {
    if (count === 0) return [];
    return await this.#exclusive(what, options, async (deadline) => {
      this.#socket.write(commands);
      const found: T[] = [];
      for (let index = 0; index < count; index += 1) {
        const text = (this.#input.lineAtHand() ?? (await this.#line(what, deadline))).toString('latin1');
        const answer = read(text);
        if (answer === undefined) throw this.#refusal(what, text);
        found.push(answer);
      }
      return found;
    });
  }

  /**
   * Sends commands as one pipeline, and gives every line of their answers to `read` until it has what they say together.
   *
   * @param read undefined is a line that memcached does not send
   */
  async lines<T>(
    what: string,
    commands: string,
    read: (line: string) => T | typeof MORE | undefined,
    options: CallOptions = {},
  ): Promise<T> {
    return await this.#exclusive(what, options, async (deadline) => {
      this.#write(commands);
      for (;;) {
        const line = (this.#input.lineAtHand() ?? (await this.#line(what, deadline))).toString('latin1');
        const said = read(line);
        if (said === undefined) throw this.#refusal(what, line);
        if (said !== MORE) return said;
      }
    });
  }

  /**
   * Every item that the server holds, value left out, in no order; what is stored or removed meanwhile may or may not be named.
   * The server makes one dump at a time: read on, and close the connection when you stop before the end.
   * Items whose keys are no text, and so not ours, are left out.
   *
   * @throws StormlampError `ERR_MEMCACHED` when another dump is still being made after 10 seconds, `ERR_UNSUPPORTED` when the server was
   * started with dumps forbidden (`-X`) or without its crawler.
   */
  async *metadump(options: MetadumpOptions = {}): AsyncGenerator<MetadumpEntry, void, void> {
    for await (const entries of this.#dump(options, parseMetadumpLine)) yield* entries;
  }

  /** The keys of {@link TextConnection.metadump}, as many at a time as have arrived; the dump is read on meanwhile. Errors: as there. */
  metadumpKeys(options: MetadumpOptions = {}): AsyncGenerator<readonly string[], void, void> {
    return readAhead(keysOf(this.#dump(options, parseMetadumpKey)));
  }

  async *#dump<T extends { readonly key: string }>(
    options: MetadumpOptions,
    parse: (line: string) => T | 'foreign' | undefined,
  ): AsyncGenerator<readonly T[], void, void> {
    const { prefixes } = options;
    const leave = this.#enter();
    let finished = false;
    try {
      for (const mode of ['hash', 'all']) {
        const first = await this.#dumpStart(mode, options);
        // Very old servers walk their queues only.
        if (first === undefined) continue;
        let entries: T[] = [];
        for (let line = first; line !== 'END'; ) {
          const entry = parse(line);
          if (entry === undefined) throw this.#refusal('metadump', line);
          if (entry !== 'foreign' && prefixes?.some((prefix) => entry.key.startsWith(prefix)) !== false)
            entries.push(entry);
          const next = options.signal?.aborted === true ? undefined : this.#input.lineAtHand();
          if (next === undefined && entries.length > 0) {
            yield entries;
            entries = [];
          }
          line = next?.toString('latin1') ?? (await this.#dumpLine(options));
        }
        if (entries.length > 0) yield entries;
        finished = true;
        return;
      }
      throw this.#refusal('metadump', 'ERROR');
    } catch (error) {
      throw this.#explained('metadump', error);
    } finally {
      leave();
      // The server would go on sending the dump that nobody reads.
      if (!finished) this.destroy();
    }
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.end('quit\r\n');
      this.#socket.destroySoon();
    });
  }

  /** The same as {@link TextConnection.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Closes at once; what is under way fails with `ERR_CLOSED`. */
  destroy(): void {
    this.#input.fail(
      new StormlampError(ErrorCode.CLOSED, `The text connection to memcached ${this.id} is closed`, {
        node: this.id,
      }),
    );
    resetSocket(this.#socket);
  }

  // Three times, because a server that only knows the binary protocol waits for 24 bytes before it hangs up.
  async #greet(deadline: Deadline): Promise<void> {
    await this.#exclusive('version', deadline, async () => {
      this.#write('version\r\n'.repeat(3));
      for (let count = 0; count < 3; count += 1) {
        const line = await this.#greeting(deadline);
        if (!line.subarray(0, 8).equals(Buffer.from('VERSION '))) throw this.#foreign(line);
      }
    });
  }

  async #greeting(deadline: Deadline): Promise<Buffer> {
    try {
      return await this.#input.line(`version on memcached ${this.id}`, deadline.within(this.#timeoutMs));
    } catch (error) {
      if (!(error instanceof TextInputEnd)) throw error;
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `memcached ${this.id} closed the connection of the text protocol: it only speaks the binary one, as with SASL (-S); what needs the text protocol, like refilling a restarted node, is not available there`,
        { cause: error, node: this.id },
      );
    }
  }

  #foreign(line: Buffer): StormlampError {
    const peer = foreignPeer(line);
    return new StormlampError(
      ErrorCode.PROTOCOL,
      `The server at ${this.id} does not look like memcached${peer === undefined ? '' : `: it answers like ${peer}`}; check the port`,
      { node: this.id },
    );
  }

  // Most answers are here as a whole: nothing has to be waited for, nor copied.
  #itemAtHand(line: Buffer): LivingItem | null | undefined {
    if (line.length === 2 && line.toString('latin1') === 'EN') return null;
    const head = this.#itemHead(line);
    const bytes = this.#input.takeAtHand(head.length + 2);
    return bytes === undefined ? undefined : livingItem(head, bytes);
  }

  async #item(line: Buffer, deadline: Deadline): Promise<LivingItem> {
    const head = this.#itemHead(line);
    const within = deadline.within(this.#timeoutMs);
    return livingItem(head, await this.#input.take(head.length + 2, 'reading items', within));
  }

  #itemHead(line: Buffer): ItemHead {
    const text = line.toString('latin1');
    const head = itemHead(text);
    if (head === undefined || head.length > this.#maxItemBytes) throw this.#refusal('reading items', text);
    return head;
  }

  // Another process may be listing the keys of the same server, to bring another node up to date.
  async #dumpStart(mode: string, options: CallOptions): Promise<string | undefined> {
    const patience = Deadline.of(options).within(DUMP_PATIENCE_MS);
    let line: string;
    for (;;) {
      this.#write(`lru_crawler metadump ${mode}\r\n`);
      line = await this.#dumpLine(options);
      if (line === 'OK') line = await this.#dumpLine(options);
      // While another one dumps, or its table of items grows.
      if (!/^(BUSY|ERROR locked)/.test(line) || patience.remainingMs() === 0) break;
      await pause(DUMP_AGAIN_MS, options.signal);
    }
    if (line === 'ERROR' || line.startsWith('BADCLASS')) return undefined;
    return line;
  }

  // The silence between two lines is limited, not the whole dump, unless the caller does it by its signal.
  async #dumpLine(options: CallOptions): Promise<string> {
    const line = this.#input.lineAtHand();
    if (line !== undefined && options.signal?.aborted !== true) return line.toString('latin1');
    const deadline = Deadline.of(options, this.#timeoutMs);
    deadline.check(`metadump on memcached ${this.id}`);
    return (await this.#input.line(`metadump on memcached ${this.id}`, deadline)).toString('latin1');
  }

  async #line(what: string, deadline: Deadline): Promise<Buffer> {
    return await this.#input.line(`${what} on memcached ${this.id}`, deadline.within(this.#timeoutMs));
  }

  #write(text: string): void {
    this.#socket.write(text);
  }

  async #exclusive<T>(
    what: string,
    call: CallOptions | Deadline,
    work: (deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const leave = this.#enter();
    try {
      const deadline = call instanceof Deadline ? call : Deadline.of(call, 0);
      deadline.check(`${what} on memcached ${this.id}`);
      return await work(deadline);
    } catch (error) {
      // Whatever is still to come belongs to a question that nobody asks any more.
      this.destroy();
      throw this.#explained(what, error);
    } finally {
      leave();
    }
  }

  #enter(): () => void {
    if (this.#busy) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `The text connection to memcached ${this.id} does one command at a time; open another one`,
        { node: this.id },
      );
    }
    this.#busy = true;
    return () => {
      this.#busy = false;
    };
  }

  #refusal(what: string, line: string): StormlampError {
    const text = line.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');
    const forbidden = /not allowed|disabled/.test(line);
    const known = /^(ERROR|CLIENT_ERROR|SERVER_ERROR|BUSY|BADCLASS)/.test(line);
    // A line that is no known refusal may hold a key: it is not shown.
    return new StormlampError(
      forbidden ? ErrorCode.UNSUPPORTED : known ? ErrorCode.MEMCACHED : ErrorCode.PROTOCOL,
      known
        ? `memcached ${this.id} refused ${what}: ${text}`
        : `The answer to ${what} of ${this.id} is not what memcached sends`,
      { node: this.id },
    );
  }

  #explained(what: string, error: unknown): unknown {
    if (isStormlampError(error)) return error;
    const code = error instanceof RangeError ? ErrorCode.PROTOCOL : ErrorCode.NODE_UNREACHABLE;
    return new StormlampError(code, `${what} on memcached ${this.id} failed: ${describeError(error)}`, {
      cause: error,
      node: this.id,
    });
  }
}

function connected(id: NodeId, deadline: Deadline, dial: (ready: () => void) => Socket): Promise<Socket> {
  let socket: Socket | undefined;
  const attempt = new Promise<Socket>((resolve, reject) => {
    const dialled = dial(() => resolve(dialled));
    socket = dialled;
    dialled.on('error', reject);
  });
  return deadline.race(`Connecting to memcached ${id}`, attempt).catch((error: unknown) => {
    socket?.destroy();
    throw connectError(id, error);
  });
}
