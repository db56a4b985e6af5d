/** What both faces of a checked-out connection have: its state, its end, and the driver's escaping. */
import { EventEmitter } from 'node:events';
import type { ConnectionOptions, ConnectionState } from 'mysql2';
import type { CallbackConnection } from './callback-connection.js';
import type { MysqlConnection } from './promise-connection.js';
import type { SqlText } from './sql-text.js';
import type { VirtualConnection } from './virtual-connection.js';

/** What the faces of a connection share. */
export interface ConnectionFaces {
  /** The connection behind both faces. */
  readonly virtual: VirtualConnection;
  /** Puts values into texts as the nodes' options say. */
  readonly text: SqlText;
  /** The options of the nodes' connections, without secrets. */
  readonly config: ConnectionOptions;
  /** The callback face of the same connection. */
  callback(): CallbackConnection;
  /** The promise face of the same connection. */
  promise(): MysqlConnection;
}

/** A face of a checked-out connection, without the calls that differ between callbacks and promises. */
export class ConnectionFace extends EventEmitter {
  /** @internal */
  protected readonly faces: ConnectionFaces;

  /** @internal */
  constructor(faces: ConnectionFaces) {
    super();
    this.faces = faces;
  }

  /** The options of the nodes' connections, without secrets. */
  get config(): ConnectionOptions {
    return this.faces.config;
  }

  /** The server's id of the session; undefined while it is bound to no server, which mysql2's type cannot say. */
  get threadId(): number {
    return this.faces.virtual.threadId as number;
  }

  /** The node that it is bound to now; undefined while it is bound to none. */
  get node(): string | undefined {
    return this.faces.virtual.node;
  }

  /** `'authenticated'` until it is released. */
  get state(): ConnectionState {
    return this.faces.virtual.isOpen ? 'authenticated' : 'disconnected';
  }

  /** Gives the connection back when the statements that were begun are done. */
  release(): void {
    this.faces.virtual.release();
  }

  /** Closes the physical connection at once. */
  destroy(): void {
    this.faces.virtual.destroy();
  }

  /** Stops reading from the server, while it is bound to one; the next borrower of that connection reads again. */
  pause(): void {
    this.faces.virtual.pause();
  }

  /** Reads on. */
  resume(): void {
    this.faces.virtual.resume();
  }

  /** A value as SQL text. */
  escape(value: unknown): string {
    return this.faces.text.escape(value);
  }

  /** A name as SQL text. */
  escapeId(name: string | string[]): string {
    return this.faces.text.escapeId(name);
  }

  /** A text with its values put in. */
  format(sql: string, values?: unknown): string {
    return this.faces.text.format(sql, values);
  }
}
