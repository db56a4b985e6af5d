/** Ends a connection at once, with what was not sent yet. */
import type { Socket } from 'node:net';

/** What carries TLS: a socket with TLS cannot be reset itself. */
const CARRIERS = new WeakMap<Socket, Socket>();

/** Remembers that `socket`, which has TLS, is carried by the TCP connection `carrier`. */
export function noteCarrier(socket: Socket, carrier: Socket): void {
  CARRIERS.set(socket, carrier);
}

/**
 * Ends a socket with a reset, so that the system does not go on trying to deliver what was written before. A socket that is not
 * connected, or no TCP, is only destroyed, as is one with TLS whose carrier nobody noted. So is one that was told to end: the system
 * refuses to reset it while it is shutting down, and Node then loses the handle, with which the process would spin at its exit for ever.
 */
export function resetSocket(socket: Socket): void {
  const carrier = 'encrypted' in socket ? CARRIERS.get(socket) : socket;
  if (carrier?.remoteFamily === undefined || socket.writableEnded || carrier.writableEnded) socket.destroy();
  else if (carrier === socket) socket.resetAndDestroy();
  else {
    // TLS still holds the handle until it closes its carrier itself: reset before that, it takes the process down.
    const { destroy } = carrier;
    carrier.destroy = (error) => {
      carrier.destroy = destroy;
      return error === undefined ? carrier.resetAndDestroy() : carrier.destroy(error);
    };
    socket.destroy();
  }
}
