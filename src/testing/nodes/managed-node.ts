/** The life of one server: its process, the proxy in front of it, and the order of what is done to them. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../../common/deadline.js';
import { nodeIdOf } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { FaultProxy } from '../faults/fault-proxy.js';
import type { NodeFaults } from '../faults/node-faults.js';
import { freePort, LOCAL_HOST } from '../process/free-port.js';
import { logTail } from '../process/log-tail.js';
import type { RunningServer } from '../process/running-server.js';
import type { LocalNode, LocalNodeState } from './local-node.js';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 15;
const PORT_ATTEMPTS = 5;
const LOG_LINES = 40;
const ERROR_LOG_LINES = 15;
const PORT_TAKEN =
  /address already in use|EADDRINUSE|failed to listen on TCP port|do you already have another/i;

/** What a managed node is made of. */
export interface ManagedNodeOptions {
  /** Its name. */
  readonly name: string;
  /** The proxy, already listening. Its server port must be this node's `realPort`. */
  readonly proxy: FaultProxy;
  /** The file that gets the server's output. */
  readonly logFile: string;
  /** Starts the server on `port`. */
  readonly launch: (port: number) => Promise<RunningServer>;
  /** Resolves with whether the server answers on `port`. Default: it accepts a connection. */
  readonly isReady?: ((port: number) => Promise<boolean>) | undefined;
  /** Called when the process has ended, whatever the reason. */
  readonly onEnd?: (() => void) | undefined;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** A {@link LocalNode}. What is asked of it happens one after the other. */
export class ManagedNode implements LocalNode {
  readonly name: string;
  readonly host: string = LOCAL_HOST;
  readonly #options: ManagedNodeOptions;
  #realPort = 0;
  #server: RunningServer | undefined;
  #state: LocalNodeState = 'stopped';
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Makes a node that is not started yet. */
  constructor(options: ManagedNodeOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get id(): string {
    return nodeIdOf({ host: this.host, port: this.port });
  }

  get port(): number {
    return this.#options.proxy.port;
  }

  get realPort(): number {
    return this.#realPort;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  get state(): LocalNodeState {
    return this.#state;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  get faults(): NodeFaults {
    return this.#options.proxy;
  }

  /** The proxy in front of it. */
  get proxy(): FaultProxy {
    return this.#options.proxy;
  }

  kill(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#server?.kill();
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#server?.stop(STOP_TIMEOUT_MS);
    });
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  pause(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#needServer('paused').pause();
      this.#state = 'paused';
    });
  }

  resume(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#needServer('resumed').resume();
      this.#state = 'running';
    });
  }

  log(lines: number = LOG_LINES): string {
    return logTail(this.#options.logFile, lines);
  }

  /** Kills the server, also while it starts, and takes the proxy away. Never rejects. */
  async destroy(): Promise<void> {
    this.#closed = true;
    this.#options.proxy.destroy();
    const inFlight = this.#turn;
    await this.#server?.kill().catch(() => undefined);
    await inFlight;
    // A start that was under way may have launched another one meanwhile.
    await this.#server?.kill().catch(() => undefined);
    this.#options.proxy.destroy();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(() => {
      if (this.#closed) throw this.#closedError();
      return work();
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #start(): Promise<void> {
    if (this.#server !== undefined) return;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#realPort === 0) this.#realPort = await freePort();
      try {
        await this.#launch();
        break;
      } catch (error) {
        const taken = PORT_TAKEN.test(describeError(error));
        if (this.#closed || !taken || attempt === PORT_ATTEMPTS) throw error;
        this.#realPort = 0;
      }
    }
    await this.#options.proxy.accept();
  }

  async #launch(): Promise<void> {
    const { signal, name } = this.#options;
    const until = performance.now() + START_TIMEOUT_MS;
    this.#state = 'starting';
    let server: RunningServer;
    try {
      server = await this.#options.launch(this.#realPort);
    } catch (error) {
      this.#state = 'stopped';
      throw error;
    }
    this.#server = server;
    let ending: string | undefined;
    void server.ended.then((how) => {
      ending = how;
      this.#ended(server);
    });
    const isReady = this.#options.isReady ?? acceptsConnections;
    while (ending === undefined) {
      if (this.#closed || signal?.aborted === true || performance.now() >= until) {
        await server.kill();
        if (this.#closed) throw this.#closedError();
        if (signal?.aborted === true) throw aborted(`Starting ${name}`, signal.reason);
        throw this.#startError(`it did not answer within ${START_TIMEOUT_MS} ms`);
      }
      // Somebody else's server may answer while ours is about to find its port taken.
      if ((await isReady(this.#realPort)) && ending === undefined && server.running) {
        this.#state = 'running';
        return;
      }
      await Promise.race([sleep(READY_POLL_MS), server.ended]);
    }
    if (this.#closed) throw this.#closedError();
    throw this.#startError(`it ended with ${ending}`);
  }

  #ended(server: RunningServer): void {
    if (this.#server !== server) return;
    this.#server = undefined;
    this.#state = 'stopped';
    // A machine on which no server listens refuses connections.
    this.#options.proxy.refuse();
    this.#options.onEnd?.();
  }

  #needServer(what: string): RunningServer {
    if (this.#server !== undefined) return this.#server;
    throw new StormlampError(
      ErrorCode.NODE_UNREACHABLE,
      `${this.name} cannot be ${what}: it does not run; start() it first`,
      { node: this.id },
    );
  }

  #startError(reason: string): StormlampError {
    const log = this.log(ERROR_LOG_LINES);
    const seen = log === '' ? 'it wrote no log' : `the end of its log:\n${log}`;
    return new StormlampError(
      ErrorCode.SERVER_START,
      `${this.name} did not start: ${reason}. Correct what its log names (an option in \`serverArgs\`, space, memory), then start again; ${seen}`,
      { node: this.id },
    );
  }

  #closedError(): StormlampError {
    return new StormlampError(ErrorCode.CLOSED, `${this.name} is closed with its cluster`, { node: this.id });
  }
}

/** Whether something accepts TCP connections on `port`. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOCAL_HOST, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
