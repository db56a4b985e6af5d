/**
 * The front of memjs, which speaks memcached's binary protocol: it does SASL, reads answers and finds the request that each
 * belongs to. Sockets, deadlines and faults are ours: one memjs client and server per connection, thrown away
 * together, so that nothing of a faulted connection survives in memjs.
 */
import type { Socket } from 'node:net';
import { Client, type Response, type ResponseCallback, Server } from 'memjs';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { BinaryNode } from './binary-node.js';
import { dialNode } from './dial-node.js';
import { foreignPeer } from './foreign-peer.js';
import type { MemcachedNode } from './memcached-node.js';
import {
  type MemcachedNodeOptions,
  type ResolvedMemcachedNodeOptions,
  resolveMemcachedNodeOptions,
} from './memcached-node-options.js';
import { Status } from './memcached-status.js';
import type { NodeConnection } from './node-connection.js';
import { Opcode } from './opcode.js';
import type { CallCarrier, PendingCall } from './pending-call.js';
import { requestFrames } from './request-frame.js';
import { type FrameFault, ResponseFrames } from './response-frames.js';
import type { WireRequest } from './wire-message.js';

export { isNodeFault } from './node-fault.js';

/**
 * Makes the client of one memcached server. It connects at the first call, and again after every fault.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createMemcachedNode(options: MemcachedNodeOptions): MemcachedNode {
  const resolved = resolveMemcachedNodeOptions(options);
  return new BinaryNode(resolved, (onEnd) => new MemjsConnection(resolved, onEnd));
}

/** Sequence numbers stay below 2^31, where memjs would turn them negative. */
export function nextSequence(sequence: number): number {
  return sequence >= 0x7fff_fffe ? 1 : sequence + 1;
}

const SASL_LIST = 0x20;
const SASL_AUTH = 0x21;
/** The server was built or started without SASL: it takes everybody. */
const SASL_UNKNOWN_COMMAND = 0x81;
/** Requests of one turn up to this many bytes are copied into one buffer: cheaper than one vector per request. */
const JOIN_BYTES = 65_536;

/** memjs's client with our sequence and without its retries and its log. */
class MemjsClient extends Client {
  constructor(server: Server) {
    super([server], { retries: 0, logger: { log: () => undefined } });
  }

  override incrSeq(): void {
    this.seq = nextSequence(this.seq);
  }
}

/** A call with the numbers of its requests: the one whose answer ends it, and those before it. */
interface Carried {
  readonly call: PendingCall;
  readonly seq: number;
  readonly quiet: readonly number[];
}

class MemjsConnection extends Server implements NodeConnection, CallCarrier {
  heard = false;
  readonly #options: ResolvedMemcachedNodeOptions;
  readonly #onEnd: (connection: NodeConnection) => void;
  readonly #client: Client;
  readonly #frames = new ResponseFrames(0);
  readonly #socket: Socket;
  #connectTimer: NodeJS.Timeout | undefined;
  #outgoing: (Carried & { readonly request: Buffer })[] = [];
  #flushing = false;
  #ready = false;
  #ended = false;
  #current: Carried | undefined;

  constructor(options: ResolvedMemcachedNodeOptions, onEnd: (connection: NodeConnection) => void) {
    super(undefined, undefined, undefined, undefined, {});
    this.#options = options;
    this.#onEnd = onEnd;
    // memjs would otherwise take credentials from the environment.
    this.username = options.credentials?.username;
    this.password = options.credentials?.password;
    this.#client = new MemjsClient(this);
    this.#client.seq = options.firstSequence - 1;
    this.#socket = this.#dial();
  }

  get bodyLimit(): number {
    return this.#frames.bodyLimit;
  }

  set bodyLimit(bytes: number) {
    this.#frames.bodyLimit = bytes;
  }

  send(wire: WireRequest, call: PendingCall): void {
    const { opcode, key } = wire;
    const seq = this.#nextSeq();
    const request = requestFrames([wire], [seq]);
    this.#current = { seq, call, quiet: [] };
    if (opcode === Opcode.STAT) this.#performInParts(seq, request, call);
    else {
      this.#client.perform(key, request, seq, (error, response) => {
        if (response !== null) this.#answer(call, opcode, response);
        else call.failed(error);
      });
    }
  }

  sendAll(requests: readonly WireRequest[], call: PendingCall): void {
    const seqs = requests.map(() => this.#nextSeq());
    const bytes = requestFrames(requests, seqs);
    const seq = seqs.pop() ?? 0;
    for (const [place, number] of seqs.entries()) {
      const { opcode } = requests[place] as WireRequest;
      this.onResponse(number, (response) => void this.#answer(call, opcode, response, place));
    }
    this.#current = { seq, call, quiet: seqs };
    const last = requests[seqs.length] as WireRequest;
    this.#client.perform(last.key, bytes, seq, (error, response) => {
      this.#forget(seqs);
      if (response !== null) this.#answer(call, last.opcode, response, seqs.length);
      else call.failed(error);
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#stop();
    super.error(
      new StormlampError(ErrorCode.CLOSED, `The client of memcached ${this.#options.id} is closed`, {
        node: this.#options.id,
      }),
    );
    this.#socket.end();
    // A peer that never answers our FIN must not keep the process alive.
    this.#socket.unref();
    this.#socket.setTimeout(this.#options.connectTimeoutMs, () => this.#socket.destroy());
  }

  fault(error: StormlampError): void {
    if (this.#ended) return;
    this.#stop();
    this.#socket.destroy();
    super.error(error);
  }

  /** memjs's way to fail a connection; it only does so for refused credentials. */
  override error(reason: unknown): void {
    this.fault(
      new StormlampError(
        ErrorCode.ACCESS_DENIED,
        this.#options.credentials === undefined
          ? `memcached ${this.#options.id} wants a user name and a password (SASL); give \`username\` and \`password\``
          : `memcached ${this.#options.id} refused the credentials of user '${this.#options.credentials.username}' (SASL)`,
        { cause: reason, node: this.#options.id },
      ),
    );
  }

  override sock(_sasl: boolean, go: (socket: Socket) => void): void {
    if (!this.#ended) go(this.#socket);
  }

  /**
   * memjs hands over a framed request: it waits until everything that has arrived is dealt with, so that what many clients asked at
   * one time leaves in one packet. A write costs more than all else about a small request.
   */
  override write(request: Buffer): void {
    if (this.#current === undefined) return;
    this.#outgoing.push({ request, ...this.#current });
    if (this.#ready) this.#flushSoon();
  }

  /** Frames come whole, so memjs need not copy them together. */
  override appendToBuffer(frame: Buffer): Buffer {
    this.responseBuffer = frame;
    return frame;
  }

  #dial(): Socket {
    const { connectTimeoutMs } = this.#options;
    const socket = dialNode(this.#options, () => this.#authenticate());
    this.#connectTimer = setTimeout(
      () => this.#lost(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => this.#lost(error));
    socket.on('end', () => this.#lost(new Error('the server closed the connection')));
    socket.on('close', () => this.#lost(new Error('the connection was closed')));
    return socket;
  }

  #authenticate(): void {
    this.once('authenticated', () => {
      clearTimeout(this.#connectTimer);
      this.#ready = true;
      this.#flush();
    });
    if (this.username === undefined) this.emit('authenticated');
    else this.listSasl();
  }

  #received(chunk: Buffer): void {
    const wrong = this.#frames.push(chunk, (frame) => {
      this.#take(frame);
      return !this.#ended;
    });
    if (wrong !== undefined && !this.#ended) this.fault(this.#protocolError(wrong));
  }

  #take(frame: Buffer): void {
    this.heard = true;
    const opcode = frame[1];
    if (opcode === SASL_LIST || opcode === SASL_AUTH) {
      const status = frame.readUInt16BE(6);
      // memjs would hand the credentials to whoever asks for them, at any time, and takes all statuses but one for a success.
      if (this.#ready || this.username === undefined) this.#unasked();
      else if (status === Status.OK || status === SASL_UNKNOWN_COMMAND) this.responseHandler(frame);
      else this.error(`SASL status ${status}`);
    } else if (
      frame.readUInt16BE(6) !== Status.AUTH_ERROR &&
      this.responseCallbacks[frame.readUInt32BE(12)] === undefined
    ) {
      this.#unasked();
    } else this.responseHandler(frame);
  }

  #performInParts(seq: number, request: Buffer, call: PendingCall): void {
    const callback: ResponseCallback = (response) => {
      // memjs keeps a quiet callback until an answer without a body; an error status has one and is the last.
      callback.quiet = !this.#answer(call, Opcode.STAT, response);
    };
    callback.quiet = true;
    this.onResponse(seq, callback);
    this.onError(seq, (error) => call.failed(error));
    this.write(request);
  }

  #nextSeq(): number {
    this.#client.incrSeq();
    return this.#client.seq;
  }

  // Quiet requests that were not answered by now are misses.
  #forget(quiet: readonly number[]): void {
    for (const seq of quiet) delete this.responseCallbacks[seq];
  }

  #answer(call: PendingCall, opcode: Opcode, response: Response, place = 0): boolean {
    if (response.header.opcode === opcode) return call.answered(response, place);
    this.#unasked();
    return true;
  }

  #unasked(): void {
    this.fault(
      new StormlampError(
        ErrorCode.PROTOCOL,
        `memcached ${this.#options.id} answered what it was not asked; its connection was thrown away`,
        { node: this.#options.id },
      ),
    );
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#ended) return;
    const requests: Buffer[] = [];
    let bytes = 0;
    const now = performance.now();
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const { request, seq, quiet, call } of outgoing) {
      if (call.waiting) {
        call.sent(this, now);
        requests.push(request);
        bytes += request.length;
      } else {
        delete this.responseCallbacks[seq];
        delete this.errorCallbacks[seq];
        this.#forget(quiet);
        call.skipped();
      }
    }
    if (bytes <= JOIN_BYTES) {
      if (bytes > 0)
        this.#socket.write(requests.length === 1 ? (requests[0] ?? '') : Buffer.concat(requests, bytes));
      return;
    }
    this.#socket.cork();
    for (const request of requests) this.#socket.write(request);
    this.#socket.uncork();
  }

  #stop(): void {
    this.#ended = true;
    this.#outgoing = [];
    clearTimeout(this.#connectTimer);
    this.#onEnd(this);
  }

  #lost(cause: Error): void {
    const { id } = this.#options;
    const what = this.#ready
      ? `The connection to memcached ${id} was lost: ${describeError(cause)}`
      : `No connection to memcached ${id}: ${describeError(cause)}; check that memcached runs there`;
    const hint =
      this.#ready && !this.heard ? ' (it never answered: is it memcached, with its binary protocol on?)' : '';
    this.fault(new StormlampError(ErrorCode.NODE_UNREACHABLE, what + hint, { cause, node: id }));
  }

  #protocolError({ kind, bytes }: FrameFault): StormlampError {
    const { id } = this.#options;
    const peer = foreignPeer(bytes);
    const text =
      kind === 'length'
        ? `${id} sent an answer whose lengths are impossible or larger than items may be there; the connection was thrown away`
        : this.heard
          ? `${id} sent bytes that are not memcached's binary protocol; the connection was thrown away`
          : `The server at ${id} does not look like memcached${peer === undefined ? '' : `: it answers like ${peer}`}; check the port`;
    return new StormlampError(ErrorCode.PROTOCOL, text, { node: id });
  }
}
