/** A connection as callers check it out: statements run one after the other, on whichever physical connection each one needs. */
import type { ConnectionOptions, PrepareStatementInfo, QueryOptions } from 'mysql2';
import type { CallOptions, Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isStatementTraced, traceStatement } from '../diagnostics/statement-trace.js';
import type { DeferredCommand } from './deferred-command.js';
import type { PhysicalConnection } from './physical-connection.js';
import { handleName, isHeld, makeRoom } from './prepared-room.js';
import { type PreparedHandle, prepareOn } from './prepared-statement.js';
import { chosenDatabase, missUser, resetSession, tie, untie } from './reset-session.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { readStatement, type Statement, type StatementAnswer, type StatementLimits } from './statement.js';
import { TurnQueue } from './turn-queue.js';
import { VirtualSession } from './virtual-session.js';

/** What a virtual connection needs of its cluster. */
export interface ConnectionHost extends SessionPorts {
  /** The limits of a call that starts now. */
  contextOf(limits: StatementLimits | undefined): CallContext;
}

const ROLLBACK = readStatement('query', 'ROLLBACK', undefined);

/** One checkout. It is never used again after it was released. */
export class VirtualConnection {
  readonly #host: ConnectionHost;
  readonly #config: ConnectionOptions;
  readonly #session: VirtualSession;
  readonly #turns = new TurnQueue();
  readonly #onDone: () => void;
  #busy = false;
  #handles = 0;
  /** Whether another user than the pool's was logged in. */
  #hasOtherUser = false;
  /** Counts what ends everything that the session had. */
  #generation = 0;
  /** The statement under way whose rows go to listeners or a stream. */
  #command: DeferredCommand | undefined;
  #phase: 'open' | 'released' | 'destroyed' = 'open';

  /** Makes a connection that is bound to nothing yet; `onDone` is called once, when it was released or destroyed. */
  constructor(host: ConnectionHost, config: ConnectionOptions, onDone: () => void, borrower?: string) {
    this.#host = host;
    this.#config = config;
    this.#session = new VirtualSession(host, borrower);
    this.#onDone = onDone;
  }

  /** Whether it can still be used. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** The id of the server's session that it is bound to now; undefined while it is bound to none. */
  get threadId(): number | undefined {
    const { held } = this.#session;
    if (held === undefined) return undefined;
    this.#host.numbers.tell(this.#session, held);
    return held.threadId;
  }

  /** The node that it is bound to now; undefined while it is bound to none. */
  get node(): string | undefined {
    return this.#session.held?.node;
  }

  /** Stops reading from the server that it is bound to now. */
  pause(): void {
    this.#session.held?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#session.held?.resume();
  }

  /** What the session left on its connection so far. */
  get session(): VirtualSession {
    return this.#session;
  }

  /** Runs a statement after those before it. */
  run(statement: Statement, command?: DeferredCommand): Promise<StatementAnswer> {
    return this.#start(statement, this.#host.contextOf(statement.limits), command);
  }

  #start(
    statement: Statement,
    context: CallContext,
    command: DeferredCommand | undefined,
  ): Promise<StatementAnswer> {
    if (!isStatementTraced()) return this.#runInTurn(statement, context, command);
    return traceStatement(this.#config, statement.sql, (trace) =>
      this.#runInTurn(statement, { ...context, trace }, command),
    );
  }

  #runInTurn(
    statement: Statement,
    context: CallContext,
    command: DeferredCommand | undefined,
  ): Promise<StatementAnswer> {
    return this.#inTurn(context.deadline, async () => {
      if (command === undefined) return this.#session.run(statement, context);
      // Who streams says so right after the call.
      await undefined;
      this.#command = command;
      if (this.#phase === 'released') command.abandonUnread();
      try {
        return await this.#session.run(statement, context, command);
      } finally {
        this.#command = undefined;
      }
    });
  }

  /** Runs a statement without values that the caller asked for by a method. */
  async command(sql: string, limits?: StatementLimits): Promise<void> {
    await this.run({ ...readStatement('query', sql, undefined), limits });
  }

  /** Runs a statement that is ours and not the caller's. */
  async ownCommand(sql: string, limits?: StatementLimits): Promise<void> {
    const context = { ...this.#host.contextOf(limits), isOwn: true };
    await this.#start({ ...readStatement('query', sql, undefined), limits }, context, undefined);
  }

  /**
   * Rolls the open transaction of a strict session back because of `cause`; every later statement but a rollback then fails.
   * The error of what is lost, also when it was lost before; undefined when nothing was open.
   */
  async loseTransaction(cause: Error): Promise<Error | undefined> {
    const context = { ...this.#host.contextOf(undefined), isOwn: true };
    return await this.#inTurn(context.deadline, async () => {
      const { doubt, state, loss } = this.#session;
      if (loss !== undefined || state.transaction === 'none') return loss;
      doubt.doom(cause);
      await this.#session.run(ROLLBACK, context);
      return this.#session.loss;
    });
  }

  /** Asks the server that it is bound to, or one that serves reads, for a sign of life. */
  async ping(limits?: CallOptions): Promise<void> {
    const context = this.#host.contextOf(limits);
    await this.#inTurn(context.deadline, () =>
      this.#session.borrow('any', context, (connection) => connection.ping(context.deadline)),
    );
  }

  /**
   * Forgets all session state: transaction, variables, temporary tables, locks, settings. As with the server's own reset, the
   * database that was chosen stays, and the user.
   */
  async reset(limits?: CallOptions): Promise<void> {
    this.#session.doubt.checkReset('reset()');
    const { deadline } = this.#host.contextOf(limits);
    this.#generation += 1;
    await this.#inTurn(deadline, () => resetSession(this.#session, this.#hasOtherUser, this.#host, deadline));
  }

  /** Continues as another user or in another database, on the primary, until it is released. */
  async changeUser(options: ConnectionOptions, limits?: CallOptions): Promise<void> {
    this.#session.doubt.checkReset('changeUser()');
    const context = this.#host.contextOf(limits);
    this.#generation += 1;
    await this.#inTurn(context.deadline, async () => {
      const chosen = chosenDatabase(this.#session, this.#host);
      const node = this.#session.held?.node ?? 'the primary';
      this.#session.clear();
      try {
        await this.#session.borrow('primary', context, (connection) => {
          this.#session.spoil();
          const changing = changeUserOn(connection, options).then(() =>
            connection.setUpAgain(context.deadline, isGiven(options.charset)),
          );
          return context.deadline.race('Changing the user', changing);
        });
      } catch (error) {
        // The pool's user is not who it was before.
        if (this.#hasOtherUser) missUser(this.#session, { node }, error);
        else this.#session.clear(chosen);
        throw error;
      }
      this.#hasOtherUser = true;
      tie(this.#session, 'session-variable', 'user');
    });
  }

  /** Prepares a statement on the primary; the connection stays with it until the handle is closed. */
  async prepare(options: QueryOptions, limits?: CallOptions): Promise<PreparedHandle> {
    const context = this.#host.contextOf(limits);
    return await this.#inTurn(context.deadline, () =>
      this.#session.borrow('primary', context, async (connection) => {
        const prepare = (): Promise<PrepareStatementInfo> =>
          context.deadline.race('Preparing', prepareOn(connection, options));
        const info = await prepare().catch((error: unknown) => {
          if (makeRoom(connection, this.#session.state, error)) return prepare();
          throw error;
        });
        const { id } = info as unknown as { readonly id: number };
        this.#handles += 1;
        const name = handleName(id, this.#handles);
        tie(this.#session, 'prepared', name);
        return this.#handleOf(options, info, connection, { id, name });
      }),
    );
  }

  /** Lets the driver forget a statement that `execute` prepared on the connection that is held now. */
  unprepare(sql: string): PrepareStatementInfo | undefined {
    return this.#session.held?.raw.unprepare(sql);
  }

  /** Gives the connection back when the statements that were begun are done. Again: nothing. */
  release(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'released';
    // Nobody will read the rest of such a stream, and the connection would never come back.
    if (this.#command?.forsaken === true) this.#command.abandon();
    else this.#command?.abandonUnread();
    // A statement whose answer nobody reads would never end.
    this.resume();
    if (!this.#busy) this.#session.end();
    this.#onDone();
  }

  /** Closes the physical connection at once; statements that were begun fail. */
  destroy(): void {
    if (this.#phase === 'destroyed') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'destroyed';
    this.#session.destroy();
    if (wasOpen) this.#onDone();
  }

  #handleOf(
    options: QueryOptions,
    prepared: PrepareStatementInfo,
    connection: PhysicalConnection,
    { id, name }: { readonly id: number; readonly name: string },
  ): PreparedHandle {
    let open = true;
    const generation = this.#generation;
    const own = { statement: prepared, on: connection.raw };
    return {
      execute: async (values, limits) => {
        if (!open) throw closed('This prepared statement was closed');
        if (generation !== this.#generation)
          throw closed('This prepared statement ended with reset() or changeUser(); prepare it again');
        const statement = { mode: 'execute', sql: options.sql, form: options, values, limits } as const;
        return await this.run({ ...statement, prepared: own });
      },
      close: async (limits) => {
        const { deadline } = this.#host.contextOf(limits);
        if (!open) return;
        open = false;
        // It is gone with its connection.
        if (this.#phase !== 'open') return;
        await this.#inTurn(deadline, async () => {
          if (this.#session.held !== connection) return;
          untie(this.#session, 'prepared', name);
          // The driver keeps one statement per text: another handle may still need it.
          if (!isHeld(this.#session.state, id)) connection.raw.unprepare(options as unknown as string);
        });
      },
    };
  }

  async #inTurn<T>(deadline: Deadline, work: () => Promise<T>): Promise<T> {
    if (this.#phase !== 'open')
      throw closed('This connection was released; take another one with getConnection()');
    if (this.#busy) {
      const turn = new Promise<void>((resolve) => this.#turns.add(resolve));
      await deadline.race('Waiting for the statements before it', turn, () => this.#next());
    } else this.#busy = true;
    try {
      this.#checkAlive();
      return await work();
    } finally {
      this.#next();
    }
  }

  #checkAlive(): void {
    if (this.#phase === 'destroyed') throw closed('This connection was destroyed');
  }

  #next(): void {
    const turn = this.#turns.take();
    if (turn !== undefined) {
      turn();
      return;
    }
    this.#busy = false;
    if (this.#phase === 'released') this.#session.end();
    else if (this.#phase === 'destroyed') this.#session.destroy();
  }
}

function changeUserOn(connection: PhysicalConnection, options: ConnectionOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.raw.changeUser(options, (error) => (error ? reject(error) : resolve()));
  });
}

/** As the driver sees it. */
function isGiven(charset: string | undefined): boolean {
  return charset !== undefined && charset !== '';
}

function closed(message: string): StormlampError {
  return new StormlampError(ErrorCode.CLOSED, message);
}
