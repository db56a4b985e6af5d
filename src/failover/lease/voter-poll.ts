/** Looks at one voter: which node it votes for, and whether somebody is changing the primary there. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { readReplicaStatus, replicaStatusStatements, type StatusRow } from '../../mysql/replica-status.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { VoterReading } from '../protocol/client-lease.js';
import { lockName } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';

/** After the account was not allowed to read the epoch, or there was no table, it is asked for again after so long, milliseconds. */
const NO_ACCESS_MS = 30_000;
const NO_TABLE_MS = 1_000;
/** There is no such table or database. */
const NO_TABLE: ReadonlySet<number> = new Set([1049, 1146]);
/** The account may not read it. */
const NO_ACCESS: ReadonlySet<number> = new Set([1044, 1142, 1143]);

/** Polls one voter over one connection that it keeps. */
export class VoterPoll {
  readonly #voter: Voter;
  readonly #locks: string;
  readonly #cluster: string;
  readonly #sourceOf: (channel: ReplicationChannel) => NodeId | undefined;
  #connection: PhysicalConnection | undefined;
  #epochFrom = Number.NEGATIVE_INFINITY;
  #hasTable = true;
  #closed = false;

  /** Connects to nothing yet. `sourceOf` knows the nodes by the addresses that replicas have for them. */
  constructor(voter: Voter, cluster: string, sourceOf: (channel: ReplicationChannel) => NodeId | undefined) {
    this.#voter = voter;
    this.#cluster = cluster;
    this.#sourceOf = sourceOf;
    this.#locks =
      `IS_USED_LOCK('${lockName(cluster, 'promote')}') IS NOT NULL AS promoting, ` +
      `IS_USED_LOCK('${lockName(cluster, 'change')}') IS NOT NULL AS changing`;
  }

  /** One look. Rejects with the error of the connection or the server, or with `ERR_TIMEOUT`. */
  async look(timeoutMs: number): Promise<VoterReading> {
    const deadline = Deadline.of({ timeoutMs });
    const connection = await this.#connect(deadline);
    const sentAt = performance.now();
    try {
      const [row, vote] =
        this.#voter.kind === 'witness'
          ? await this.#witness(connection, deadline)
          : await this.#server(connection, deadline);
      const lock = isTrue(row['promoting']) ? 'promote' : isTrue(row['changing']) ? 'change' : 'free';
      const epoch = typeof row['epoch'] === 'undefined' ? undefined : Number(row['epoch'] ?? 0);
      return { voter: this.#voter.id, sentAt, vote, lock, epoch };
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #server(connection: PhysicalConnection, deadline: Deadline): Promise<[StatusRow, NodeId | null]> {
    const [status] = replicaStatusStatements(connection.version);
    // Both are sent at once; the second waits in the driver.
    const [row, channels] = await Promise.all([
      this.#row(connection, deadline),
      connection.ask(status, deadline),
    ]);
    return [row, this.#voteOf(row, readReplicaStatus(channels, connection.flavor))];
  }

  async #row(connection: PhysicalConnection, deadline: Deadline): Promise<StatusRow> {
    const plain = `SELECT ${this.#locks}, @@global.read_only AS read_only`;
    if (performance.now() >= this.#epochFrom) {
      const epoch = `(SELECT epoch FROM ha_meta.topology WHERE cluster='${this.#cluster}') AS epoch`;
      try {
        const rows: readonly StatusRow[] = await connection.ask(`${plain}, ${epoch}`, deadline);
        this.#hasTable = true;
        return rows[0] ?? {};
      } catch (error) {
        const errno = (error as { errno?: number }).errno ?? 0;
        this.#hasTable = !NO_TABLE.has(errno);
        if (this.#hasTable && !NO_ACCESS.has(errno)) throw error;
        this.#epochFrom = performance.now() + (this.#hasTable ? NO_ACCESS_MS : NO_TABLE_MS);
      }
    }
    const [row = {}]: readonly StatusRow[] = await connection.ask(plain, deadline);
    return this.#hasTable ? row : { ...row, epoch: 0 };
  }

  #voteOf(row: StatusRow, channels: readonly ReplicationChannel[]): NodeId | null {
    const [channel, second] = channels;
    if (channel === undefined) return isTrue(row['read_only']) ? null : this.#voter.id;
    return second === undefined ? (this.#sourceOf(channel) ?? null) : null;
  }

  async #witness(connection: PhysicalConnection, deadline: Deadline): Promise<[StatusRow, NodeId | null]> {
    const vote = `(SELECT vote FROM ha_meta.vote WHERE cluster='${this.#cluster}') AS vote`;
    const rows: readonly StatusRow[] = await connection.ask(`SELECT ${this.#locks}, ${vote}`, deadline);
    const row = rows[0] ?? {};
    return [row, typeof row['vote'] === 'string' ? row['vote'] : null];
  }

  async #connect(deadline: Deadline): Promise<PhysicalConnection> {
    const known = this.#connection;
    if (known !== undefined && known.lost === undefined) return known;
    this.#drop();
    const connection = await this.#voter.watch.connect(deadline);
    if (this.#closed) connection.destroy();
    this.#connection = connection;
    return connection;
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}

function isTrue(value: unknown): boolean {
  return (
    value !== null && value !== undefined && !['0', 'off', 'false', ''].includes(String(value).toLowerCase())
  );
}
