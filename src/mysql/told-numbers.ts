/** The numbers of server sessions that callers were told: which session is meant by one, since every server counts for itself. */
import type { NodeId } from '../common/node-address.js';
import type { PhysicalConnection } from './physical-connection.js';

/** Numbers that were told to sessions which are over are remembered, this many. */
const ENDED_LIMIT = 1_000;

/** A session that is told numbers. */
export interface NumberedSession {
  /** The connection that it holds now. */
  readonly held: PhysicalConnection | undefined;
}

/** The numbers that were told to the sessions of one cluster. */
export class ToldNumbers {
  readonly #open = new Map<NumberedSession, Map<number, NodeId>>();
  /** Where the last session was that was told a number and is over. */
  readonly #ended = new Map<number, NodeId>();

  /** Notes that `session` was told the number of `connection`. */
  tell(session: NumberedSession, { threadId, node }: PhysicalConnection): void {
    const numbers = this.#open.get(session);
    if (numbers === undefined) this.#open.set(session, new Map([[threadId, node]]));
    else numbers.set(threadId, node);
  }

  /** Notes that `session` is over. */
  end(session: NumberedSession): void {
    const numbers = this.#open.get(session);
    if (numbers === undefined) return;
    this.#open.delete(session);
    for (const [number, node] of numbers) {
      this.#ended.delete(number);
      this.#ended.set(number, node);
    }
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_LIMIT) break;
      this.#ended.delete(oldest);
    }
  }

  /** The sessions that go on and were told this number, whether they still have it or moved on. */
  sessionsTold(number: number): readonly NumberedSession[] {
    return [...this.#open].filter(([, numbers]) => numbers.has(number)).map(([session]) => session);
  }

  /** The node that gave this number to the last session which was told it and is over; undefined when there was none. */
  lastNode(number: number): NodeId | undefined {
    return this.#ended.get(number);
  }
}
