/** A small TCP proxy in front of one node, and the place where its network is broken on purpose. */
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readChoice, readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { LOCAL_HOST, listen, listenOnFreePort } from '../process/free-port.js';
import type { FaultRule } from './direction-conditions.js';
import type {
  Fault,
  FaultDirection,
  FaultKind,
  FaultOptions,
  LatencyOptions,
  NodeFaults,
  PartitionOptions,
  SliceOptions,
  ThrottleOptions,
} from './node-faults.js';
import { ProxiedConnection } from './proxied-connection.js';
import { TrafficDetector } from './traffic.js';

const DIRECTIONS: readonly FaultDirection[] = ['to-server', 'to-client', 'both'];
const FILTERS: readonly ('all' | 'clients' | 'replication')[] = ['all', 'clients', 'replication'];
const REOPEN_TIMEOUT_MS = 5_000;
const REOPEN_PAUSE_MS = 50;

/** A listener that hands every connection to the server behind it, under the faults in force. */
export class FaultProxy implements NodeFaults {
  /** The port that clients use; the same for the proxy's whole life. */
  readonly port: number;
  #listener: Server | undefined;
  readonly #serverPort: () => number;
  readonly #replicationUser: string | undefined;
  readonly #rules: Set<FaultRule> = new Set();
  readonly #connections: Set<ProxiedConnection> = new Set();

  /**
   * Makes a proxy on a free port. `serverPort` tells where the server listens at the moment; `replicationUser` is whom
   * replicas log in as, if the server is a database.
   */
  static async open(serverPort: () => number, replicationUser?: string): Promise<FaultProxy> {
    const listener = createServer({ allowHalfOpen: true });
    return new FaultProxy(await listenOnFreePort(listener), listener, serverPort, replicationUser);
  }

  private constructor(
    port: number,
    listener: Server,
    serverPort: () => number,
    replicationUser: string | undefined,
  ) {
    this.port = port;
    this.#serverPort = serverPort;
    this.#replicationUser = replicationUser;
    this.#attach(listener);
  }

  /** Whether new connections are accepted. */
  get listening(): boolean {
    return this.#listener !== undefined;
  }

  /** Refuses new connections, as a machine does on which the server is not running. Others are left alone. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /**
   * Accepts connections again, on the same port. When another process has it, waits for at most `patienceMs`.
   *
   * @throws StormlampError `ERR_PORT_IN_USE` when another process has taken the port meanwhile and keeps it.
   */
  async accept(patienceMs: number = REOPEN_TIMEOUT_MS): Promise<void> {
    const until = performance.now() + patienceMs;
    while (this.#listener === undefined) {
      const listener = createServer({ allowHalfOpen: true });
      try {
        await listen(listener, this.port);
        this.#attach(listener);
      } catch (error) {
        if (performance.now() >= until) {
          throw new StormlampError(
            ErrorCode.PORT_IN_USE,
            `Port ${this.port} of ${LOCAL_HOST} was taken by another process while the node was down (${describeError(error)})`,
            { cause: error },
          );
        }
        await sleep(REOPEN_PAUSE_MS);
      }
    }
  }

  /** Stops listening and drops every connection. */
  destroy(): void {
    this.refuse();
    for (const connection of [...this.#connections]) connection.reset();
  }

  /** {@inheritDoc NodeFaults.latency} */
  latency(options: LatencyOptions): Fault {
    rejectUnknownOptions('latency', options, ['ms', 'jitterMs', 'direction', 'only']);
    return this.#add({
      kind: 'latency',
      only: readFilter('latency', options),
      ms: readNumber('latency.ms', options.ms ?? null, 0, { min: 0, max: 600_000 }),
      jitterMs: readNumber('latency.jitterMs', options.jitterMs, 0, { min: 0, max: 600_000 }),
      direction: readChoice('latency.direction', options.direction, DIRECTIONS, 'to-client'),
    });
  }

  /** {@inheritDoc NodeFaults.partition} */
  partition(options: PartitionOptions = {}): Fault {
    rejectUnknownOptions('partition', options, ['direction', 'only']);
    const direction = readChoice('partition.direction', options.direction, DIRECTIONS, 'both');
    return this.#add({ kind: 'partition', direction, only: readFilter('partition', options) });
  }

  /** {@inheritDoc NodeFaults.reset} */
  reset(options: FaultOptions = {}): Fault {
    rejectUnknownOptions('reset', options, ['only']);
    return this.#add({ kind: 'reset', only: readFilter('reset', options) });
  }

  /** {@inheritDoc NodeFaults.halfOpen} */
  halfOpen(options: FaultOptions = {}): Fault {
    rejectUnknownOptions('halfOpen', options, ['only']);
    return this.#add({ kind: 'half-open', only: readFilter('halfOpen', options) });
  }

  /** Holds what the replica with the `server_id` `replica` reads from this server. */
  partitionReplica(replica: number): Fault {
    return this.#add({ kind: 'partition', direction: 'both', only: { replica } });
  }

  /** {@inheritDoc NodeFaults.throttle} */
  throttle(options: ThrottleOptions): Fault {
    rejectUnknownOptions('throttle', options, ['bytesPerSecond', 'direction', 'only']);
    return this.#add({
      kind: 'throttle',
      only: readFilter('throttle', options),
      bytesPerSecond: readNumber('throttle.bytesPerSecond', options.bytesPerSecond ?? null, 0, { min: 1 }),
      direction: readChoice('throttle.direction', options.direction, DIRECTIONS, 'both'),
    });
  }

  /** {@inheritDoc NodeFaults.slice} */
  slice(options: SliceOptions): Fault {
    rejectUnknownOptions('slice', options, ['bytes', 'direction', 'only']);
    return this.#add({
      kind: 'slice',
      only: readFilter('slice', options),
      bytes: readNumber('slice.bytes', options.bytes ?? null, 0, { min: 1, integer: true }),
      direction: readChoice('slice.direction', options.direction, DIRECTIONS, 'both'),
    });
  }

  /** {@inheritDoc NodeFaults.heal} */
  heal(): void {
    this.#rules.clear();
    this.#update();
  }

  /** {@inheritDoc NodeFaults.active} */
  get active(): readonly FaultKind[] {
    return [...this.#rules].map((rule) => rule.kind);
  }

  #attach(listener: Server): void {
    this.#listener = listener;
    listener.on('error', () => undefined);
    listener.on('connection', (client: Socket) => {
      const connection: ProxiedConnection = new ProxiedConnection({
        client,
        server: { host: LOCAL_HOST, port: this.#serverPort() },
        rules: [...this.#rules],
        detector:
          this.#replicationUser === undefined ? undefined : new TrafficDetector(this.#replicationUser),
        onClose: () => this.#connections.delete(connection),
      });
      this.#connections.add(connection);
      connection.start();
    });
  }

  #add(rule: FaultRule): Fault {
    const rules = this.#rules;
    const heal = (): void => {
      if (rules.delete(rule)) this.#update();
    };
    rules.add(rule);
    this.#update();
    return {
      kind: rule.kind,
      get active() {
        return rules.has(rule);
      },
      heal,
      [Symbol.dispose]: heal,
    };
  }

  #update(): void {
    const rules = [...this.#rules];
    for (const connection of [...this.#connections]) connection.update(rules);
  }
}

function readFilter(path: string, options: FaultOptions): 'all' | 'clients' | 'replication' {
  return readChoice(`${path}.only`, options.only, FILTERS, 'all');
}
