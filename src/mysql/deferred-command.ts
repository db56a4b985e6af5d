/** What the callback API returns at once, before a connection is known: it becomes mysql2's own command later. */
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import type { FieldPacket, Query } from 'mysql2';

import { describeError } from '../common/stormlamp-error.js';
import type { Statement } from './statement.js';

/** Options of mysql2's `stream()`. */
type StreamOptions = Parameters<Query['stream']>[0];

/** After so long a stream that nobody reads is given up once its connection was released, in milliseconds. */
export const UNREAD_MS = 30_000;

/**
 * Stands for mysql2's `Query` until one exists. It has the events `fields`, `result`, `error` and `end`,
 * and {@link DeferredCommand.stream}.
 */
export class DeferredCommand extends EventEmitter {
  /** The text of the statement, with its values put in unless it is prepared. */
  readonly sql: string;
  /** The values that the statement was given. */
  readonly values: unknown;
  /** What is told, is told in the context of the call: the connection was opened in that of somebody else. */
  readonly #caller = new AsyncResource('STORMLAMP_COMMAND');
  /** Called when a stream was given up before its end, so that the rest of the rows need not be read. */
  onAbandoned: (() => void) | undefined;
  /** Whether anything that the server sent has reached the caller. */
  delivered = false;
  #stream: Readable | undefined;
  #source: Readable | undefined;
  #ended = false;

  /** Makes the stand-in for `statement`, which was given `values`. */
  constructor({ form }: Statement, values?: unknown) {
    super();
    this.sql = typeof form === 'string' ? form : form.sql;
    this.values = values;
  }

  override emit(event: string, ...args: unknown[]): boolean {
    return this.#caller.runInAsyncScope(() => super.emit(event, ...args));
  }

  /** The rows as a stream of objects; reading slowly slows the server down. */
  stream(options?: StreamOptions): Readable {
    if (this.#stream !== undefined) return this.#stream;
    const stream = new Readable({
      ...options,
      objectMode: true,
      read: () => {
        this.#source?.resume();
      },
      destroy: (error, done) => {
        this.#source?.destroy();
        if (!this.#ended) this.onAbandoned?.();
        done(error);
      },
    });
    // Callers of mysql2 wait for 'end' also when they destroyed the stream themselves.
    stream.once('close', () => {
      if (!stream.readableEnded) stream.emit('end');
    });
    this.#stream = stream;
    return stream;
  }

  /** Whether a stream was asked for and is already destroyed. */
  get abandoned(): boolean {
    return this.#stream?.destroyed === true;
  }

  /** Whether rows were read from the stream, and whoever read them went away without destroying it. */
  get forsaken(): boolean {
    const stream = this.#stream;
    if (stream === undefined || stream.destroyed || stream.readableEnded || !stream.readableDidRead)
      return false;
    return stream.listenerCount('data') + stream.listenerCount('readable') === 0;
  }

  /** Gives the rest of the rows up, as destroying the stream does. */
  abandon(): void {
    this.#stream?.destroy();
  }

  /**
   * Gives the rest of the rows up once nobody has been there to read the stream for a while. A connection that was released may
   * still be read from, but not kept for ever.
   */
  abandonUnread(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const timer = setInterval(() => {
      if (this.#ended || stream.destroyed) clearInterval(timer);
      else if (stream.listenerCount('data') + stream.listenerCount('readable') === 0) {
        clearInterval(timer);
        warn(
          `The stream of a released connection was given up, because nobody had read it for ${UNREAD_MS} ms`,
        );
        stream.destroy();
      }
    }, UNREAD_MS);
    timer.unref();
  }

  /**
   * Passes on what the driver's `command` delivers from now on, as long as it is not `isSpoilt`; errors and the end are told by
   * {@link settle}.
   */
  attach(command: Query, isSpoilt: () => boolean = () => false): void {
    command.on('fields', (fields: FieldPacket, ...index: unknown[]) => {
      this.delivered = true;
      this.emit('fields', fields, ...index);
      this.#caller.runInAsyncScope(() => this.#stream?.emit('fields', fields));
    });
    if (this.#stream === undefined) {
      command.on('result', (row: unknown, index: number) => {
        if (isSpoilt()) return;
        this.delivered = true;
        this.emit('result', row, index);
      });
      return;
    }
    const target = this.#stream;
    // Of several results, each row has the number of its own; the stream gives rows only, later and in the same order.
    const indexes: unknown[] = [];
    command.on('result', (_row: unknown, index: unknown) => indexes.push(index));
    const source = command.stream({ highWaterMark: 1 });
    this.#source = source;
    source.on('data', (row: unknown) => {
      if (isSpoilt()) return;
      this.delivered = true;
      const index = indexes.shift();
      this.emit('result', row, index);
      this.#caller.runInAsyncScope(() => {
        target.emit('result', row, index);
        if (!target.push(row)) source.pause();
      });
    });
    // The command's own error event is what ends the call; the stream's copy of it must not be thrown.
    source.on('error', () => undefined);
    if (target.destroyed) source.destroy();
  }

  /** Ends the command, for the caller and for the stream. */
  settle(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#caller.runInAsyncScope(() => this.#settle(error));
  }

  #settle(error: unknown): void {
    const stream = this.#stream;
    // Who gave the stream up does not want to hear how it ended.
    const unwanted = this.abandoned;
    if (error === undefined) {
      if (stream !== undefined && !stream.destroyed) this.#endStream(stream);
    } else if (stream !== undefined) {
      if (!stream.destroyed) stream.destroy(error instanceof Error ? error : new Error(describeError(error)));
    }
    if (error !== undefined && !unwanted) {
      if (this.listenerCount('error') > 0) this.emit('error', error);
      else if (stream === undefined)
        warn(`Nobody listens to the error of a statement: ${describeError(error)}`);
    }
    this.emit('end');
  }

  /** Ends the stream after the rows that are still on their way to it. */
  #endStream(stream: Readable): void {
    const source = this.#source;
    if (source === undefined || source.readableEnded || source.destroyed) stream.push(null);
    else {
      source.once('end', () => {
        if (!stream.destroyed) this.#caller.runInAsyncScope(() => stream.push(null));
      });
    }
  }
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'StormlampUnhandledError' });
}
