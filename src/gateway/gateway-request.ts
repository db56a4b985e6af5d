/** What a client's bytes mean, before anything is done: pure data with the way to answer it. */
import type { ItemAnswer, ItemCommand } from './item-command.js';

/** A request of one client. The bytes of answers are in its protocol; undefined is a quiet request without an answer. */
export type GatewayRequest =
  /**
   * Commands on items, all of a kind, several for a request of several keys: at least one, made when it is asked for, since a
   * request may name very many. Each answer is written when it is there, then `end`.
   * An answer `'failed'` ends the request: nothing of it is written after that.
   */
  | {
      readonly kind: 'items';
      readonly commands: Iterable<ItemCommand>;
      readonly encode: (answer: ItemAnswer, command: ItemCommand) => Buffer | undefined;
      readonly end: Buffer | undefined;
    }
  /** The gateway's own figures. */
  | {
      readonly kind: 'stats';
      readonly group: string;
      /** `undefined` figures: there is no such group. */
      readonly encode: (figures: ReadonlyMap<string, string> | undefined) => Buffer;
    }
  /** A login; the connection is closed when it is refused. */
  | {
      readonly kind: 'login';
      readonly username: string;
      readonly password: string;
      readonly encode: (accepted: boolean) => Buffer;
    }
  /** Answered without looking at anything. */
  | { readonly kind: 'plain'; readonly answer: Buffer | undefined }
  /** The last one: it is answered, and the connection is closed. */
  | { readonly kind: 'end'; readonly answer: Buffer | undefined; readonly fault: string | undefined };

/** Reads one protocol. */
export interface RequestReader {
  /** The next whole request of `input`, or undefined when more bytes are needed. Never throws, whatever the bytes. */
  next(): GatewayRequest | undefined;
  /** Whether the bytes so far end in the middle of a request. */
  readonly midway: boolean;
}

/** What a reader has to know of the gateway. */
export interface ReaderLimits {
  /** The longest value that is taken. */
  readonly maxValueBytes: number;
  /** What the gateway answers when it is asked for its version. */
  readonly version: string;
  /** Whether clients must log in. */
  readonly login: boolean;
}
