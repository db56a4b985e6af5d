/** A running gateway, as its user sees it. */
import { SafeEmitter } from '../common/safe-emitter.js';
import type { GatewayServer, SessionGatewayEvents } from './gateway-server.js';

/** A listening gateway. Made by `startSessionGateway`. */
export class SessionGateway extends SafeEmitter<SessionGatewayEvents> {
  readonly #server: GatewayServer;
  readonly #release: () => void;

  /** @internal */
  constructor(server: GatewayServer, release: () => void) {
    super();
    this.#server = server;
    this.#release = release;
    server.on('client-fault', (event) => this.publish('client-fault', event));
    server.on('client-refused', (event) => this.publish('client-refused', event));
  }

  /** Where it listens: `host:port`, or the path of its unix socket. */
  get address(): string {
    return this.#server.address;
  }

  /** The port; 0 for a unix socket. */
  get port(): number {
    return this.#server.port;
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#server.connections;
  }

  /** Its figures, in memcached's words, as `stats` tells them to clients. */
  stats(): ReadonlyMap<string, string> {
    return this.#server.stats();
  }

  /** Takes no more clients, answers the requests that have arrived, then closes. Safe to call twice. */
  async close(): Promise<void> {
    await this.#server.close();
    this.#release();
  }

  /** Closes every connection now. */
  destroy(): void {
    this.#server.destroy();
    this.#release();
  }

  /** Same as {@link SessionGateway.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
