/** What a client is still to get: written piece by piece, so that what it reads of a large answer is seen, and no faster than it reads. */
import type { Socket } from 'node:net';
import type { AnswerRoom, UnreadClient } from './answer-room.js';

/** What an output is made of. */
export interface ClientOutputOptions {
  /** Where answers that wait are counted. */
  readonly room: AnswerRoom;
  /** Told of bytes that are written. */
  readonly onWritten: (bytes: number) => void;
  /** Told when the client reads too slowly, and once more with every piece; returns the time. */
  readonly onSlow: () => number;
  /** Nobody waits any longer for the client to read. */
  readonly giveUp: () => void;
}

/** Written in one go: of a larger answer, too, so that who reads it slowly is seen to read. */
const PIECE_BYTES = 64 * 1024;

/** See the head of this file. */
export class ClientOutput {
  readonly #socket: Socket;
  readonly #options: ClientOutputOptions;
  #answers: Buffer[] = [];
  #onDrain: (() => void) | undefined;
  #over = false;

  /** Writes nothing yet. */
  constructor(socket: Socket, options: ClientOutputOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('drain', () => this.#onDrain?.());
    socket.on('close', () => this.stop());
  }

  /** Whether the client is waited for. */
  get waits(): boolean {
    return this.#onDrain !== undefined;
  }

  /** Adds an answer, which is written with the next `deliver`. */
  push(answer: Buffer): void {
    this.#answers.push(answer);
  }

  /** Resolves when everything is handed over, or the client is gone. */
  async deliver(): Promise<void> {
    while (!this.#over && !this.#flush()) await this.#drained();
  }

  /** Hands over the rest, however slowly it is read. */
  finish(): void {
    while (this.#answers.length > 0 && !this.#socket.destroyed) this.#socket.write(this.#piece());
  }

  /** The client is gone: nothing is waited for any more. */
  stop(): void {
    this.#over = true;
    this.#answers = [];
    this.#onDrain?.();
  }

  /** Writes what is to be answered; false when the client reads too slowly. */
  #flush(): boolean {
    while (this.#answers.length > 0 && !this.#socket.destroyed)
      if (!this.#socket.write(this.#piece())) return false;
    return true;
  }

  #piece(): Buffer {
    const answers = this.#answers;
    const [first] = answers;
    if (first !== undefined && first.length > PIECE_BYTES) {
      this.#answers = [first.subarray(PIECE_BYTES), ...answers.slice(1)];
      this.#options.onWritten(PIECE_BYTES);
      return first.subarray(0, PIECE_BYTES);
    }
    let [bytes, count] = [0, 0];
    for (let next = answers[0]; next !== undefined && (count === 0 || bytes + next.length <= PIECE_BYTES); ) {
      bytes += next.length;
      count += 1;
      next = answers[count];
    }
    this.#options.onWritten(bytes);
    if (count === answers.length) this.#answers = [];
    else this.#answers = answers.slice(count);
    return count === 1 && first !== undefined ? first : Buffer.concat(answers.slice(0, count), bytes);
  }

  async #drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return;
    socket.pause();
    const { room, onSlow, giveUp } = this.#options;
    const client: UnreadClient = { since: onSlow(), giveUp };
    let bytes = socket.writableLength;
    for (const answer of this.#answers) bytes += answer.length;
    room.wait(client, bytes);
    await new Promise<void>((resolve) => {
      this.#onDrain = resolve;
    });
    this.#onDrain = undefined;
    room.read(client);
  }
}
