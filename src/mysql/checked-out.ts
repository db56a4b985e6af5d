/** One checkout with both of its faces, which are made when somebody asks for them. */
import type { ConnectionOptions } from 'mysql2';
import { Deadline } from '../common/deadline.js';
import { CallbackConnection } from './callback-connection.js';
import type { ConnectionFaces } from './connection-face.js';
import { MysqlConnection } from './promise-connection.js';
import type { CallContext } from './session-ports.js';
import type { SqlText } from './sql-text.js';
import type { StatementLimits } from './statement.js';
import { type ConnectionHost, VirtualConnection } from './virtual-connection.js';

/** A connection that was checked out of a cluster. */
export class CheckedOut implements ConnectionFaces {
  /** The connection behind both faces. */
  readonly virtual: VirtualConnection;
  /** Puts values into texts. */
  readonly text: SqlText;
  /** The options of the nodes' connections, without secrets. */
  readonly config: ConnectionOptions;
  /** The promise face. */
  readonly face: MysqlConnection;
  #callback: CallbackConnection | undefined;

  /** Checks a connection out; `onDone` is told once when it was released or destroyed. */
  constructor(
    host: ConnectionHost,
    text: SqlText,
    config: ConnectionOptions,
    onDone: (face: MysqlConnection) => void,
    borrower?: string,
  ) {
    this.text = text;
    this.config = config;
    this.virtual = new VirtualConnection(host, config, () => onDone(this.face), borrower);
    this.face = new MysqlConnection(this);
  }

  /** The callback face. */
  callback(): CallbackConnection {
    this.#callback ??= new CallbackConnection(this);
    return this.#callback;
  }

  /** The promise face. */
  promise(): MysqlConnection {
    return this.face;
  }
}

/** The same cluster for a checkout all of whose calls end with `deadline` at the latest. */
export function limitedHost(host: ConnectionHost, deadline: Deadline): ConnectionHost {
  return {
    router: host.router,
    numbers: host.numbers,
    blockMs: host.blockMs,
    get writeGate() {
      return host.writeGate;
    },
    checkOpen: () => host.checkOpen(),
    callSite: () => host.callSite(),
    get sqlMode() {
      return host.sqlMode;
    },
    modeSeen: (connection) => host.modeSeen(connection),
    classify: (sql, mode) => host.classify(sql, mode),
    noteWriter: (sql, read) => host.noteWriter(sql, read),
    node: (id) => host.node(id),
    waitForWriter: (limit) => host.waitForWriter(limit),
    refresh: (node) => host.refresh(node),
    cancel: (connection, sql) => host.cancel(connection, sql),
    release: (connection) => host.release(connection),
    discard: (connection) => host.discard(connection),
    routed: (...route) => host.routed(...route),
    contextOf: (limits) => limitedContext(host.contextOf(limits), limits, deadline),
  };
}

function limitedContext(
  context: CallContext,
  limits: StatementLimits | undefined,
  outer: Deadline,
): CallContext {
  if (limits === undefined) return { ...context, deadline: outer };
  const own = limits.timeoutMs ?? 0;
  const left = Math.min(outer.remainingMs(), own === 0 ? Number.POSITIVE_INFINITY : own);
  const signals = [limits.signal, outer.signal].filter((signal) => signal !== undefined);
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
  const timeoutMs = Number.isFinite(left) ? Math.max(left, 0.001) : 0;
  return { ...context, deadline: Deadline.of({ timeoutMs, signal }) };
}
