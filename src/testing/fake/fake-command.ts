/** A statement that a made-up database works on, with the events and the stream of the driver's. */
import { EventEmitter } from 'node:events';
import { Readable, type ReadableOptions } from 'node:stream';

/** See the head of this file. */
export class FakeCommand extends EventEmitter {
  /** The rows as a stream of objects. */
  stream(options?: ReadableOptions): Readable {
    // All rows are there at once: nothing has to wait for whoever reads them.
    const stream = new Readable({ ...options, objectMode: true, read: () => undefined });
    this.on('fields', (fields) => stream.emit('fields', fields));
    this.on('result', (row) => {
      if (!stream.destroyed) stream.push(row);
    });
    this.on('error', (error: Error) => stream.destroy(error));
    this.on('end', () => {
      if (!stream.destroyed) stream.push(null);
    });
    return stream;
  }
}
