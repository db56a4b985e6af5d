/** How long items still live, for commands that change an item and keep its expiry: only memcached's text protocol tells it. */
import type { CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { exptimeOfRemaining } from '../memcached/exptime.js';
import { TextConnection, type TextConnectionOptions } from '../memcached/text-connection.js';

interface Line {
  connection: Promise<TextConnection>;
  last: Promise<unknown>;
}

/** One text connection per node, opened when it is needed first, and thrown away with its first fault. */
export class RemainingTimes {
  readonly #reach: (node: NodeId) => TextConnectionOptions | undefined;
  readonly #lines = new Map<NodeId, Line>();

  /** @param reach how a node is reached; undefined for one that is none of ours any more */
  constructor(reach: (node: NodeId) => TextConnectionOptions | undefined) {
    this.#reach = reach;
  }

  /**
   * The expiry that makes a new item live as long as the one under `key` on `node` still does; undefined when that is gone.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the node has no text protocol; as connections and calls do.
   */
  async exptimeOf(node: NodeId, key: string, deadline: Deadline): Promise<number | undefined> {
    const line = this.#line(node);
    const call: CallOptions = deadline.callWithin(2_000);
    // One command at a time on a connection.
    const asked = line.last
      .catch(() => undefined)
      .then(async () => {
        const connection = await line.connection;
        return await connection.items([key], call);
      });
    line.last = asked;
    try {
      const [item] = await deadline.race('Asking how long an item still lives', asked);
      return item === null || item === undefined ? undefined : exptimeOfRemaining(item.remainingSeconds);
    } catch (error) {
      this.#drop(node, line);
      if (!isStormlampError(error, ErrorCode.UNSUPPORTED)) throw error;
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `incr, decr, append and prepend need memcached's text protocol, which ${node} does not speak (SASL closes it)`,
        { cause: error, node },
      );
    }
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
    const line: Line = { connection, last: Promise.resolve() };
    this.#lines.set(node, line);
    return line;
  }

  #drop(node: NodeId, line: Line): void {
    if (this.#lines.get(node) === line) this.#lines.delete(node);
    line.connection.then(
      (connection) => connection.destroy(),
      () => undefined,
    );
  }
}
