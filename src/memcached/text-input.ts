/** The bytes that a server of the text protocol sends, asked for by line or by count. */
import type { Socket } from 'node:net';
import type { Deadline } from '../common/deadline.js';

const LINE_LIMIT = 8192;

/** Why the input ended. */
export class TextInputEnd extends Error {}

/** Reads from a socket only what somebody waits for, so that a slow reader slows the server down and not the memory up. */
export class TextInput {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #end: Error | undefined;

  /** Takes over the socket's input. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.pause();
    socket.on('data', (chunk) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      socket.pause();
      this.#wake?.();
    });
    const ended = (error?: Error): void => {
      this.#end ??= error ?? new TextInputEnd('the server closed the connection');
      this.#wake?.();
    };
    socket.on('end', () => ended());
    socket.on('error', ended);
    socket.on('close', () => ended());
  }

  /** Ends the input for whoever waits and for all who come. */
  fail(error: Error): void {
    this.#end ??= error;
    this.#wake?.();
  }

  /** The next line without its end, when it is already here. */
  lineAtHand(): Buffer | undefined {
    const end = this.#bytes.indexOf(0x0a);
    if (end === -1) return undefined;
    const line = this.#bytes.subarray(0, end > 0 && this.#bytes[end - 1] === 0x0d ? end - 1 : end);
    this.#bytes = this.#bytes.subarray(end + 1);
    return line;
  }

  /** The next `count` bytes, when they are all here: no copy, and valid as long as what they are a part of is. */
  takeAtHand(count: number): Buffer | undefined {
    if (this.#bytes.length < count) return undefined;
    const bytes = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return bytes;
  }

  /**
   * The next line without its end.
   *
   * @throws `TextInputEnd` or the socket's error; an error of `deadline`; `RangeError` for a line that never ends.
   */
  async line(what: string, deadline: Deadline): Promise<Buffer> {
    for (;;) {
      const line = this.lineAtHand();
      if (line !== undefined) return line;
      if (this.#bytes.length > LINE_LIMIT) throw new RangeError(`a line of more than ${LINE_LIMIT} bytes`);
      await this.#more(what, deadline);
    }
  }

  /** The next `count` bytes, as a copy. */
  async take(count: number, what: string, deadline: Deadline): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = count;
    for (;;) {
      const part = this.#bytes.subarray(0, missing);
      if (part.length > 0) parts.push(part);
      missing -= part.length;
      this.#bytes = this.#bytes.subarray(part.length);
      if (missing === 0) return Buffer.concat(parts, count);
      await this.#more(what, deadline);
    }
  }

  async #more(what: string, deadline: Deadline): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    try {
      await deadline.race(
        what,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
          this.#socket.resume();
        }),
      );
    } finally {
      this.#wake = undefined;
    }
    if (this.#end !== undefined && this.#bytes.length === 0) throw this.#end;
  }
}
