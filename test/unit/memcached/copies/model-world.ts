/** Memcached servers that live in memory, and processes whose requests reach them in any order, late, twice cut off, or not at all. */
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { TOMB_PREFIX } from '../../../../src/memcached/copies/copy-key.js';
import { SETTLED_HINT } from '../../../../src/memcached/copies/copy-notes.js';
import type { LivingItem } from '../../../../src/memcached/living-item.js';
import type {
  MemcachedItem,
  MemcachedNode,
  StoreOptions,
  StoreResult,
} from '../../../../src/memcached/memcached-node.js';
import type { MetadumpEntry } from '../../../../src/memcached/metadump-entry.js';
import type { TextConnection } from '../../../../src/memcached/text-connection.js';

/** Numbers that look random and come again with the same seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
}

export class ModelServer {
  readonly id: string;
  readonly items = new Map<string, MemcachedItem>();
  /** Tombstones that somebody lifted here. */
  readonly lifted = new Set<string>();
  startedAt = 1;
  #cas = 0n;

  constructor(id: string) {
    this.id = id;
  }

  put(key: string, value: Buffer, flags: number): StoreResult {
    this.#cas += 1n;
    this.items.set(key, { value, flags, cas: this.#cas });
    return { status: 'stored', cas: this.#cas };
  }

  /** Time passes: a settled hint lives for seconds. */
  settle(): void {
    for (const [key, { value }] of this.items) if (value.equals(SETTLED_HINT)) this.items.delete(key);
  }

  /** What a restart and a flush do. */
  wipe(): void {
    this.items.clear();
    this.startedAt += 100;
  }
}

/** The way from one process to one server. */
export interface Link {
  up: boolean;
  readonly queue: (() => void)[];
}

/** Decides which request arrives next. */
export class Network {
  readonly #chance: Chance;
  readonly links: Link[] = [];
  /** Told of every request that arrives. */
  trace: ((line: string) => void) | undefined;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  link(): Link {
    const link: Link = { up: true, queue: [] };
    this.links.push(link);
    return link;
  }

  /** Sends a request. On a link that is cut it is lost, or only its answer is. */
  send<T>(link: Link, node: string, what: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      link.queue.push(() => {
        const answered = link.up;
        const arrives = answered || this.#chance.below(4) === 0;
        const result = arrives ? work() : undefined;
        this.trace?.(
          `${this.links.indexOf(link)} ${node} ${what} -> ${shown(result)}${answered ? '' : ' CUT'}`,
        );
        if (answered) resolve(result as T);
        else reject(new StormlampError(ErrorCode.NODE_UNREACHABLE, 'cut', { node }));
      });
    });
  }

  /** Lets requests arrive until `work` is done; `onStep` may change the links meanwhile. */
  async drive(work: Promise<unknown>, onStep: (step: number) => void = () => undefined): Promise<void> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let step = 0; !done; step += 1) {
      if (step > 20_000) throw new Error('It never ends');
      // What an answer leads to happens before the next request arrives.
      for (let turn = 0; turn < 12; turn += 1) await null;
      if (this.links.every(({ queue }) => queue.length === 0))
        await new Promise((resolve) => setImmediate(resolve));
      const waiting = this.links.filter(({ queue }) => queue.length > 0);
      const link = waiting[this.#chance.below(Math.max(1, waiting.length))];
      if (link === undefined) continue;
      onStep(step);
      // A packet of several requests arrives as one, or in two parts.
      const count = 1 + this.#chance.below(link.queue.length);
      for (let index = 0; index < count; index += 1) link.queue.shift()?.();
    }
    await settled;
  }
}

/** A server as one process sees it. */
export class ModelNode implements MemcachedNode {
  readonly id: string;
  readonly available = true;
  readonly clockAheadMs: number = 0;
  readonly server: ModelServer;
  readonly link: Link;
  readonly #network: Network;

  constructor(server: ModelServer, network: Network) {
    this.id = server.id;
    this.server = server;
    this.link = network.link();
    this.#network = network;
  }

  get(key: string): Promise<MemcachedItem | null> {
    return this.#send(`get ${key}`, () => this.server.items.get(key) ?? null);
  }

  getMany(keys: readonly string[]): Promise<readonly (MemcachedItem | null)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  peek(key: string): Promise<MemcachedItem | null> {
    return this.get(key);
  }

  assertFits(_key: string, _value: { readonly length: number }): void {}

  getAndTouch(key: string): Promise<MemcachedItem | null> {
    return this.get(key);
  }

  set(key: string, value: Buffer, { cas, flags = 0 }: Partial<StoreOptions>): Promise<StoreResult> {
    return this.#send(`set ${key} ${value} at ${cas}`, () => {
      const item = this.server.items.get(key);
      if (cas !== undefined && item === undefined) return { status: 'not-found' };
      if (cas !== undefined && item?.cas !== cas) return { status: 'exists' };
      return this.server.put(key, value, flags);
    });
  }

  add(key: string, value: Buffer, { flags = 0 }: { flags?: number } = {}): Promise<StoreResult> {
    return this.#send(`add ${key} ${value}`, () =>
      this.server.items.has(key) ? { status: 'exists' } : this.server.put(key, value, flags),
    );
  }

  replace(key: string, value: Buffer, { flags = 0 }: { flags?: number }): Promise<StoreResult> {
    return this.#send(`replace ${key}`, () =>
      this.server.items.has(key) ? this.server.put(key, value, flags) : { status: 'not-found' },
    );
  }

  delete(key: string, options: { cas?: bigint } = {}): Promise<'deleted' | 'not-found' | 'exists'> {
    return this.#send(`delete ${key} at ${options.cas}`, () => {
      const item = this.server.items.get(key);
      if (item === undefined) return 'not-found';
      if (options.cas !== undefined && item.cas !== options.cas) return 'exists';
      this.server.items.delete(key);
      if (key.startsWith(TOMB_PREFIX)) this.server.lifted.add(item.value.toString());
      return 'deleted';
    });
  }

  touch(key: string): Promise<'touched' | 'not-found'> {
    return this.#send(`touch ${key}`, () => (this.server.items.has(key) ? 'touched' : 'not-found'));
  }

  increment(): Promise<bigint> {
    return Promise.reject(new Error('not in the model'));
  }

  version(): Promise<string> {
    return this.#send('version', () => 'model');
  }

  stats(): Promise<ReadonlyMap<string, string>> {
    return this.#send(
      'stats',
      () =>
        new Map([
          ['pid', '1'],
          ['time', String(this.server.startedAt + 10)],
          ['uptime', '10'],
          ['curr_items', String(this.server.items.size)],
        ]),
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): void {}

  /** What a resync uses of a text connection. */
  text(): TextConnection {
    const { server } = this;
    const send = <T>(what: string, work: () => T): Promise<T> => this.#send(what, work);
    const read = (key: string): LivingItem | null => {
      const item = server.items.get(key);
      return item === undefined ? null : { ...item, remainingSeconds: 100 };
    };
    const connection = {
      id: server.id,
      stats: () => Promise.resolve(new Map()),
      items: (keys: readonly string[]) => send(`items ${keys.join(' ')}`, () => keys.map(read)),
      pipeline: (
        _what: string,
        commands: string | Buffer,
        _count: number,
        answer: (line: string) => unknown,
      ) => send(`commands ${commands}`, () => metaCommands(server, commands.toString()).map(answer)),
      async *metadumpKeys(options: { prefixes?: readonly string[] }): AsyncGenerator<readonly string[]> {
        for await (const { key } of this.metadump(options)) yield [key];
      },
      async *metadump({ prefixes }: { prefixes?: readonly string[] }): AsyncGenerator<MetadumpEntry> {
        const keys = await send('metadump', () => [...server.items.keys()]);
        for (const key of keys) {
          if (prefixes?.some((prefix) => key.startsWith(prefix)) === false) continue;
          yield { key, expiresAt: -1, lastAccess: 0, cas: 0n, size: 1 };
        }
      },
      destroy: () => undefined,
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return connection as unknown as TextConnection;
  }

  #send<T>(what: string, work: () => T): Promise<T> {
    return this.#network.send(this.link, this.id, what, work);
  }
}

function shown(result: unknown): string {
  const text = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return `${value}`;
    if (value instanceof Map) return [...value];
    const bytes = (value as { type?: string; data?: number[] } | null)?.type === 'Buffer';
    return bytes ? Buffer.from((value as { data: number[] }).data).toString() : value;
  };
  return JSON.stringify(result, text) ?? '';
}

function metaCommands(server: ModelServer, text: string): string[] {
  const lines = text.split('\r\n');
  const answers: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const [command, key = '', ...rest] = (lines[at] ?? '').split(' ');
    if (command === 'ms') {
      at += 1;
      if (server.items.has(key)) answers.push('NS');
      else {
        const flags = Number(rest.find((word) => word.startsWith('F'))?.slice(1));
        const stored = server.put(key, Buffer.from(lines[at] ?? ''), flags);
        answers.push(stored.status === 'stored' ? `HD c${stored.cas}` : 'NS');
      }
    } else if (command === 'mg') {
      const item = server.items.get(key);
      answers.push(item === undefined ? 'EN' : rest.includes('c') ? `HD c${item.cas}` : 'HD');
    } else if (command === 'md') {
      const cas = BigInt(rest.find((word) => word.startsWith('C'))?.slice(1) ?? '0');
      const same = server.items.get(key)?.cas === cas;
      if (same) server.items.delete(key);
      answers.push(same ? 'HD' : 'NF');
    }
  }
  return answers;
}
