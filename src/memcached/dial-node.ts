/** Opens the socket to a server: TCP over IPv4 or IPv6, a unix socket, with or without TLS. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { NodeAddress } from '../common/node-address.js';
import { noteCarrier } from '../common/reset-socket.js';

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
      : { host: address.host, port: address.port };
  const socket = open(target, tls, onReady);
  if (address.socketPath === undefined) {
    // Requests of one turn are already put together: waiting for more of them would only cost time.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }
  return socket;
}

function open(
  target: { readonly path: string } | { readonly host: string; readonly port: number },
  tls: ConnectionOptions | undefined,
  onReady: () => void,
): Socket {
  if (tls === undefined) return connectTcp(target, onReady);
  // A name is sent to the server only when it is one: an address is no valid server name in TLS.
  const named = 'host' in target && isIP(target.host) === 0 ? { servername: target.host } : {};
  if ('path' in target) return connectTls({ ...named, ...tls, ...target }, onReady);
  const carrier = connectTcp(target);
  // The host is still what the certificate has to name.
  const socket = connectTls({ ...named, ...tls, ...target, socket: carrier }, onReady);
  noteCarrier(socket, carrier);
  return socket;
}
