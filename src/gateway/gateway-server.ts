/** Listens, lets clients in, and closes in good order. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { SafeEmitter } from '../common/safe-emitter.js';
import { describeError } from '../common/stormlamp-error.js';
import { AnswerRoom } from './answer-room.js';
import { AttentiveClock } from './attentive-clock.js';
import { FairTurns } from './fair-turns.js';
import { GatewayConnection } from './gateway-connection.js';
import { newCounters } from './gateway-counters.js';
import type { ResolvedSessionGatewayOptions } from './gateway-options.js';
import { type GatewayNodes, gatewayStats } from './gateway-stats.js';
import { GATEWAY_VERSION } from './gateway-version.js';
import type { GatewayItems } from './item-command.js';
import { listenOn } from './listen-on.js';

/** Events of a gateway. */
export interface SessionGatewayEvents {
  /** A client was closed because of what it sent, or did not read. */
  'client-fault': { readonly peer: string; readonly reason: string };
  /** A client was turned away because there are `maxConnections` already. */
  'client-refused': { readonly peer: string; readonly connections: number };
}

interface Peer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** Clients too many that are told so at a time. */
const REFUSALS_AT_ONCE = 64;
/** Windows of reads, of those who ask for many at once, that are under way at a time. */
const TURNS = 8;
/** Answers that clients have asked for and not read, all of them together. */
const ANSWER_BYTES = 256 * 1_048_576;
/** Parts of requests, of all clients together; at least two of the largest. */
const REQUEST_BYTES = 256 * 1_048_576;
const FULL = 'ERROR Too many open connections\r\n';

/** A listening gateway. */
export class GatewayServer extends SafeEmitter<SessionGatewayEvents> {
  readonly #items: GatewayItems;
  readonly #options: ResolvedSessionGatewayOptions;
  readonly #store: () => GatewayNodes;
  readonly #counters = newCounters();
  readonly #connections = new Set<GatewayConnection>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #clock = new AttentiveClock();
  readonly #turns = new FairTurns(TURNS);
  readonly #room = new AnswerRoom(ANSWER_BYTES, this.#clock);
  readonly #requests: AnswerRoom;
  readonly #startedAt = Date.now();
  #closing: Promise<void> | undefined;

  /**
   * Listens to nothing before `listen`.
   *
   * @param store the nodes, for the figures
   */
  constructor(items: GatewayItems, options: ResolvedSessionGatewayOptions, store: () => GatewayNodes) {
    super();
    this.#items = items;
    this.#store = store;
    this.#options = options;
    this.#requests = new AnswerRoom(Math.max(REQUEST_BYTES, 2 * options.maxValueBytes), this.#clock);
    // A client may close its side and still wait for answers.
    const plain = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
    const { tls } = options;
    this.#server =
      tls === undefined
        ? createServer(plain, (socket) => this.#take(socket))
        : createTlsServer({ handshakeTimeout: 10_000, ...tls, ...plain }, (socket) => this.#take(socket));
    // With TLS these are what is below it, from before the handshake.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    // Beyond that no client is told: connections whose TLS handshake does not end count too.
    this.#server.maxConnections = options.maxConnections + REFUSALS_AT_ONCE;
    this.#server.on('drop', (dropped) => this.#refused(peerOf(dropped)));
    this.#server.on('tlsClientError', (error: Error, socket: Socket) => {
      // Those that closing cuts off have done nothing wrong.
      if (this.#server.listening)
        this.publish('client-fault', { peer: peerOf(socket), reason: `TLS: ${describeError(error)}` });
      socket.destroy();
    });
  }

  /** Where it listens: `host:port`, or the path of the unix socket. */
  get address(): string {
    const address = this.#server.address();
    if (address === null) return '';
    if (typeof address === 'string') return address;
    return address.family === 'IPv6'
      ? `[${address.address}]:${address.port}`
      : `${address.address}:${address.port}`;
  }

  /** The port; 0 for a unix socket. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** How many clients there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Its figures, as `stats` tells them to clients. */
  stats(): ReadonlyMap<string, string> {
    return this.#stats('') as ReadonlyMap<string, string>;
  }

  /**
   * Starts to listen.
   *
   * @throws StormlampError `ERR_PORT_IN_USE`, `ERR_INVALID_OPTION` for an address that this machine does not have.
   */
  async listen(): Promise<void> {
    const { listen } = this.#options;
    await listenOn(this.#server, listen);
    this.#clock.start();
    this.#server.once('close', () => this.#clock.stop());
    this.#server.on('error', () => undefined);
    if ('path' in listen) chmodSync(listen.path, listen.mode);
  }

  /** Takes no more clients, answers the requests that have arrived, then closes. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  /** Closes every connection now. */
  destroy(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.drain();
    this.#endHandshakes();
    const timer = setTimeout(() => this.destroy(), this.#options.drainMs);
    await closed;
    clearTimeout(timer);
  }

  /** Who is still in its handshake when the last client is gone has asked for nothing. */
  #endHandshakes(): void {
    if (!this.#server.listening && this.#connections.size === 0)
      for (const socket of this.#sockets) socket.destroy();
  }

  #refused(peer: string): void {
    this.#counters.refused += 1;
    this.publish('client-refused', { peer, connections: this.#connections.size });
  }

  #take(socket: Socket): void {
    const { maxConnections, maxValueBytes, stallTimeoutMs, idleTimeoutMs, credentials } = this.#options;
    if (this.#closing !== undefined) {
      socket.destroy();
      return;
    }
    if (this.#connections.size >= maxConnections) {
      this.#refused(peerOf(socket));
      socket.on('error', () => undefined);
      socket.end(FULL, () => socket.destroy());
      return;
    }
    this.#counters.connections += 1;
    const connection = new GatewayConnection(socket, {
      items: this.#items,
      limits: { maxValueBytes, version: GATEWAY_VERSION, login: credentials !== undefined },
      stallTimeoutMs,
      idleTimeoutMs,
      clock: this.#clock,
      turns: this.#turns,
      room: this.#room,
      requests: this.#requests,
      counters: this.#counters,
      stats: (group) => this.#stats(group),
      login: (username, password) => this.#mayEnter(username, password),
      onFault: ({ peer }, reason) => {
        this.#counters.faults += 1;
        this.publish('client-fault', { peer, reason });
      },
    });
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      this.#endHandshakes();
    });
  }

  #stats(group: string): ReadonlyMap<string, string> | undefined {
    return gatewayStats(group, {
      counters: this.#counters,
      connections: this.#connections.size,
      startedAt: this.#startedAt,
      version: GATEWAY_VERSION,
      store: this.#store(),
      options: this.#options,
    });
  }

  #mayEnter(username: string, password: string): boolean {
    const { credentials } = this.#options;
    if (credentials === undefined) return true;
    const right = sameText(username, credentials.username);
    return sameText(password, credentials.password) && right;
  }
}

/** Compares without telling by its time where they differ. */
function sameText(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function peerOf(socket: Peer | undefined): string {
  return socket?.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
}
