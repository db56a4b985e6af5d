/** Connections whose server is a script: they answer, stay silent or die as a test says. */
import { EventEmitter } from 'node:events';
import type { Connection } from 'mysql2';
import type { Deadline } from '../../../src/common/deadline.js';
import type { ConnectionFactory } from '../../../src/mysql/connection-factory.js';
import { type MysqlNodeConfig, parseMysqlNode } from '../../../src/mysql/connection-options.js';
import { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';

type Done = (error: Error | null, rows?: unknown[]) => void;

/** What a scripted server does with a command. */
export type Answer = 'ok' | 'silence' | Error | readonly unknown[];

/** The driver's connection, as far as the pool uses it. */
export class ScriptedRaw extends EventEmitter {
  readonly threadId: number;
  readonly stream: EventEmitter & { destroyed: boolean; destroy(): void };
  /** What was sent, in order. */
  readonly sent: string[] = [];
  /** How a command is answered; `ok` by default. */
  answer: (command: string) => Answer = () => 'ok';
  ended = false;

  constructor(threadId: number) {
    super();
    this.threadId = threadId;
    const stream = Object.assign(new EventEmitter(), { destroyed: false, destroy: () => undefined });
    stream.destroy = () => {
      if (stream.destroyed) return undefined;
      stream.destroyed = true;
      setImmediate(() => stream.emit('close'));
      return undefined;
    };
    this.stream = stream;
  }

  ping(done: Done): void {
    this.#command('ping', done);
  }

  reset(done: Done): void {
    this.#command('reset', done);
  }

  query(options: { sql: string }, done: Done): void {
    this.#command(options.sql, done);
  }

  end(done: Done): void {
    this.ended = true;
    this.#command('end', done);
  }

  destroy(): void {
    this.stream.destroy();
  }

  /** The server kills the connection. */
  kill(
    error: Error = Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }),
  ): void {
    this.emit('error', error);
    this.stream.destroy();
  }

  #command(command: string, done: Done): void {
    this.sent.push(command);
    const answer = this.answer(command);
    if (answer === 'silence') return;
    process.nextTick(() => {
      if (answer instanceof Error) done(answer);
      else done(null, answer === 'ok' ? [] : [...answer]);
    });
  }
}

/** A factory of scripted connections. */
export class ScriptedFactory implements ConnectionFactory {
  readonly node = 'db1:3306';
  readonly config: MysqlNodeConfig = parseMysqlNode('node', 'mysql://app:pw@db1/shop', 'any');
  /** All connections that were made. */
  readonly made: ScriptedRaw[] = [];
  /** Attempts to connect. */
  attempts = 0;
  /** What an attempt (the first is 1) comes to: a connection, an error, or nothing until `settle` is called. */
  outcome: (attempt: number) => 'ok' | 'wait' | Error = () => 'ok';
  readonly #pending: ((result: 'ok' | Error) => void)[] = [];

  async connect(deadline: Deadline): Promise<PhysicalConnection> {
    this.attempts += 1;
    let outcome = this.outcome(this.attempts);
    if (outcome === 'wait') {
      outcome = await deadline.race('Connecting', new Promise((resolve) => this.#pending.push(resolve)));
    }
    if (outcome instanceof Error) throw outcome;
    const raw = new ScriptedRaw(this.made.length + 1);
    this.made.push(raw);
    const version = parseServerVersion('10.11.14-MariaDB');
    return new PhysicalConnection({
      node: this.node,
      raw: raw as unknown as Connection,
      version,
      setupSql: () => 'SET x',
    });
  }

  /** Decides attempts that wait, the oldest first. */
  settle(result: 'ok' | Error, count = 1): void {
    for (const resolve of this.#pending.splice(0, count)) resolve(result);
  }

  /** Decides about all attempts from now on. */
  always(outcome: 'ok' | 'wait' | Error): void {
    this.outcome = () => outcome;
  }

  /** The connection of a driver connection. */
  raw(connection: PhysicalConnection): ScriptedRaw {
    return connection.raw as unknown as ScriptedRaw;
  }
}
