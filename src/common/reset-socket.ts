/** Ends a connection at once, with what was not sent yet. */
import type { Socket } from 'node:net';

/**
 * Ends a socket with a reset, so that the system does not go on trying to deliver what was written before. A socket that is not
 * connected, or no plain TCP, is only destroyed. So is one that was told to end: the system refuses to reset it while it is
 * shutting down, and Node then loses the handle, with which the process would spin at its exit for ever.
 */
export function resetSocket(socket: Socket): void {
  const isPlain = socket.remoteFamily !== undefined && !('encrypted' in socket);
  if (isPlain && !socket.writableEnded) socket.resetAndDestroy();
  else socket.destroy();
}
