/** One client's connection through the proxy. */
import { connect, type Socket } from 'node:net';
import { resetSocket } from '../../common/reset-socket.js';
import { BytePipe } from './byte-pipe.js';
import { conditionsOf, type FaultRule } from './direction-conditions.js';
import { concerns, type Traffic, type TrafficDetector } from './traffic.js';

/**
 * `waiting`: accepted, the server does not know of it. `orphan`: the server has forgotten it. `closed`: both ends gone.
 */
type Phase =
  | { readonly name: 'waiting' }
  | {
      readonly name: 'open';
      readonly server: Socket;
      readonly toServer: BytePipe;
      readonly toClient: BytePipe;
    }
  | { readonly name: 'orphan' }
  | { readonly name: 'closed' };

/** How a connection is made and where its end is reported. */
export interface ProxiedConnectionOptions {
  /** The accepted socket, with `allowHalfOpen`. */
  readonly client: Socket;
  /** Where the server listens. */
  readonly server: { readonly host: string; readonly port: number };
  /** The faults in force. */
  readonly rules: readonly FaultRule[];
  /** Finds out whose connection it is; left out where all are clients'. */
  readonly detector: TrafficDetector | undefined;
  /** Called once when both ends are gone. */
  readonly onClose: () => void;
}

/** Two sockets and what passes between them. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #address: { readonly host: string; readonly port: number };
  readonly #onClose: () => void;
  readonly #detector: TrafficDetector | undefined;
  #traffic: Traffic;
  #rules: readonly FaultRule[];
  #phase: Phase = { name: 'waiting' };
  /** An end that broke while nothing passed: the other one is told when something passes again. */
  #brokenEnd = false;

  /** Takes over the accepted socket. */
  constructor(options: ProxiedConnectionOptions) {
    this.#client = options.client;
    this.#address = options.server;
    this.#rules = options.rules;
    this.#onClose = options.onClose;
    this.#detector = options.detector;
    this.#traffic = { kind: options.detector === undefined ? 'clients' : 'unknown' };
    this.#client.setNoDelay(true);
    this.#client.on('error', () => undefined);
    this.#client.once('close', (failed) => this.#clientClosed(failed));
  }

  /** Begins to pass bytes. */
  start(): void {
    this.#apply();
  }

  /** Puts the faults `rules` in force and ends all others. */
  update(rules: readonly FaultRule[]): void {
    this.#rules = rules;
    this.#apply();
  }

  /** Ends both sides with a reset. */
  reset(): void {
    const phase = this.#phase;
    if (phase.name === 'closed') return;
    this.#close();
    resetSocket(this.#client);
    if (phase.name === 'open') resetSocket(phase.server);
  }

  #apply(): void {
    const phase = this.#phase;
    if (phase.name === 'closed') return;
    const rules = this.#concerning();
    const has = (kind: FaultRule['kind']): boolean => rules.some((rule) => rule.kind === kind);
    if (has('reset')) {
      this.reset();
    } else if (has('half-open')) {
      this.#forget();
    } else if (phase.name === 'orphan') {
      this.reset();
    } else if (phase.name === 'waiting') {
      // A server that cannot be reached does not see the connection being made.
      if (!conditionsOf(rules, 'to-server').held) this.#open(rules);
      else this.#client.pause();
    } else {
      phase.toServer.update(conditionsOf(rules, 'to-server'));
      phase.toClient.update(conditionsOf(rules, 'to-client'));
      if (this.#brokenEnd && !phase.toServer.held && !phase.toClient.held) this.reset();
    }
  }

  #concerning(): readonly FaultRule[] {
    return this.#rules.filter((rule) => concerns(rule.only, this.#traffic));
  }

  #learn(bytes: Buffer): void {
    if (this.#detector === undefined || this.#detector.done) return;
    const before = this.#traffic;
    this.#traffic = this.#detector.read(bytes);
    if (before !== this.#traffic && this.#rules.length > 0) this.#apply();
  }

  #open(rules: readonly FaultRule[]): void {
    // Before the pipe listens, so that a fault is in force for the very bytes that tell whom it concerns.
    if (this.#detector !== undefined) this.#client.on('data', (bytes: Buffer) => this.#learn(bytes));
    const server = connect({ ...this.#address, allowHalfOpen: true, noDelay: true });
    server.on('error', () => undefined);
    server.once('close', (failed) => this.#serverClosed(server, failed));
    this.#phase = {
      name: 'open',
      server,
      toServer: new BytePipe(this.#client, server, conditionsOf(rules, 'to-server')),
      toClient: new BytePipe(server, this.#client, conditionsOf(rules, 'to-client')),
    };
  }

  #forget(): void {
    const phase = this.#phase;
    if (phase.name === 'orphan') return;
    this.#phase = { name: 'orphan' };
    if (phase.name === 'open') {
      phase.toServer.stop();
      phase.toClient.stop();
      phase.server.destroy();
    }
    // Read and thrown away, so that the client can go on writing.
    this.#client.on('data', () => undefined);
    this.#client.once('end', () => this.#client.end());
    this.#client.resume();
  }

  #clientClosed(failed: boolean): void {
    const phase = this.#phase;
    if (phase.name === 'closed') return;
    if (phase.name !== 'open') this.#close();
    else if (failed) this.#breakOther(phase.toServer.held, phase.server);
    else if (phase.server.destroyed) this.#close();
  }

  #serverClosed(server: Socket, failed: boolean): void {
    const phase = this.#phase;
    if (phase.name !== 'open' || phase.server !== server) return;
    if (failed) this.#breakOther(phase.toClient.held, this.#client);
    else if (this.#client.destroyed) this.#close();
  }

  #breakOther(held: boolean, other: Socket): void {
    if (held) {
      this.#brokenEnd = true;
      return;
    }
    this.#close();
    resetSocket(other);
  }

  #close(): void {
    const phase = this.#phase;
    if (phase.name === 'closed') return;
    this.#phase = { name: 'closed' };
    if (phase.name === 'open') {
      phase.toServer.stop();
      phase.toClient.stop();
    }
    this.#onClose();
  }
}
