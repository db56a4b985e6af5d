/** Records what clients and a server say to each other, and makes it comparable: without what differs from run to run. */
import { connect, createServer, type Server } from 'node:net';
import { listenOnFreePort } from '../../../src/testing/process/free-port.js';
import { comparableBinary, comparableText } from './same-bytes.js';

interface Recorded {
  readonly asked: Buffer[];
  readonly answered: Buffer[];
}

/** A listening recorder. */
export class WireRecorder implements AsyncDisposable {
  /** The port for clients. */
  port = 0;
  readonly #server: Server;
  #recorded: Recorded[] = [];

  private constructor(target: number) {
    this.#server = createServer({ noDelay: true }, (client) => {
      const record: Recorded = { asked: [], answered: [] };
      this.#recorded.push(record);
      const server = connect({ host: '127.0.0.1', port: target, noDelay: true });
      client.on('data', (chunk: Buffer) => void record.asked.push(chunk));
      server.on('data', (chunk: Buffer) => void record.answered.push(chunk));
      client.pipe(server).pipe(client);
      client.on('error', () => server.destroy());
      server.on('error', () => client.destroy());
    });
  }

  /** Stands before the server on `target`. */
  static async open(target: number): Promise<WireRecorder> {
    const recorder = new WireRecorder(target);
    recorder.port = await listenOnFreePort(recorder.#server);
    return recorder;
  }

  /** What was said since the last time, connection by connection. */
  take(): readonly { readonly asked: readonly string[]; readonly answered: readonly string[] }[] {
    const recorded = this.#recorded;
    this.#recorded = [];
    return recorded.map(({ asked, answered }) => {
      const [question, answer] = [Buffer.concat(asked), Buffer.concat(answered)];
      const lines = (bytes: Buffer): string[] =>
        question[0] === 0x80
          ? comparableBinary(bytes, settled)
              // PHP does not wait for the answer to its QUIT.
              .filter((line) => !line.startsWith('81 7 '))
              .map((line) => line.replace(/opaque=\d+/, ''))
          : comparableText(bytes).split('\r\n').map(settled);
      return { asked: lines(question), answered: lines(answer) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}

/** Without ids of new sessions and dates. */
function settled(line: string): string {
  return line
    .replace(/(?<![0-9a-v])[0-9a-v]{26}(?![0-9a-v])/g, (id) => (id.startsWith('given') ? id : '<id>'))
    .replace(/\b1[789]\d{8}\b/g, '<date>');
}
