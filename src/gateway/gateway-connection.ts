/**
 * One client: reads its requests, does them, and answers in their order. Reads that follow each other run side by side; a
 * change waits for everything before it and holds back everything after it, so that what a client sent first happens first.
 */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { UnreadClient } from './answer-room.js';
import { BinaryReader } from './binary-reader.js';
import { ClientOutput } from './client-output.js';
import { type ItemsRequest, readsOnly, type Step, stepsOf } from './command-steps.js';
import type { ConnectionContext } from './connection-context.js';
import type { GatewayRequest, RequestReader } from './gateway-request.js';
import { InputBuffer } from './input-buffer.js';
import type { ItemAnswer, ItemCommand } from './item-command.js';
import { failureAnswer } from './request-failure.js';
import { TextReader } from './text-reader.js';

const BINARY_MAGIC = 0x80;
/** Reads that run side by side for one client, unless their answers could be larger than this together. */
const WINDOW = 32;
const WINDOW_BYTES = 32 * 1_048_576;
/** Items that are still looked up for a client that has closed its side: it may wait for answers, or be gone without a trace. */
const READS_AFTER_END = 4_096;
/** Requests that are answered before others have their turn. */
const REQUESTS_AT_ONCE = 32;
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
  #held: GatewayRequest | undefined;
  readonly #output: ClientOutput;
  /** When the request that is not whole yet was begun; 0 when there is none. */
  #begunAt = 0;
  /** Counts what is here of that request. */
  #half: UnreadClient | undefined;
  /** When bytes were received last, or the client began to read too slowly. */
  #movedAt: number;
  #armedMs = -1;
  #cancelLoginTimer: (() => void) | undefined;
  #readsLeft = Number.POSITIVE_INFINITY;
  /** Whether there was a window of reads since the connection had nothing to do. */
  #greedy = false;
  readonly #broken = new WeakSet<ItemsRequest>();

  /** Takes over the socket. */
  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#movedAt = context.clock.now();
    this.peer = socket.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
    this.#output = new ClientOutput(socket, {
      room: context.room,
      onWritten: (bytes) => {
        context.counters.bytesWritten += bytes;
      },
      onSlow: () => {
        this.#movedAt = context.clock.now();
        this.#setTimeout(context.stallTimeoutMs);
        return this.#movedAt;
      },
      giveUp: () =>
        this.#fault('it did not read its answers, and there was no room for those of others', true),
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // The client sends no more; what it sent is answered.
    socket.on('end', () => {
      this.#readsLeft = READS_AFTER_END;
      this.#context.items.hungUp(this);
      this.drain();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      this.#cancelLoginTimer?.();
      this.#forgetHalf();
      this.#context.items.gone(this);
    });
    socket.on('timeout', () => this.#silent());
    const { clock, limits, stallTimeoutMs } = context;
    // Whatever it says meanwhile: who does not log in holds a place that somebody else may need.
    if (limits.login && stallTimeoutMs > 0)
      this.#cancelLoginTimer = clock.after(stallTimeoutMs, () =>
        this.#fault('it did not log in in time', true),
      );
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
    this.#output.stop();
  }

  #received(chunk: Buffer): void {
    // Whoever sends byte by byte is never silent, and never done.
    if (this.#begunAt > 0 && this.#late()) this.#stalled();
    this.#forgetHalf();
    if (this.#ended) return;
    this.#movedAt = this.#context.clock.now();
    this.#context.counters.bytesRead += chunk.length;
    this.#input.push(chunk);
    if (this.#input.size > INPUT_HIGH_WATER && this.#busy) this.#socket.pause();
    if (!this.#busy) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    this.#greedy = false;
    try {
      for (let count = 1; !this.#ended; count += 1) {
        const request = this.#next();
        if (request === undefined) break;
        if (request.kind === 'items') await this.#run(request);
        else this.#reply(request);
        await this.#output.deliver();
        if (count % REQUESTS_AT_ONCE === 0) await nextTurn();
        this.#refill();
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
    const reads = readsOnly(request);
    const steps = reads ? this.#readsFrom(request) : stepsOf(request);
    for (;;) {
      const window = this.#windowOf(steps, reads ? this.#width : 1);
      if (window.length === 0 || this.#ended) return;
      const { items, room, limits } = this.#context;
      // One session is for everybody at once, whatever others have asked for, unless a single one may be as large as many.
      const many = window.length > 1 || (reads && this.#width === 1);
      const most = many ? window.length * limits.maxValueBytes : 0;
      if (most > 0) await room.enter(most);
      let delivered: Promise<void>;
      try {
        if (this.#ended) return;
        const answers = await this.#answersOf(window, reads);
        for (const [index, step] of window.entries()) {
          const answer = answers[index];
          if (this.#broken.has(step.request)) items.unseen(step.command, this);
          else if (answer !== undefined) this.#answer(step, answer);
        }
        // What is not read at once is counted from here on.
        delivered = this.#output.deliver();
      } finally {
        room.leave(most);
      }
      await delivered;
      this.#refill();
    }
  }

  get #width(): number {
    return Math.max(1, Math.min(WINDOW, Math.floor(WINDOW_BYTES / this.#context.limits.maxValueBytes)));
  }

  // What is at the end of the input is seen only while it is read: also that the client is gone.
  #refill(): void {
    if (!this.#ended && this.#input.size <= INPUT_HIGH_WATER) this.#socket.resume();
  }

  /** The commands of a request of reads, and those of the reads right behind it. */
  *#readsFrom(request: ItemsRequest): Generator<Step> {
    let current: GatewayRequest | undefined = request;
    while (current !== undefined) {
      if (current.kind !== 'items' || !readsOnly(current)) {
        this.#held = current;
        return;
      }
      yield* stepsOf(current);
      current = this.#next();
    }
  }

  #windowOf(steps: Generator<Step>, width: number): Step[] {
    const window: Step[] = [];
    while (window.length < width) {
      const { value, done } = steps.next();
      if (done === true) break;
      if (this.#broken.has(value.request)) this.#context.items.unseen(value.command, this);
      else window.push(value);
    }
    return window;
  }

  /** Does a window of commands; nothing when the client is gone before its turn comes. */
  async #answersOf(window: readonly Step[], reads: boolean): Promise<readonly ItemAnswer[]> {
    if (!reads && window.every(({ last }) => last)) return this.#executeEach(window);
    if (this.#readsLeft <= 0) {
      this.#end();
      return [];
    }
    this.#readsLeft -= window.length;
    // The first window is everybody's; who goes on waits behind the others, and for the network once more.
    if (!this.#greedy) {
      this.#greedy = true;
      return reads ? this.#executeReads(window) : this.#executeEach(window);
    }
    await nextTurn();
    const { turns } = this.#context;
    await turns.take();
    try {
      if (this.#ended) return [];
      return await (reads ? this.#executeReads(window) : this.#executeEach(window));
    } finally {
      turns.give();
    }
  }

  #executeEach(window: readonly Step[]): Promise<readonly ItemAnswer[]> {
    return Promise.all(window.map(({ command }) => this.#execute(command)));
  }

  async #executeReads(window: readonly Step[]): Promise<readonly ItemAnswer[]> {
    const [only] = window;
    if (window.length === 1 && only !== undefined) return [await this.#execute(only.command)];
    const { counters, items } = this.#context;
    counters.commands += window.length;
    const results = await items.executeReads(
      window.map(({ command }) => command),
      this,
    );
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
        this.#cancelLoginTimer?.();
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

  // One timer, for whatever the client owes: the rest of a request, the next request, or the reading of an answer.
  #arm(): void {
    const { stallTimeoutMs, idleTimeoutMs } = this.#context;
    this.#movedAt = this.#context.clock.now();
    const midway = this.#reader?.midway ?? this.#input.size > 0;
    if (!midway) this.#begunAt = 0;
    else if (this.#begunAt === 0) this.#begunAt = this.#movedAt;
    if (midway) this.#countHalf(this.#movedAt);
    this.#setTimeout(midway ? stallTimeoutMs : idleTimeoutMs);
  }

  #countHalf(since: number): void {
    const giveUp = (): void =>
      this.#fault('the rest of its request did not come, and there was no room for those of others', true);
    this.#half = { since, giveUp };
    this.#context.requests.wait(this.#half, this.#input.capacity);
  }

  #forgetHalf(): void {
    if (this.#half !== undefined) this.#context.requests.read(this.#half);
    this.#half = undefined;
  }

  // Whatever is sent or received begins it anew.
  #setTimeout(ms: number): void {
    if (ms === this.#armedMs) return;
    this.#armedMs = ms;
    this.#socket.setTimeout(ms);
  }

  #late(): boolean {
    const { stallTimeoutMs } = this.#context;
    return stallTimeoutMs > 0 && !this.#busy && this.#context.clock.now() - this.#begunAt > stallTimeoutMs;
  }

  #silent(): void {
    const left = this.#armedMs - (this.#context.clock.now() - this.#movedAt);
    // The rest of it nobody listened: what the client sent, or read, is yet to be seen.
    if (left >= 1) this.#socket.setTimeout(left);
    else this.#stalled();
  }

  #stalled(): void {
    if (this.#output.waits) this.#fault('its answers were not read in time', true);
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
    this.#output.finish();
    this.#socket.end();
    // Input is still read and thrown away, or the last answer would be lost in a reset; but not for long.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}
