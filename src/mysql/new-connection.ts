/**
 * What listeners of `connection` get: a physical connection that was made just now, before anybody borrows it. What they send sets
 * it up for good: it is sent again after every reset, because a reset forgets it.
 */
import { EventEmitter } from 'node:events';
import type { ExecuteValues, QueryOptions, QueryValues } from 'mysql2';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { callListener } from '../common/safe-listener.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { ConnectionFactory } from './connection-factory.js';
import { LateRefusal } from './late-refusal.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isHeader } from './result-header.js';
import { isOrderly } from './session-state.js';
import { sqlModeTold } from './sql-mode.js';

/** A callback as mysql2's callback API has it. */
export type NewConnectionCallback = (error: Error | null, result?: unknown, fields?: unknown) => unknown;

type Send = (done: (error: Error | null, result?: unknown, fields?: unknown) => void) => void;

/**
 * A new connection, for the listeners of `connection`: `query` and `execute` with a callback, or else with a promise. It lives until
 * they are done: what is called later is refused with `ERR_CLOSED`.
 */
export class NewConnection extends EventEmitter {
  /** The node that it is to. */
  readonly node: NodeId;
  /** The id of its session on the server. */
  readonly threadId: number;
  readonly #connection: PhysicalConnection;
  #pending = 0;
  #isOpen = true;
  #failure: unknown;
  #onIdle: (() => void) | undefined;

  /** @internal */
  constructor(connection: PhysicalConnection) {
    super();
    this.#connection = connection;
    this.node = connection.node;
    this.threadId = connection.threadId;
  }

  /** Runs a statement as text. */
  query(sql: string | QueryOptions, callback?: NewConnectionCallback): Promise<[unknown, unknown]>;
  /** Runs a statement as text. */
  query(
    sql: string | QueryOptions,
    values?: QueryValues,
    callback?: NewConnectionCallback,
  ): Promise<[unknown, unknown]>;
  query(sql: string | QueryOptions, values?: unknown, callback?: unknown): Promise<[unknown, unknown]> {
    const { raw } = this.#connection;
    return this.#run((given, done) => raw.query(sql as string, given as QueryValues, done), values, callback);
  }

  /** Runs a prepared statement. */
  execute(sql: string | QueryOptions, callback?: NewConnectionCallback): Promise<[unknown, unknown]>;
  /** Runs a prepared statement. */
  execute(
    sql: string | QueryOptions,
    values?: ExecuteValues,
    callback?: NewConnectionCallback,
  ): Promise<[unknown, unknown]>;
  execute(sql: string | QueryOptions, values?: unknown, callback?: unknown): Promise<[unknown, unknown]> {
    const { raw } = this.#connection;
    const send = (given: unknown, done: Parameters<Send>[0]): unknown =>
      raw.execute(sql as string, given as ExecuteValues, done);
    return this.#run(send, values, callback);
  }

  /** The same: without a callback, its methods give promises. */
  promise(): this {
    return this;
  }

  /** The same, where tools for mysql2 look for the callback face. */
  get connection(): this {
    return this;
  }

  /** Nothing: it is the pool's. */
  release(): void {}

  /** @internal Resolves when the listeners, which returned `results`, and what they sent are done; rejects with what failed. */
  async settle(results: readonly unknown[], deadline: Deadline): Promise<void> {
    const what = "A listener of 'connection'";
    try {
      await deadline.race(what, Promise.all(results));
      do {
        const idle = new Promise<void>((resolve) => {
          this.#onIdle = resolve;
        });
        if (this.#pending > 0) await deadline.race(what, idle);
        // What was just answered may lead to another statement.
        await new Promise((resolve) => setImmediate(resolve));
      } while (this.#pending > 0);
    } finally {
      this.#isOpen = false;
    }
    // A listener that gives a promise decides for itself what is a failure.
    if (this.#failure !== undefined && !results.some((each) => each instanceof Promise)) throw this.#failure;
  }

  #run(
    send: (values: unknown, done: Parameters<Send>[0]) => unknown,
    values: unknown,
    callback: unknown,
  ): Promise<[unknown, unknown]> {
    const given = typeof values === 'function' ? undefined : values;
    const done = (typeof values === 'function' ? values : callback) as NewConnectionCallback | undefined;
    if (!this.#isOpen) return refuseLate(this.node, done);
    const work = this.#send((answered) => void send(given, answered), done);
    // Whoever gave a callback, or waits for the promise, hears of it there.
    work.catch((error: unknown) => {
      if (done === undefined) this.#failure ??= error;
    });
    return work;
  }

  async #send(send: Send, callback: NewConnectionCallback | undefined): Promise<[unknown, unknown]> {
    this.#pending += 1;
    const connection = this.#connection;
    try {
      const answer = await sent(connection, send);
      connection.repeated.push(async () => (await sent(connection, send))[0]);
      tell(callback, null, ...answer);
      return answer;
    } catch (error) {
      tell(callback, error as Error);
      throw error;
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) this.#onIdle?.();
    }
  }
}

function tell(callback: NewConnectionCallback | undefined, ...told: Parameters<NewConnectionCallback>): void {
  if (callback === undefined) return;
  callListener("A callback in a listener of 'connection'", () => callback(...told));
}

function refuseLate(node: NodeId, callback: NewConnectionCallback | undefined): Promise<never> {
  const message =
    "A statement was not sent: a new connection is for the listeners of 'connection' while they run, and it has been lent. " +
    'Send it before the listener returns, or give `connection` a listener that returns a promise';
  const error = new StormlampError(ErrorCode.CLOSED, message, { node });
  if (callback === undefined) return LateRefusal.of(error);
  process.nextTick(tell, callback, error);
  const told = Promise.reject(error);
  told.catch(() => undefined);
  return told;
}

/** Who listens to `connection`. */
export interface ConnectionListeners {
  /** Whether anybody does. */
  wantsConnections(): boolean;
  /** Calls the listeners; what they returned. */
  onConnection(connection: NewConnection): readonly unknown[];
}

/** The same factory, whose connections the listeners have seen first. */
export function withListeners(factory: ConnectionFactory, listeners: ConnectionListeners): ConnectionFactory {
  let running = 0;
  return {
    ...factory,
    waitingFor: () => (running > 0 ? "a listener of 'connection'" : factory.waitingFor?.()),
    connect: async (deadline) => {
      const connection = await factory.connect(deadline);
      if (!listeners.wantsConnections()) return connection;
      const face = new NewConnection(connection);
      running += 1;
      try {
        await face.settle(listeners.onConnection(face), deadline);
        return connection;
      } catch (error) {
        const { lost } = connection;
        connection.destroy();
        throw listenerError(connection, lost, error);
      } finally {
        running -= 1;
      }
    },
  };
}

function listenerError({ node }: PhysicalConnection, lost: Error | undefined, error: unknown): unknown {
  if (isStormlampError(error, ErrorCode.ABORTED)) return error;
  const code = lost === undefined ? ErrorCode.INVALID_OPTION : ErrorCode.NODE_UNREACHABLE;
  const message = `A new connection to node ${node} was closed, because a listener of 'connection' failed: ${describeError(error)}`;
  return new StormlampError(code, message, { cause: error, node });
}

function sent(connection: PhysicalConnection, send: Send): Promise<[unknown, unknown]> {
  return new Promise((resolve, reject) => {
    send((error, result, fields) => {
      if (error) return reject(error);
      const mode = sqlModeTold(result);
      if (mode !== undefined) connection.sqlMode = mode;
      if (isHeader(result) && !isOrderly(result.serverStatus)) reject(new Error(NOT_ORDERLY));
      else resolve([result, fields]);
    });
  });
}

const NOT_ORDERLY =
  'it opened a transaction, or switched autocommit off, which would leave every write of the pool in a transaction that nobody ends';
