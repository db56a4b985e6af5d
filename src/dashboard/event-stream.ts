/** Server-sent events: one connection per open page. */
import type { ServerResponse } from 'node:http';

/** The content type of the events. */
export const EVENT_STREAM = 'text/event-stream; charset=utf-8';

/** Pages that are served at once. */
const MAX_STREAMS = 20;
/** How often it is asked whether a page may go on, milliseconds. */
const ASK_AGAIN_MS = 5_000;
/** A page that took nothing for so many events is given up; until then it only misses them. */
const MAX_MISSED = 30;
/** A page that was served for so long makes room for another one where there is none, milliseconds: one that is looked at comes back. */
const TURN_MS = 60_000;

interface OpenPage {
  /** Events that it missed in a row. */
  missed: number;
  /** Since when it is served, monotonic milliseconds. */
  readonly since: number;
}

/** The open pages. */
export class EventStreams {
  /** The one that is served for longest first. */
  readonly #streams = new Map<ServerResponse, OpenPage>();
  readonly #onCount: (count: number) => void;
  #isClosed = false;

  /** Makes an empty set; `onCount` is told how many pages are open whenever that changes. */
  constructor(onCount: (count: number) => void) {
    this.#onCount = onCount;
  }

  /** How many pages are open. */
  get count(): number {
    return this.#streams.size;
  }

  /**
   * Whether one more page can be served. Where all places are taken, the page that was served for longest makes room, when that is a
   * minute or more: what a browser takes in the background, or of a computer that sleeps, lies in the buffers of the network for hours.
   */
  makeRoom(): boolean {
    if (this.#isClosed) return false;
    if (this.#streams.size < MAX_STREAMS) return true;
    const [longest] = this.#streams;
    if (longest === undefined || performance.now() - longest[1].since < TURN_MS) return false;
    this.#leave(longest[0]);
    return true;
  }

  /**
   * Begins to send events over `response`; false when the client is gone already, or all were ended.
   *
   * @param mayStay is asked again and again; the stream ends when the answer is no, an error, or not there at the next time
   */
  add(response: ServerResponse, mayStay: () => Promise<boolean>): boolean {
    // Its 'close' was emitted, and will not be again.
    if (response.destroyed || this.#isClosed) return false;
    response.writeHead(200, {
      'content-type': EVENT_STREAM,
      // A middleware that compresses would hold events back.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    this.#streams.set(response, { missed: 0, since: performance.now() });
    this.#onCount(this.#streams.size);
    const stopAsking = askAgain(mayStay, () => response.destroy());
    response.on('error', () => response.destroy());
    response.on('close', () => {
      stopAsking();
      this.#leave(response);
    });
    return true;
  }

  #leave(response: ServerResponse): void {
    if (this.#streams.delete(response)) this.#onCount(this.#streams.size);
    response.destroy();
  }

  /** Sends an event to one page. */
  send(response: ServerResponse, event: string, data: unknown): void {
    // JSON has no line ends of its own.
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Sends an event to all pages that took the one before: what is kept for a slow one stays bounded. */
  broadcast(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const [stream, page] of this.#streams) {
      if (!stream.writableNeedDrain) {
        page.missed = 0;
        stream.write(text);
      } else if (page.missed < MAX_MISSED) page.missed += 1;
      else stream.destroy();
    }
  }

  /** Ends all, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams.keys()) stream.end();
  }
}

/** Calls `onRefused` once, when the answer is not yes; until the returned function is called. */
function askAgain(mayStay: () => Promise<boolean>, onRefused: () => void): () => void {
  let isAsking = false;
  const stop = (): void => clearInterval(timer);
  const refuse = (): void => {
    stop();
    onRefused();
  };
  const timer = setInterval(() => {
    if (isAsking) return refuse();
    isAsking = true;
    mayStay().then((stays) => {
      isAsking = false;
      if (!stays) refuse();
    }, refuse);
  }, ASK_AGAIN_MS);
  timer.unref();
  return stop;
}
