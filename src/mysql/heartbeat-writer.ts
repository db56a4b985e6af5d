/** Writes the heartbeat of the primary, from one of all processes: whoever holds a named lock there. */
import { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import type { ConnectionFactory } from './connection-factory.js';
import {
  createHeartbeatSql,
  heartbeatLock,
  type ResolvedHeartbeat,
  writeHeartbeatSql,
} from './heartbeat-table.js';
import type { PhysicalConnection } from './physical-connection.js';

/** What a writer needs. */
export interface HeartbeatWriterPorts {
  /** The primary; undefined while there is none. */
  primary(): NodeId | undefined;
  /** Makes connections to a node. */
  factory(node: NodeId): ConnectionFactory;
  /** Told when writing fails, once per kind of failure. */
  onFailure(node: NodeId, error: Error): void;
}

/** Limit of one statement, in milliseconds. */
const LIMIT_MS = 2_000;

/** Without a word for so long, and for so many beats, the server takes the writer for dead. */
const SILENT_MS = 10_000;
const SILENT_BEATS = 12;
/** The longest `wait_timeout` that servers take, in seconds. */
const LONGEST_WAIT_S = 31_536_000;

/** Writes until it is closed. */
export class HeartbeatWriter {
  readonly #options: ResolvedHeartbeat;
  readonly #ports: HeartbeatWriterPorts;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #connection: PhysicalConnection | undefined;
  #isElected = false;
  #told = '';

  /** Begins at once; its timer does not keep the process alive. */
  constructor(options: ResolvedHeartbeat, ports: HeartbeatWriterPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#plan(0);
  }

  /** Whether this process writes now. */
  get isElected(): boolean {
    return this.#isElected;
  }

  /** Stops; another process takes over. */
  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#drop();
  }

  #plan(afterMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#beat(), afterMs);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const begun = performance.now();
    const node = this.#ports.primary();
    // Who may not write must not keep others from it.
    if (node === undefined) this.#drop();
    else {
      try {
        await this.#write(node);
        this.#told = '';
      } catch (error) {
        this.#drop();
        this.#tell(node, error);
      }
    }
    const used = performance.now() - begun;
    // Who is not elected asks less often.
    this.#plan(Math.max(10, this.#options.intervalMs * (this.#isElected ? 1 : 4) - used));
  }

  async #write(node: NodeId): Promise<void> {
    const deadline = Deadline.of({ timeoutMs: LIMIT_MS, signal: this.#abort.signal });
    if (this.#connection?.node !== node || this.#connection.lost !== undefined) this.#drop();
    const connection = this.#connection ?? (await this.#connect(node, deadline));
    this.#connection = connection;
    if (this.#abort.signal.aborted) this.#drop();
    if (!this.#isElected) {
      const { table } = this.#options;
      // The lock ends with its connection, so that another process takes over when this one dies.
      const [row] = await connection.ask(`SELECT GET_LOCK('${heartbeatLock(table)}', 0) AS held`, deadline);
      if (Number(row?.['held']) !== 1) return;
      // Asked for only by the one who writes: CREATE is a privilege that not everybody has, and the table may be there.
      await connection.ask(`SELECT 1 FROM ${table} LIMIT 1`, deadline).catch(async () => {
        await connection.ask(createHeartbeatSql(table), deadline);
      });
      this.#isElected = true;
    }
    const [server] = await connection.ask('SELECT @@global.server_id AS id', deadline);
    await connection.ask(writeHeartbeatSql(this.#options.table, Number(server?.['id'])), deadline);
  }

  async #connect(node: NodeId, deadline: Deadline): Promise<PhysicalConnection> {
    const connection = await this.#ports.factory(node).connect(deadline);
    // A process that hangs, or whose machine is gone, must not keep the lock: the server ends its connection.
    const silentS = Math.ceil(Math.max(SILENT_MS, SILENT_BEATS * this.#options.intervalMs) / 1_000);
    try {
      await connection.ask(`SET SESSION wait_timeout = ${Math.min(silentS, LONGEST_WAIT_S)}`, deadline);
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  #drop(): void {
    this.#isElected = false;
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  #tell(node: NodeId, thrown: unknown): void {
    if (this.#abort.signal.aborted) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#told === error.message) return;
    this.#told = error.message;
    this.#ports.onFailure(node, error);
  }
}
