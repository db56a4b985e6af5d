/** A TCP server that answers requests of memcached's binary protocol as a test says, well or badly. */
import { createServer, type Server, type Socket } from 'node:net';

/** One request that the peer got. */
export interface PeerRequest {
  readonly opcode: number;
  readonly key: string;
  readonly extras: Buffer;
  readonly value: Buffer;
  readonly opaque: number;
  readonly cas: bigint;
}

/** One connection to the peer. */
interface PeerConnection {
  readonly socket: Socket;
  /** Requests so far, without the question for the settings that opens every connection. */
  readonly requests: PeerRequest[];
  /** Sizes of the chunks that arrived. */
  readonly chunks: number[];
}

/** A running peer. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly connections: PeerConnection[];
}

type Handler = (request: PeerRequest, connection: PeerConnection) => void;

/** Opcode of the question for statistics. */
const STAT = 0x10;

/** One answer. */
export function answer(
  request: { readonly opcode: number; readonly opaque: number },
  parts: { status?: number; extras?: Buffer; key?: Buffer; value?: Buffer; cas?: bigint } = {},
): Buffer {
  const {
    status = 0,
    extras = Buffer.alloc(0),
    key = Buffer.alloc(0),
    value = Buffer.alloc(0),
    cas = 0n,
  } = parts;
  const header = Buffer.alloc(24);
  header[0] = 0x81;
  header[1] = request.opcode;
  header.writeUInt16BE(key.length, 2);
  header[4] = extras.length;
  header.writeUInt16BE(status, 6);
  header.writeUInt32BE(extras.length + key.length + value.length, 8);
  header.writeUInt32BE(request.opaque, 12);
  header.writeBigUInt64BE(cas, 16);
  return Buffer.concat([header, extras, key, value]);
}

/** The answer to a get. */
export function hit(request: PeerRequest, value: string, cas = 1n): Buffer {
  return answer(request, { extras: Buffer.alloc(4), value: Buffer.from(value), cas });
}

/** Starts a peer; `settings` answers the question for the settings, by default with nothing. */
export async function openPeer(
  onRequest: Handler,
  settings: Handler = (request, { socket }) => socket.write(answer(request)),
): Promise<Peer> {
  const connections: PeerConnection[] = [];
  const server = createServer((socket) => {
    const connection: PeerConnection = { socket, requests: [], chunks: [] };
    connections.push(connection);
    socket.on('error', () => undefined);
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      connection.chunks.push(chunk.length);
      rest = Buffer.concat([rest, chunk]);
      for (let request = first(rest); request !== undefined; request = first(rest)) {
        rest = rest.subarray(request.bytes);
        if (request.opcode === STAT && request.key === 'settings') settings(request, connection);
        else {
          connection.requests.push(request);
          onRequest(request, connection);
        }
      }
    });
  });
  const port = await listen(server);
  return {
    port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const { socket } of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts a server that does `onConnection` with every connection, without knowing any protocol. */
export async function openForeignPeer(onConnection: (socket: Socket) => void): Promise<Peer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  const port = await listen(server);
  return {
    port,
    connections: [],
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

function first(bytes: Buffer): (PeerRequest & { readonly bytes: number }) | undefined {
  if (bytes.length < 24) return undefined;
  const body = bytes.readUInt32BE(8);
  if (bytes.length < 24 + body) return undefined;
  const extras = bytes.readUInt8(4);
  const key = bytes.readUInt16BE(2);
  return {
    bytes: 24 + body,
    opcode: bytes.readUInt8(1),
    opaque: bytes.readUInt32BE(12),
    cas: bytes.readBigUInt64BE(16),
    extras: bytes.subarray(24, 24 + extras),
    key: bytes.toString('utf8', 24 + extras, 24 + extras + key),
    value: bytes.subarray(24 + extras + key, 24 + body),
  };
}
