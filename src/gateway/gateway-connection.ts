/**
 * One client: reads its requests, does them, and answers in their order. Reads that follow each other run side by side; a
 * change waits for everything before it and holds back everything after it, so that what a client sent first happens first.
 */
import type { Socket } from 'node:net';
import { BinaryReader } from './binary-reader.js';
import type { GatewayCounters } from './gateway-counters.js';
import type { GatewayRequest, ReaderLimits, RequestReader } from './gateway-request.js';
import { InputBuffer } from './input-buffer.js';
import { type GatewayItems, type ItemAnswer, type ItemCommand, isRead } from './item-command.js';
import { failureAnswer } from './request-failure.js';
import { TextReader } from './text-reader.js';

/** What a connection gets from its gateway. */
export interface ConnectionContext {
  /** The store. */
  readonly items: GatewayItems;
  /** Limits of requests. */
  readonly limits: ReaderLimits;
  /** How long a request may take to arrive, and answers to be read, in milliseconds; 0 is no limit. */
  readonly stallTimeoutMs: number;
  /** How long a client may say nothing between requests; 0 is no limit. */
  readonly idleTimeoutMs: number;
  /** Figures of the gateway. */
  readonly counters: GatewayCounters;
  /** The gateway's figures of a group; undefined when there is no such group. */
  stats(group: string): ReadonlyMap<string, string> | undefined;
  /** Whether these are the right credentials. */
  login(username: string, password: string): boolean;
  /** The client was at fault, and its connection is closed. */
  onFault(connection: GatewayConnection, reason: string): void;
}

type ItemsRequest = GatewayRequest & { readonly kind: 'items' };
interface Step {
  readonly request: ItemsRequest;
  readonly command: ItemCommand;
  readonly last: boolean;
}

const BINARY_MAGIC = 0x80;
/** Reads that run side by side for one client. */
const WINDOW = 32;
/** Input beyond this is not taken from the socket while requests wait. */
const INPUT_HIGH_WATER = 256 * 1024;
/** How long a connection that is over still takes input. */
const LINGER_MS = 2_000;

/** A client's connection. */
export class GatewayConnection {
  /** Where the client is, for people. */
  readonly peer: string;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #input = new InputBuffer();
  #reader: RequestReader | undefined;
  #busy = false;
  #draining = false;
  #ended = false;
  #onDrain: (() => void) | undefined;
  #held: GatewayRequest | undefined;
  #output: Buffer[] = [];
  /** When the request that is not whole yet was begun; 0 when there is none. */
  #begunAt = 0;
  #armedMs = -1;
  readonly #broken = new WeakSet<ItemsRequest>();

  /** Takes over the socket. */
  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.peer = socket.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // The client sends no more; what it sent is answered.
    socket.on('end', () => this.drain());
    socket.on('drain', () => this.#onDrain?.());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      this.#onDrain?.();
      this.#context.items.gone(this);
    });
    socket.on('timeout', () => this.#stalled());
    this.#arm();
  }

  /** Answers the whole requests that are here, then closes. */
  drain(): void {
    this.#draining = true;
    if (!this.#busy) this.#end();
  }

  /** Closes now. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
    this.#onDrain?.();
  }

  #received(chunk: Buffer): void {
    // Whoever sends byte by byte is never silent, and never done.
    if (this.#begunAt > 0 && this.#late()) this.#stalled();
    if (this.#ended) return;
    this.#context.counters.bytesRead += chunk.length;
    this.#input.push(chunk);
    if (this.#input.size > INPUT_HIGH_WATER && this.#busy) this.#socket.pause();
    if (!this.#busy) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    try {
      while (!this.#ended) {
        const request = this.#next();
        if (request === undefined) break;
        if (request.kind === 'items') await this.#run(request);
        else this.#reply(request);
        if (!this.#flush()) await this.#drained();
      }
    } catch (error) {
      // Nothing above rejects; if it does it is our defect, and this client must not take others with it.
      this.#fault(`an internal error: ${String(error)}`);
    } finally {
      this.#busy = false;
    }
    if (this.#ended) return;
    if (this.#draining) this.#end();
    else {
      this.#socket.resume();
      this.#arm();
    }
  }

  #next(): GatewayRequest | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) return held;
    if (this.#input.size === 0) return undefined;
    this.#reader ??= this.#choose();
    const request = this.#reader.next();
    if (request !== undefined) this.#begunAt = 0;
    return request;
  }

  // As memcached does: the first byte of a connection tells its protocol.
  #choose(): RequestReader {
    const { limits } = this.#context;
    // Only the binary protocol has a login, so a client that must log in can speak no other.
    return this.#input.byte(0) === BINARY_MAGIC || limits.login
      ? new BinaryReader(this.#input, limits)
      : new TextReader(this.#input, limits);
  }

  async #run(request: ItemsRequest): Promise<void> {
    const first = request.commands[0];
    if (request.commands.length === 1 && first !== undefined && !isRead(first)) {
      this.#answer({ request, command: first, last: true }, await this.#execute(first));
      return;
    }
    const reads = request.commands.every(isRead);
    const steps = reads ? this.#readsFrom(request) : stepsOf(request);
    const width = reads ? WINDOW : 1;
    for (let at = 0; at < steps.length && !this.#ended; at += width) {
      const window = steps.slice(at, at + width);
      const answers = reads ? await this.#executeReads(window) : await this.#executeEach(window);
      for (const [index, step] of window.entries()) {
        const answer = answers[index];
        if (answer !== undefined && !this.#broken.has(step.request)) this.#answer(step, answer);
      }
      if (!this.#flush()) await this.#drained();
    }
  }

  /** The request's commands, and those of the reads right behind it. */
  #readsFrom(request: ItemsRequest): Step[] {
    const steps = stepsOf(request);
    while (steps.length < WINDOW) {
      const next = this.#next();
      if (next === undefined) break;
      if (next.kind !== 'items' || !next.commands.every(isRead)) {
        this.#held = next;
        break;
      }
      steps.push(...stepsOf(next));
    }
    return steps;
  }

  #executeEach(window: readonly Step[]): Promise<readonly ItemAnswer[]> {
    return Promise.all(window.map(({ command }) => this.#execute(command)));
  }

  async #executeReads(window: readonly Step[]): Promise<readonly ItemAnswer[]> {
    const [only] = window;
    if (window.length === 1 && only !== undefined) return [await this.#execute(only.command)];
    const { counters, items } = this.#context;
    counters.commands += window.length;
    const results = await items.executeReads(window.map(({ command }) => command));
    return results.map((result) =>
      result.status === 'fulfilled' ? result.value : this.#failed(result.reason),
    );
  }

  async #execute(command: ItemCommand): Promise<ItemAnswer> {
    const { counters, items } = this.#context;
    counters.commands += 1;
    try {
      return await items.execute(command, this);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): ItemAnswer {
    this.#context.counters.failures += 1;
    return failureAnswer(error);
  }

  #answer({ request, command, last }: Step, answer: ItemAnswer): void {
    const bytes = request.encode(answer, command);
    if (bytes !== undefined) this.#output.push(bytes);
    // The rest of a request that was answered with an error would be taken for the answer to the next one.
    if (answer.status === 'failed' || answer.status === 'invalid') this.#broken.add(request);
    else if (last && request.end !== undefined) this.#output.push(request.end);
  }

  #reply(request: Exclude<GatewayRequest, ItemsRequest>): void {
    const context = this.#context;
    switch (request.kind) {
      case 'plain':
        if (request.answer !== undefined) this.#output.push(request.answer);
        return;
      case 'stats':
        this.#output.push(request.encode(context.stats(request.group)));
        return;
      case 'login': {
        const accepted = context.login(request.username, request.password);
        this.#output.push(request.encode(accepted));
        if (accepted && this.#reader instanceof BinaryReader) this.#reader.admit();
        else this.#fault('wrong credentials');
        return;
      }
      case 'end':
        if (request.answer !== undefined) this.#output.push(request.answer);
        if (request.fault === undefined) this.#end();
        else this.#fault(request.fault);
        return;
      default:
        request satisfies never;
    }
  }

  /** Writes what is to be answered; false when the client reads too slowly. */
  #flush(): boolean {
    const output = this.#output;
    if (output.length === 0 || this.#socket.destroyed) return true;
    this.#output = [];
    const bytes = output.length === 1 && output[0] !== undefined ? output[0] : Buffer.concat(output);
    this.#context.counters.bytesWritten += bytes.length;
    return this.#socket.write(bytes);
  }

  async #drained(): Promise<void> {
    if (this.#ended || this.#socket.destroyed || !this.#socket.writableNeedDrain) return;
    this.#socket.pause();
    this.#setTimeout(this.#context.stallTimeoutMs);
    await new Promise<void>((resolve) => {
      this.#onDrain = resolve;
    });
    this.#onDrain = undefined;
  }

  // One timer, for whatever the client owes: the rest of a request, the next request, or the reading of an answer.
  #arm(): void {
    const { stallTimeoutMs, idleTimeoutMs } = this.#context;
    const midway = this.#reader?.midway ?? this.#input.size > 0;
    if (!midway) this.#begunAt = 0;
    else if (this.#begunAt === 0) this.#begunAt = performance.now();
    this.#setTimeout(midway ? stallTimeoutMs : idleTimeoutMs);
  }

  // Whatever is sent or received begins it anew.
  #setTimeout(ms: number): void {
    if (ms === this.#armedMs) return;
    this.#armedMs = ms;
    this.#socket.setTimeout(ms);
  }

  #late(): boolean {
    const { stallTimeoutMs } = this.#context;
    return stallTimeoutMs > 0 && !this.#busy && performance.now() - this.#begunAt > stallTimeoutMs;
  }

  #stalled(): void {
    if (this.#onDrain !== undefined) this.#fault('its answers were not read in time', true);
    else if (this.#busy) return;
    else if (this.#begunAt > 0) this.#fault('a request did not arrive in time', true);
    else this.#end();
  }

  #fault(reason: string, now = false): void {
    if (this.#ended) return;
    this.#context.onFault(this, reason);
    if (now) this.destroy();
    else this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#flush();
    this.#socket.end();
    // Input is still read and thrown away, or the last answer would be lost in a reset; but not for long.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

function stepsOf(request: ItemsRequest): Step[] {
  const { commands } = request;
  return commands.map((command, index) => ({ request, command, last: index === commands.length - 1 }));
}
