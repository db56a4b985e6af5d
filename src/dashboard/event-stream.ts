/** Server-sent events: one connection per open page. */
import type { ServerResponse } from 'node:http';

/** Pages that are served at once. */
const MAX_STREAMS = 20;
/** A page that has not taken so much yet is given nothing more, bytes. */
const MAX_BACKLOG = 1_000_000;

/** The open pages. */
export class EventStreams {
  readonly #streams = new Set<ServerResponse>();
  readonly #onCount: (count: number) => void;

  /** Makes an empty set; `onCount` is told how many pages are open whenever that changes. */
  constructor(onCount: (count: number) => void) {
    this.#onCount = onCount;
  }

  /** How many pages are open. */
  get count(): number {
    return this.#streams.size;
  }

  /** Whether one more page can be served. */
  get hasRoom(): boolean {
    return this.#streams.size < MAX_STREAMS;
  }

  /** Begins to send events over `response`. */
  add(response: ServerResponse): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    this.#streams.add(response);
    this.#onCount(this.#streams.size);
    response.on('error', () => response.destroy());
    response.on('close', () => {
      if (this.#streams.delete(response)) this.#onCount(this.#streams.size);
    });
  }

  /** Sends an event to one page. */
  send(response: ServerResponse, event: string, data: unknown): void {
    // JSON has no line ends of its own.
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Sends an event to all pages. */
  broadcast(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const stream of this.#streams) {
      if (stream.writableLength > MAX_BACKLOG) stream.destroy();
      else stream.write(text);
    }
  }

  /** Ends all. */
  close(): void {
    for (const stream of this.#streams) stream.end();
  }
}
