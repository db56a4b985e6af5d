/** Every statement that changes a server, as it was sent: for the journal, and to prove afterwards what was never done. */
import type { NodeId } from '../../common/node-address.js';

/** One statement. */
export interface SentStatement {
  /** The server. */
  readonly node: NodeId;
  /** The text, without passwords. */
  readonly sql: string;
  /** When it was sent, milliseconds since 1970. */
  readonly at: number;
  /** How it ended; undefined while it runs. */
  readonly outcome?: 'ok' | 'failed' | 'lost' | undefined;
}

/** Told about every statement before it is sent and when it has ended. */
export type StatementListener = (statement: SentStatement) => void;
