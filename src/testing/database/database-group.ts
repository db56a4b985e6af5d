/** The databases of a local cluster and who replicates from whom. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallOptions, Deadline } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { DatabaseFlavor } from './database-flavor.js';
import type { DatabaseNode } from './database-node.js';
import type { LocalAccounts } from './local-accounts.js';

const REPLICATION_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** A primary and its replicas. */
export class DatabaseGroup {
  /** All nodes, `db1` first. */
  readonly nodes: readonly DatabaseNode[];
  readonly #flavor: DatabaseFlavor;
  readonly #accounts: LocalAccounts;

  /** Takes nodes that are not started yet. */
  constructor(nodes: readonly DatabaseNode[], flavor: DatabaseFlavor, accounts: LocalAccounts) {
    this.nodes = nodes;
    this.#flavor = flavor;
    this.#accounts = accounts;
  }

  /** The node that was made the primary last. */
  get primary(): DatabaseNode {
    const found = this.nodes.find((node) => node.role === 'primary');
    if (found === undefined) throw new StormlampError(ErrorCode.NO_PRIMARY, 'The cluster has no databases');
    return found;
  }

  /** All other nodes. */
  get replicas(): readonly DatabaseNode[] {
    return this.nodes.filter((node) => node.role === 'replica');
  }

  /** Starts all nodes, makes the accounts and the database, and lets the replicas follow. */
  async start(database: string): Promise<void> {
    const { primary, replicas } = this;
    const starting = [
      primary.start().then(() => primary.run(this.#flavor.setupSql(this.#accounts, database))),
      ...replicas.map((replica) => replica.start()),
    ];
    // All of them, so that none is still starting when the caller cleans up.
    const failed = (await Promise.allSettled(starting)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await Promise.all(replicas.map((replica) => this.#follow(replica, primary)));
    await this.waitForReplication({ timeoutMs: REPLICATION_TIMEOUT_MS });
  }

  /**
   * Makes `node` the primary with plain SQL, as an operator would. The old primary, if it is alive, is made read-only,
   * is waited for, and follows; every other living node follows too.
   */
  async promote(node: DatabaseNode, options: CallOptions): Promise<void> {
    const old = this.primary;
    Deadline.ofCall(options);
    if (old === node) return;
    if (!node.running) throw this.#notRunning(node, 'promoted');
    if (old.running) {
      await old.run(this.#flavor.readOnlySql(true));
      await this.#waitFor([node], await this.#position(old), Deadline.of(options, REPLICATION_TIMEOUT_MS));
      old.startsReadOnly = true;
    }
    await this.#drain(node, Deadline.of(options, REPLICATION_TIMEOUT_MS));
    await node.run([...this.#flavor.unfollowSql(), ...this.#flavor.readOnlySql(false)]);
    node.startsReadOnly = false;
    node.role = 'primary';
    old.role = 'replica';
    await Promise.all(
      this.replicas.filter((replica) => replica.running).map((replica) => this.#follow(replica, node)),
    );
  }

  /** Makes a node that is back read-only and lets it follow the primary. */
  async rejoin(node: DatabaseNode): Promise<void> {
    const { primary } = this;
    if (node === primary) return;
    if (!node.running) throw this.#notRunning(node, 'rejoined');
    await node.run(this.#flavor.readOnlySql(true));
    node.startsReadOnly = true;
    await this.#follow(node, primary);
  }

  /** Resolves when every running replica has executed what the primary has executed now. */
  async waitForReplication(options: CallOptions): Promise<void> {
    const deadline = Deadline.ofCall(options, REPLICATION_TIMEOUT_MS);
    const running = this.replicas.filter((replica) => replica.running);
    await this.#waitFor(running, await this.#position(this.primary), deadline);
  }

  /** Lets a replica execute what it has received: forgetting its source would throw that away. */
  async #drain(node: DatabaseNode, deadline: Deadline): Promise<void> {
    await node.run(this.#flavor.stopReceivingSql());
    const [status] = await node.query(this.#flavor.statusSql);
    if (status !== undefined) await this.#waitFor([node], this.#flavor.retrievedPosition(status), deadline);
  }

  async #follow(replica: DatabaseNode, source: DatabaseNode): Promise<void> {
    await replica.run([
      ...this.#flavor.followSql(source, this.#accounts.repl),
      ...this.#flavor.readOnlySql(true),
    ]);
  }

  async #position(node: DatabaseNode): Promise<string> {
    const [row] = await node.query<{ position: string }>(this.#flavor.positionSql());
    return row?.position ?? '';
  }

  async #waitFor(replicas: readonly DatabaseNode[], position: string, deadline: Deadline): Promise<void> {
    await Promise.all(
      replicas.map(async (replica) => {
        while (!(await this.#reached(replica, position, deadline))) {
          const reason = deadline.expired(`Replication on ${replica.name}`);
          if (reason !== undefined) throw await this.#late(replica, reason);
          await sleep(POLL_MS);
        }
      }),
    );
  }

  async #reached(replica: DatabaseNode, position: string, deadline: Deadline): Promise<boolean> {
    // Short waits, so that an abort is noticed.
    const seconds = Math.max(0.001, Math.min(1, deadline.remainingMs() / 1_000));
    const sql = this.#flavor.waitSql(position, seconds);
    const rows = await replica.queryApart<{ reached: number }>(sql, this.#accounts.admin, 10_000);
    return Number(rows[0]?.reached) === 1;
  }

  async #late(replica: DatabaseNode, reason: StormlampError): Promise<StormlampError> {
    if (reason.code !== ErrorCode.TIMEOUT) return reason;
    const [status] = await replica.query(this.#flavor.statusSql);
    const why = status === undefined ? 'it has no source' : this.#flavor.replicationFailure(status);
    return new StormlampError(
      ErrorCode.TIMEOUT,
      `${reason.message}: ${why ?? 'it runs and is behind'}; heal the faults of its source, or look at its log`,
      { node: replica.id },
    );
  }

  #notRunning(node: DatabaseNode, what: string): StormlampError {
    return new StormlampError(
      ErrorCode.NODE_UNREACHABLE,
      `${node.name} cannot be ${what}: it does not run; start() or resume() it first`,
      { node: node.id },
    );
  }
}
