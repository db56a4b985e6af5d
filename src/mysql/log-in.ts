/** Waits until a connection of the driver is logged in, and finds out what is at the other end when it is not. */
import type { Socket } from 'node:net';
import type { Connection } from 'mysql2';
import type { Deadline } from '../common/deadline.js';
import { describeError } from '../common/stormlamp-error.js';
import { socketOf } from './physical-connection.js';
import { parseServerVersion, type ServerVersion } from './server-version.js';

/** The end of the time limit that is used to ask a silent peer what it is, in milliseconds, but never more than a quarter. */
const KNOCK_MS = 150;
/** memcached, Redis and HTTP servers wait for the client to speak, and answer this. MySQL speaks first. */
const KNOCK = 'version\r\n\r\n';

/**
 * The version of the server once `raw` is logged in. Rejects with the driver's error, with one whose code is `ETIMEDOUT` or
 * `HANDSHAKE_NOT_MYSQL`, or with `ERR_ABORTED`; the connection is closed then.
 */
export function logIn(raw: Connection, deadline: Deadline): Promise<ServerVersion> {
  return new Promise((resolve, reject) => {
    const socket = socketOf(raw);
    const peer = new Peer(socket, () => fail(notMysql()));
    let timer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(timer);
      deadline.signal?.removeEventListener('abort', onAbort);
      peer.leave();
    };
    const fail = (error: unknown): void => {
      finish();
      raw.destroy();
      socketOf(raw).destroy();
      reject(error instanceof Error ? error : new Error(describeError(error)));
    };
    const onAbort = (): void => fail(deadline.expired('Connecting') ?? deadline.timeout('Connecting'));
    // A listener stays for the life of the connection: whatever the driver reports later must not end the process.
    raw.on('error', fail);
    raw.once('connect', (handshake: { readonly serverVersion?: string }) => {
      finish();
      raw.on('error', () => undefined);
      raw.off('error', fail);
      resolve(parseServerVersion(String(handshake.serverVersion ?? '')));
    });
    deadline.signal?.addEventListener('abort', onAbort, { once: true });
    const limitMs = Math.min(deadline.remainingMs(), 2_147_483_647);
    const knockMs = Math.min(KNOCK_MS, limitMs / 4);
    timer = setTimeout(() => {
      peer.knock();
      timer = setTimeout(() => fail(timedOut(peer.state)), knockMs);
    }, limitMs - knockMs);
    if (deadline.signal?.aborted === true) onAbort();
  });
}

/** What is known of the other end. `greeted`: it speaks MySQL, but the login is not over. */
export type PeerState = 'unconnected' | 'silent' | 'greeted';

/** Listens to the first bytes, before the driver does: it would take a foreign greeting for a long packet and wait. */
class Peer {
  state: PeerState = 'unconnected';
  readonly #socket: Socket;
  readonly #onForeign: () => void;

  constructor(socket: Socket, onForeign: () => void) {
    this.#socket = socket;
    this.#onForeign = onForeign;
    socket.once('connect', this.#onConnect);
    socket.prependListener('data', this.#onBytes);
  }

  /** Asks a peer that has said nothing. */
  knock(): void {
    if (this.state === 'silent') this.#socket.write(KNOCK);
  }

  leave(): void {
    this.#socket.off('connect', this.#onConnect);
    this.#socket.off('data', this.#onBytes);
  }

  readonly #onConnect = (): void => {
    this.state = 'silent';
  };

  readonly #onBytes = (bytes: Buffer): void => {
    this.#socket.off('data', this.#onBytes);
    if (isGreeting(bytes)) this.state = 'greeted';
    else this.#onForeign();
  };
}

/** A first packet has number 0, and is a greeting of protocol 10 (or 9) or an error. */
function isGreeting(bytes: Buffer): boolean {
  if (bytes.length > 3 && bytes[3] !== 0) return false;
  const kind = bytes[4];
  return kind === undefined || kind === 0x0a || kind === 0x09 || kind === 0xff;
}

function notMysql(): Error {
  const error = new Error('what it sends is not a greeting of MySQL');
  return Object.assign(error, { code: 'HANDSHAKE_NOT_MYSQL', fatal: true });
}

/** The error of a login that took too long; `state` is how far it came. */
export function timedOut(state: PeerState): Error {
  const detail = {
    unconnected: '',
    silent: ' (it accepted the connection and said nothing)',
    greeted: ' (it did not complete the login in time)',
  }[state];
  const error = new Error(`connect ETIMEDOUT${detail}`);
  return Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect', fatal: true });
}
