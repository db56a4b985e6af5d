/**
 * The file of a `LOAD DATA LOCAL` on its way to the driver. The driver trusts whatever stream it is given: text in place of
 * bytes would end the process, an empty chunk would end the file, and nobody could tell the stream's error from the server's.
 */
import { pipeline, type Readable, Transform } from 'node:stream';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Opens the file that the server asks for; mysql2's `infileStreamFactory`. */
export type LocalFileSource = (path: string) => NodeJS.ReadableStream;

/** No packet of the protocol is longer than 16 MB, and small ones let the server begin early. */
const PIECE_BYTES = 1_048_576;

const ERRORS = new WeakSet<object>();

/** Whether `error` comes from the stream of a local file: the server answered, and the connection is as good as before. */
export function isLocalFileError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && ERRORS.has(error);
}

/** The same source for the driver. Without one, every file is refused with `ERR_UNSUPPORTED`. */
export function guardLocalFile(source: LocalFileSource | undefined): (path: string) => Readable {
  return (path) => {
    const bytes = new Transform({ writableObjectMode: true, transform: toBytes });
    // Runs before the driver's own listener, and stays when the driver has gone.
    bytes.on('error', (error: Error) => ERRORS.add(error));
    try {
      if (source === undefined) throw noSource(path);
      pipeline(source(path), bytes, () => undefined);
    } catch (error) {
      bytes.destroy(error instanceof Error ? error : new Error(describeError(error)));
    }
    return bytes;
  };
}

function toBytes(this: Transform, chunk: unknown, _encoding: string, done: (error?: Error) => void): void {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  if (!(bytes instanceof Uint8Array)) {
    done(new TypeError(`The stream of \`infileStreamFactory\` gave ${typeof chunk}, not bytes or text`));
    return;
  }
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    this.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
  }
  done();
}

function noSource(path: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `The server asked for the local file '${path}'; nothing of it was sent. ` +
      'Give the statement, or the node, an `infileStreamFactory` that opens the files which may be loaded',
  );
}
