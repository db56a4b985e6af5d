/** The one physical connection that a session may hold at a time: taken for a need, given back or closed. */
import {
  type Bound,
  bindReader,
  bindWriter,
  type Tried,
  tryBindReader,
  tryBindWriter,
} from './connection-binder.js';
import type { PhysicalConnection } from './physical-connection.js';
import { repeatSettings } from './repeat-settings.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { changesDatabase, type Need } from './session-state.js';
import type { Statement } from './statement.js';
import { mayAskPrimary } from './statement-attempts.js';
import { mayBeBehindBecause } from './unknown-there.js';

/** What a session holds, at most one connection. */
export class HeldConnection {
  readonly #ports: SessionPorts;
  #connection: PhysicalConnection | undefined;
  /** The text of the statement that is under way on it. */
  running: string | undefined;
  /** A connection whose account or database was changed is never lent again. */
  #isSpoilt = false;
  #isDestroyed = false;

  readonly #borrower: string | undefined;

  /** Holds nothing yet; `borrower` is the place in the application that will, when leaks are looked for. */
  constructor(ports: SessionPorts, borrower: string | undefined) {
    this.#ports = ports;
    this.#borrower = borrower;
  }

  /** The connection; undefined while none is held. */
  get connection(): PhysicalConnection | undefined {
    return this.#connection;
  }

  /** Whether the connection is closed and not lent again when it is given back. */
  get isSpoilt(): boolean {
    return this.#isSpoilt;
  }

  /** Whether the session is over for good. */
  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** Whether the connection satisfies `need` now, so that no other one has to be taken. */
  satisfies(need: Need, { scope }: CallContext, tried: Tried): boolean {
    const held = this.#connection;
    if (held === undefined) return false;
    switch (need.place) {
      case 'held':
      case 'any':
        return true;
      case 'primary':
        return this.#ports.router.writer === held.node;
      case 'read':
        return tried.nodes?.has(held.node) !== true && this.#ports.router.serves(held.node, scope);
    }
  }

  /** Takes a connection for `need` and repeats `settings` on it; at once when that is possible. None must be held. */
  take(
    need: Need,
    settings: readonly Statement[],
    context: CallContext,
    tried: Tried,
  ): Bound | Promise<Bound> {
    const atOnce = isForPrimary(need)
      ? tryBindWriter(this.#ports)
      : tryBindReader(this.#ports, context, tried);
    if (atOnce === undefined || settings.length > 0) {
      return this.#takeSlowly(need, settings, context, tried, atOnce);
    }
    return this.#hold(atOnce);
  }

  /** Makes sure that the connection is closed and not lent again when it is given back. */
  spoil(): void {
    this.#isSpoilt = true;
  }

  /** Gives the connection back; the pool resets it when it was touched. */
  giveBack(): void {
    const held = this.#connection;
    if (held === undefined) return;
    if (this.#isSpoilt) this.discard(held);
    else {
      this.#connection = undefined;
      // The next borrower wants to hear of it.
      held.resume();
      this.#ports.release(held);
    }
  }

  /** Closes `connection`, and lets go of it when it is the one that is held. */
  discard(connection: PhysicalConnection): void {
    if (this.#connection === connection) this.#connection = undefined;
    this.#isSpoilt = false;
    this.#ports.discard(connection);
  }

  /** Closes the connection, and ends what is under way on it on the server, too; the session is over. */
  destroy(): void {
    this.#isDestroyed = true;
    const held = this.#connection;
    if (held === undefined) return;
    if (this.running !== undefined) this.#ports.cancel(held, this.running);
    this.discard(held);
  }

  async #takeSlowly(
    need: Need,
    settings: readonly Statement[],
    context: CallContext,
    tried: Tried,
    atOnce: Bound | undefined,
  ): Promise<Bound> {
    const ports = this.#ports;
    const bind = (): Promise<Bound> =>
      isForPrimary(need) ? bindWriter(ports, context) : bindReader(ports, context, tried);
    let bound = atOnce ?? (await bind());
    if (settings.length > 0) {
      const failure = await repeatSettings(ports, bound.connection, settings, context, true);
      if (failure !== undefined) {
        const { node } = bound.connection;
        if (!failure.mayBeBehind) bound = await bind();
        else if (mayAskPrimary(ports, node, context)) {
          const because = mayBeBehindBecause(node, failure.error);
          bound = { ...(await bindWriter(ports, context)), because };
        } else throw failure.error;
        await repeatSettings(ports, bound.connection, settings, context, false);
      }
      this.#isSpoilt = settings.some(({ sql }) => changesDatabase(ports.classify(sql, undefined)));
    }
    return this.#hold(bound);
  }

  #hold(bound: Bound): Bound {
    this.#connection = bound.connection;
    bound.connection.borrower = this.#borrower;
    return bound;
  }
}

function isForPrimary(need: Need): boolean {
  return need.place === 'primary' || need.place === 'held';
}
