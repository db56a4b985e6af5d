/** Opens the socket to a server: TCP over IPv4 or IPv6, a unix socket, with or without TLS. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { NodeAddress } from '../common/node-address.js';

/** Where to, and how. */
export interface DialOptions {
  /** The server. */
  readonly address: NodeAddress;
  /** Options of TLS, or undefined for none. */
  readonly tls: ConnectionOptions | undefined;
}

const KEEP_ALIVE_MS = 30_000;

/** A socket that connects; `onReady` is called when it may be written to, TLS included. */
export function dialNode({ address, tls }: DialOptions, onReady: () => void): Socket {
  const target =
    address.socketPath !== undefined
      ? { path: address.socketPath }
      : {
          host: address.host,
          port: address.port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_MS,
        };
  if (tls === undefined) return connectTcp(target, onReady);
  // A name is sent to the server only when it is one: an address is no valid server name in TLS.
  const named = address.host !== undefined && isIP(address.host) === 0 ? { servername: address.host } : {};
  return connectTls({ ...named, ...tls, ...target }, onReady);
}
