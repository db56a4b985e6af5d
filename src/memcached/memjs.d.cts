/** The part of memjs that this package uses; it publishes no types of its own. */
declare module 'memjs' {
  import { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  /** What memjs looks at in an answer. */
  interface Response {
    readonly header: { readonly totalBodyLength: number; readonly opaque: number };
  }

  /** Gets the answer to one request; `quiet` keeps it registered until an answer without a body. */
  interface ResponseCallback {
    (response: Response): void;
    quiet?: boolean;
  }

  type ErrorCallback = (error: unknown) => void;

  /** One connection. */
  class Server extends EventEmitter {
    constructor(
      host: string | undefined,
      port: number | undefined,
      username?: string,
      password?: string,
      options?: object,
    );
    username: string | undefined;
    password: string | undefined;
    responseBuffer: Buffer;
    responseCallbacks: Record<number, ResponseCallback>;
    errorCallbacks: Record<number, ErrorCallback>;
    onResponse(seq: number, callback: ResponseCallback): void;
    onError(seq: number, callback: ErrorCallback): void;
    respond(response: Response): void;
    error(error: unknown): void;
    listSasl(): void;
    appendToBuffer(data: Buffer): Buffer;
    responseHandler(data: Buffer): void;
    sock(sasl: boolean, go: (socket: Socket) => void): void;
    write(request: Buffer): void;
  }

  /** The requests of one or more servers. */
  class Client {
    constructor(servers: Server[], options: { retries: number; logger: { log(...text: unknown[]): void } });
    seq: number;
    incrSeq(): void;
    perform(
      key: string,
      request: Buffer,
      seq: number,
      callback: (error: unknown, response: Response | null) => void,
    ): void;
  }

  const Utils: {
    makeRequestBuffer(
      opcode: number,
      key: string | Buffer,
      extras: string | Buffer,
      value: string | Buffer,
      opaque: number,
    ): Buffer;
  };
}
