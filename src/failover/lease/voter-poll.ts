/** Looks at one voter: which node it votes for, and whether somebody is changing the primary there. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { readReplicaStatus, replicaStatusStatements, type StatusRow } from '../../mysql/replica-status.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { VoterReading } from '../protocol/client-lease.js';
import { lockName } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';

/** Polls one voter over one connection that it keeps. */
export class VoterPoll {
  readonly #voter: Voter;
  readonly #locks: string;
  readonly #cluster: string;
  readonly #sourceOf: (channel: ReplicationChannel) => NodeId | undefined;
  #connection: PhysicalConnection | undefined;
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
      return { voter: this.#voter.id, sentAt, vote, lock };
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
    const [[row = {}], channels] = await Promise.all([
      connection.ask(`SELECT ${this.#locks}, @@global.read_only AS read_only`, deadline),
      connection.ask(status, deadline),
    ]);
    return [row, this.#voteOf(row, readReplicaStatus(channels, connection.flavor))];
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
