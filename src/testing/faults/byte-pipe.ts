/** Passes the bytes of one direction of one connection on, under conditions that may change at any time. */
import type { Socket } from 'node:net';
import type { DirectionConditions } from './direction-conditions.js';

/** So much is held back before the sender is stopped. */
const HELD_LIMIT_BYTES = 1_048_576;
/** A throttled piece is as large as what passes in this time. */
const THROTTLE_PIECE_MS = 20;

interface Piece {
  readonly bytes: Buffer;
  readonly releaseAt: number;
}

/** One direction of a connection. It honours the receiver's back-pressure and keeps the order of bytes. */
export class BytePipe {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #pieces: Piece[] = [];
  #conditions: DirectionConditions;
  #heldBytes = 0;
  #lastRelease = 0;
  #nextSendAt = 0;
  #endReleaseAt: number | undefined;
  #blocked = false;
  #done = false;
  #timer: NodeJS.Timeout | undefined;

  /** Starts passing bytes from `source` to `target`. */
  constructor(source: Socket, target: Socket, conditions: DirectionConditions) {
    this.#source = source;
    this.#target = target;
    this.#conditions = conditions;
    source.on('data', (bytes: Buffer) => {
      if (this.#done) return;
      this.#heldBytes += bytes.length;
      this.#pieces.push({ bytes, releaseAt: this.#nextRelease() });
      this.#pump();
    });
    source.once('end', () => {
      this.#endReleaseAt = this.#nextRelease();
      this.#pump();
    });
    target.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
    this.#pump();
  }

  /** Whether nothing passes at the moment. */
  get held(): boolean {
    return this.#conditions.held;
  }

  /** Changes the conditions. What waits already keeps its release time, unless the delay is gone. */
  update(conditions: DirectionConditions): void {
    this.#conditions = conditions;
    if (conditions.delayMs === 0 && conditions.jitterMs === 0) {
      this.#pieces.forEach((piece, index) => {
        this.#pieces[index] = { ...piece, releaseAt: 0 };
      });
      if (this.#endReleaseAt !== undefined) this.#endReleaseAt = 0;
      this.#lastRelease = 0;
    }
    if (conditions.bytesPerSecond === Number.POSITIVE_INFINITY) this.#nextSendAt = 0;
    this.#pump();
  }

  /** Stops for good; neither socket is closed. */
  stop(): void {
    this.#done = true;
    clearTimeout(this.#timer);
    this.#pieces.length = 0;
  }

  #nextRelease(): number {
    const { delayMs, jitterMs } = this.#conditions;
    if (delayMs === 0 && jitterMs === 0) return this.#lastRelease;
    const wanted = performance.now() + delayMs + jitterMs * Math.random();
    this.#lastRelease = Math.max(this.#lastRelease, wanted);
    return this.#lastRelease;
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#done) return;
    if (this.#conditions.held) {
      this.#source.pause();
      return;
    }
    while (!this.#blocked) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const wait = Math.max(piece.releaseAt, this.#nextSendAt) - performance.now();
      if (wait > 0) {
        this.#wake(wait);
        break;
      }
      this.#send(piece);
    }
    if (this.#pieces.length === 0 && this.#endReleaseAt !== undefined) {
      this.#finish(this.#endReleaseAt);
      return;
    }
    if (this.#heldBytes >= HELD_LIMIT_BYTES || this.#blocked) this.#source.pause();
    else this.#source.resume();
  }

  #send(piece: Piece): void {
    const { sliceBytes, bytesPerSecond } = this.#conditions;
    const perPiece = Math.min(
      sliceBytes,
      Math.max(1, Math.floor((bytesPerSecond * THROTTLE_PIECE_MS) / 1_000)),
    );
    const size = Math.min(piece.bytes.length, perPiece);
    if (size === piece.bytes.length) this.#pieces.shift();
    else this.#pieces[0] = { ...piece, bytes: piece.bytes.subarray(size) };
    this.#heldBytes -= size;
    if (bytesPerSecond !== Number.POSITIVE_INFINITY) {
      this.#nextSendAt = Math.max(this.#nextSendAt, performance.now()) + (size * 1_000) / bytesPerSecond;
    }
    this.#blocked = !this.#target.write(piece.bytes.subarray(0, size));
  }

  #finish(releaseAt: number): void {
    const wait = releaseAt - performance.now();
    if (wait > 0) {
      this.#wake(wait);
      return;
    }
    this.#done = true;
    this.#target.end();
  }

  #wake(ms: number): void {
    this.#timer = setTimeout(() => this.#pump(), Math.ceil(ms));
  }
}
