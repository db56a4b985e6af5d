/** A bare TCP connection that remembers what it got and how it ended. */
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';

/** A connection under observation. */
export class Wire {
  readonly socket: Socket;
  /** Everything received so far. */
  received = '';
  /** Whether the other side has ended in good order. */
  ended = false;
  /** The error code of the connection, like `ECONNRESET`. */
  failure: string | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = error.code ?? error.message;
    });
  }

  /** Connects to `port` of this machine; a refused connection is a `failure`, not a rejection. */
  static async open(port: number): Promise<Wire> {
    const socket = connect({ host: '127.0.0.1', port });
    const wire = new Wire(socket);
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve);
      socket.once('error', () => resolve());
    });
    return wire;
  }

  /** Sends `text`. */
  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves when everything received ends with `text`. */
  async gets(text: string): Promise<string> {
    await eventually(`receiving ${JSON.stringify(text)}`, () => this.received.endsWith(text));
    return this.received;
  }

  /** Resolves with the error code when the connection has failed. */
  fails(): Promise<string> {
    return eventually('the connection fails', () => this.failure);
  }

  close(): void {
    this.socket.destroy();
  }
}
