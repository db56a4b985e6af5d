/** Where a server listens, and the id by which the whole package calls it. */
import { invalidOption } from './option-reader.js';

/** The name of a node in topologies, events and errors: `host:port`, or the path of a unix socket. */
export type NodeId = string;

/** A TCP endpoint or a unix socket. */
export type NodeAddress =
  | { readonly host: string; readonly port: number; readonly socketPath?: undefined }
  | { readonly socketPath: string; readonly host?: undefined; readonly port?: undefined };

/** The id of the node at `address`; IPv6 hosts are in brackets. */
export function nodeIdOf(address: NodeAddress): NodeId {
  if (address.socketPath !== undefined) return address.socketPath;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * Reads `host`, `host:port`, `[v6]:port` or `/path/of/socket`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming `path`.
 */
export function parseNodeAddress(path: string, text: unknown, defaultPort: number): NodeAddress {
  if (typeof text !== 'string' || text === '') throw invalidOption(path, "an address like 'host:port'", text);
  if (text.startsWith('/')) return { socketPath: text };
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535)
    throw invalidOption(path, "an address like 'host:port'", text);
  return { host, port };
}
