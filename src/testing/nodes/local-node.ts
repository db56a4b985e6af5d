/** What a test can do with one server of a local cluster. */
import type { NodeFaults } from '../faults/node-faults.js';

/**
 * Where a node is in its life. `starting`: the process is there and does not answer yet. `paused`: stopped by SIGSTOP;
 * the system accepts connections for it, nobody answers. `stopped`: no process; connections are refused.
 */
export type LocalNodeState = 'starting' | 'running' | 'paused' | 'stopped';

/** One server process with a proxy in front. Every method returns when what it says is true. */
export interface LocalNode {
  /** The name by which clients call it: `127.0.0.1:<port>`. */
  readonly id: string;
  /** Its name in the cluster: `db1`, `db2`, …, `cache1`, …, `web1`, …. */
  readonly name: string;
  /** Always `127.0.0.1`. */
  readonly host: string;
  /** The port that clients use, which is the proxy's. It never changes. */
  readonly port: number;
  /** The server's own port, behind the proxy. It changes only when another process takes it while the node is down. */
  readonly realPort: number;
  /** The server's process id while there is a process; `undefined` with `driver: 'docker'`. */
  readonly pid: number | undefined;
  /** Where it is in its life. */
  readonly state: LocalNodeState;
  /** Whether it runs and is not paused. */
  readonly running: boolean;
  /** What is broken in the network in front of it. */
  readonly faults: NodeFaults;
  /** SIGKILL, as when the power goes. Nothing when there is no process. */
  kill(): Promise<void>;
  /**
   * A clean shutdown.
   *
   * @throws StormlampError `ERR_TIMEOUT` when it had to be killed.
   */
  stop(): Promise<void>;
  /**
   * Starts it again: same ports, a database with the data it had, a memcached node empty. Nothing when it runs.
   *
   * @throws StormlampError `ERR_SERVER_START` with the last lines of its log.
   */
  start(): Promise<void>;
  /** {@link LocalNode.stop} and {@link LocalNode.start}. */
  restart(): Promise<void>;
  /**
   * SIGSTOP: the process freezes, its sockets stay.
   *
   * @throws StormlampError `ERR_NODE_UNREACHABLE` when there is no process.
   */
  pause(): Promise<void>;
  /**
   * SIGCONT.
   *
   * @throws StormlampError `ERR_NODE_UNREACHABLE` when there is no process.
   */
  resume(): Promise<void>;
  /** The last `lines` of what the server wrote to its log. Default 40. */
  log(lines?: number): string;
}

/** One row of a result, by column. */
export type DatabaseRow = Readonly<Record<string, unknown>>;

/** A database node. */
export interface LocalDatabaseNode extends LocalNode {
  /** `primary` or `replica`, as the cluster was started or `promote` and `rejoin` have made it. */
  readonly role: 'primary' | 'replica';
  /** The server's `server_id`. */
  readonly serverId: number;
  /** The server's unix socket; with `driver: 'docker'` a path inside its container. */
  readonly socketPath: string;
  /**
   * Runs one statement as the administrator, past the proxy and its faults. `params` fill `?`.
   * Resolves with the rows, none for a statement without a result.
   *
   * @throws StormlampError `ERR_NODE_UNREACHABLE`, or `ERR_TIMEOUT` after 15 s (a paused node does not answer);
   * the server's own error otherwise.
   */
  query<T extends DatabaseRow = DatabaseRow>(sql: string, params?: readonly unknown[]): Promise<T[]>;
}

/** A PHP site. */
export interface LocalPhpSite extends LocalNode {
  /** Where it is served, through the proxy: `http://127.0.0.1:<port>`. */
  readonly url: string;
}
