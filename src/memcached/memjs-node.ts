/**
 * The front of memjs, which speaks memcached's binary protocol: it does SASL and finds the request that each answer belongs to.
 * Sockets, deadlines, faults and what answers hold are ours: one memjs server per connection, thrown away with it, so that
 * nothing of a faulted connection survives in memjs.
 */
import type { Socket } from 'node:net';
import { type ResponseCallback, Server } from 'memjs';
import { resetSocket } from '../common/reset-socket.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { BinaryNode } from './binary-node.js';
import { connectError } from './connect-error.js';
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
import { framesLength, writeFrames } from './request-frame.js';
import { type FrameFault, ResponseFrames } from './response-frames.js';
import type { WireRequest } from './wire-message.js';
import { WireResponse } from './wire-response.js';

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

/**
 * The first of `count` numbers in a row behind `sequence`. They stay below 2^31, where memjs would turn them negative.
 */
export function nextSequence(sequence: number, count = 1): number {
  return sequence + count > 0x7fff_fffe ? 1 : sequence + 1;
}

const SASL_LIST = 0x20;
const SASL_AUTH = 0x21;
/** The server was built or started without SASL: it takes everybody. */
const SASL_UNKNOWN_COMMAND = 0x81;
/** Requests of one turn up to this many bytes are copied into one buffer: cheaper than one vector per request. */
const JOIN_BYTES = 65_536;

/** Requests that were not sent yet, the number of the first of them, and the call that they are for. */
interface Outgoing {
  readonly requests: readonly WireRequest[];
  readonly first: number;
  readonly call: PendingCall;
}

class MemjsConnection extends Server implements NodeConnection, CallCarrier {
  heard = false;
  readonly #options: ResolvedMemcachedNodeOptions;
  readonly #onEnd: (connection: NodeConnection) => void;
  readonly #frames = new ResponseFrames(0);
  readonly #socket: Socket;
  readonly #takeFrame = (bytes: Buffer, start: number, end: number): boolean => {
    this.heard = true;
    const opcode = bytes[start + 1];
    if (opcode === SASL_LIST || opcode === SASL_AUTH) this.#takeSasl(bytes.subarray(start, end));
    else {
      const response = new WireResponse(bytes, start);
      if (response.status === Status.AUTH_ERROR) this.error('it wants a login');
      else if (this.responseCallbacks[response.opaque] === undefined) this.#unasked();
      else this.respond(response);
    }
    return !this.#ended;
  };
  #connectTimer: NodeJS.Timeout | undefined;
  #outgoing: Outgoing[] = [];
  /** The number that was given last. */
  #sequence: number;
  #flushing = false;
  readonly #flushNow = (): void => this.#flush();
  #ready = false;
  #ended = false;

  constructor(options: ResolvedMemcachedNodeOptions, onEnd: (connection: NodeConnection) => void) {
    super(undefined, undefined, undefined, undefined, {});
    this.#options = options;
    this.#onEnd = onEnd;
    // memjs would otherwise take credentials from the environment.
    this.username = options.credentials?.username;
    this.password = options.credentials?.password;
    this.#sequence = options.firstSequence - 1;
    this.#socket = this.#dial();
  }

  get bodyLimit(): number {
    return this.#frames.bodyLimit;
  }

  set bodyLimit(bytes: number) {
    this.#frames.bodyLimit = bytes;
  }

  /**
   * It waits until everything that has arrived is dealt with, so that what many clients asked at one time leaves in one packet. A write
   * costs more than all else about a small request.
   */
  send(requests: readonly WireRequest[], call: PendingCall): void {
    const first = nextSequence(this.#sequence, requests.length);
    const last = first + requests.length - 1;
    this.#sequence = last;
    const callback: ResponseCallback = (response) =>
      this.#answer(requests, first, call, response as WireResponse);
    for (let seq = first; seq <= last; seq += 1) this.onResponse(seq, callback);
    if (requests[0]?.opcode === Opcode.STAT) this.#keepForParts(first, requests, call);
    this.onError(last, (error) => call.failed(error));
    this.#outgoing.push({ requests, first, call });
    if (this.#ready) this.#flushSoon();
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
    // What was not sent yet must not arrive when the way is free again, long after somebody else did the same work.
    resetSocket(this.#socket);
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
    const wrong = this.#frames.push(chunk, this.#takeFrame);
    if (wrong !== undefined && !this.#ended) this.fault(this.#protocolError(wrong));
  }

  #takeSasl(frame: Buffer): void {
    const status = frame.readUInt16BE(6);
    // memjs would hand the credentials to whoever asks for them, at any time, and takes all statuses but one for a success.
    if (this.#ready || this.username === undefined) this.#unasked();
    else if (status === Status.OK || status === SASL_UNKNOWN_COMMAND) this.responseHandler(frame);
    else this.error(`SASL status ${status}`);
  }

  // memjs keeps a quiet callback until an answer without a body; an error status has one and is the last.
  #keepForParts(seq: number, requests: readonly WireRequest[], call: PendingCall): void {
    const callback: ResponseCallback = (response) => {
      callback.quiet = !this.#answer(requests, seq, call, response as WireResponse);
    };
    callback.quiet = true;
    this.onResponse(seq, callback);
  }

  #answer(
    requests: readonly WireRequest[],
    first: number,
    call: PendingCall,
    response: WireResponse,
  ): boolean {
    const place = response.opaque - first;
    if (response.opcode !== requests[place]?.opcode) {
      this.#unasked();
      return true;
    }
    // Quiet requests that were not answered by the last one are misses.
    if (place === requests.length - 1) this.#forget(first, place);
    return call.answered(response, place);
  }

  #forget(first: number, count: number): void {
    for (let seq = first; seq < first + count; seq += 1) delete this.responseCallbacks[seq];
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
    setImmediate(this.#flushNow);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#ended) return;
    const now = performance.now();
    const sending: Outgoing[] = [];
    let length = 0;
    for (const out of this.#outgoing) {
      if (out.call.waiting) {
        out.call.sent(this, now);
        sending.push(out);
        length += framesLength(out.requests);
      } else this.#skip(out);
    }
    this.#outgoing = [];
    if (length <= JOIN_BYTES) {
      if (length > 0) this.#write(sending, length);
      return;
    }
    this.#socket.cork();
    for (const out of sending) this.#write([out], framesLength(out.requests));
    this.#socket.uncork();
  }

  #write(sending: readonly Outgoing[], length: number): void {
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for (const { requests, first } of sending) at = writeFrames(bytes, at, requests, first);
    this.#socket.write(bytes);
  }

  #skip({ requests, first, call }: Outgoing): void {
    this.#forget(first, requests.length);
    delete this.errorCallbacks[first + requests.length - 1];
    call.skipped();
  }

  #stop(): void {
    this.#ended = true;
    this.#outgoing = [];
    clearTimeout(this.#connectTimer);
    this.#onEnd(this);
  }

  #lost(cause: Error): void {
    this.fault(this.#ready ? this.#lostError(cause) : connectError(this.#options.id, cause));
  }

  #lostError(cause: Error): StormlampError {
    const { id } = this.#options;
    const hint = this.heard
      ? ''
      : ' (it never answered: is it memcached, with its binary protocol on, and TLS on both sides or on neither?)';
    const what = `The connection to memcached ${id} was lost: ${describeError(cause)}${hint}`;
    return new StormlampError(ErrorCode.NODE_UNREACHABLE, what, { cause, node: id });
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
