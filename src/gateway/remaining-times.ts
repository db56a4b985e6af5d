/**
 * When items end, for commands that change an item and keep its expiry: only memcached's text protocol tells it. By the date, since
 * who asks for the rest, and stores it a second later, makes the item live a second longer each time.
 */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { exptimeOfEnd } from '../memcached/exptime.js';
import { endOfItem } from '../memcached/item-end.js';
import { TextConnection, type TextConnectionOptions } from '../memcached/text-connection.js';

interface Line {
  readonly connection: Promise<TextConnection>;
  last: Promise<unknown>;
  /** Whether a question was answered on it. */
  used: boolean;
  broken: boolean;
}

/** A node that does not answer for so long does not answer. */
const ANSWER_MS = 2_000;
/** On a connection that was used before: there is to be time left to ask once more, and for the change itself. */
const ANSWER_AGAIN_MS = 1_000;

/**
 * One text connection per node, opened when it is needed first, and thrown away with its first fault. One that was used before may have
 * been closed since, by a restart of the node or because nobody asked for long: what is asked on it then is asked once more on a new one.
 */
export class RemainingTimes {
  readonly #reach: (node: NodeId) => TextConnectionOptions | undefined;
  readonly #aheadMs: (node: NodeId) => number;
  readonly #lines = new Map<NodeId, Line>();

  /**
   * @param reach how a node is reached; undefined for one that is none of ours any more
   * @param aheadMs how far its clock is ahead of this machine's, as dates of expiry are moved by it
   */
  constructor(reach: (node: NodeId) => TextConnectionOptions | undefined, aheadMs: (node: NodeId) => number) {
    this.#reach = reach;
    this.#aheadMs = aheadMs;
  }

  /**
   * The expiry with which a new item ends when the one under `key` on `node` does, however much later it is stored; undefined when
   * that is gone.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the node has no text protocol; as connections and calls do.
   */
  async exptimeOf(node: NodeId, key: string, deadline: Deadline): Promise<number | undefined> {
    try {
      const end = await deadline.race('Asking how long an item still lives', this.#ask(node, key, deadline));
      return end === undefined ? undefined : exptimeOfEnd(end, this.#aheadMs(node));
    } catch (error) {
      if (!isStormlampError(error, ErrorCode.UNSUPPORTED)) throw error;
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `incr, decr, append and prepend need memcached's text protocol, which ${node} does not speak (SASL closes it)`,
        { cause: error, node },
      );
    }
  }

  // One command at a time on a connection. Who waits for his turn while it breaks takes the next connection, and whose time is over
  // before his turn comes harms nobody. A question changes nothing, so that it may be asked twice.
  #ask(node: NodeId, key: string, deadline: Deadline): Promise<number | undefined> {
    const line = this.#line(node);
    const asked = line.last.then(async () => {
      deadline.check('Asking how long an item still lives');
      if (line.broken) return await this.#ask(node, key, deadline);
      try {
        const connection = await line.connection;
        const within = deadline.callWithin(line.used ? ANSWER_AGAIN_MS : ANSWER_MS);
        const end = await endOfItem(connection, key, within);
        line.used = true;
        return end;
      } catch (error) {
        this.#drop(node, line);
        if (!line.used) throw error;
        return await this.#ask(node, key, deadline);
      }
    });
    line.last = asked.catch(() => undefined);
    return asked;
  }

  /** Closes the connections. */
  close(): void {
    for (const [node, line] of this.#lines) this.#drop(node, line);
  }

  #line(node: NodeId): Line {
    const known = this.#lines.get(node);
    if (known !== undefined) return known;
    const options = this.#reach(node);
    const connection =
      options === undefined
        ? Promise.reject(new StormlampError(ErrorCode.NODE_UNREACHABLE, `There is no node ${node}`))
        : TextConnection.open(options);
    connection.catch(() => undefined);
    const line: Line = { connection, last: Promise.resolve(), used: false, broken: false };
    this.#lines.set(node, line);
    return line;
  }

  #drop(node: NodeId, line: Line): void {
    if (this.#lines.get(node) === line) this.#lines.delete(node);
    line.broken = true;
    line.connection.then(
      (connection) => connection.destroy(),
      () => undefined,
    );
  }
}
