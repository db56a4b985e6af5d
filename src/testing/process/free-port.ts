/** Finds a port of 127.0.0.1 that nobody listens on and that no outgoing connection will take by chance. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** Where local clusters live. */
export const LOCAL_HOST = '127.0.0.1';
/** Below the range from which Linux (32768) and the BSDs (49152) take the ports of outgoing connections. */
const FIRST_PORT = 10_240;
const LAST_PORT = 32_000;
const ATTEMPTS = 200;

/** A free port. Somebody may take it before it is used: be ready to ask again. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnFreePort(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/**
 * Makes `server` listen on a free port and returns it.
 *
 * @throws StormlampError `ERR_PORT_IN_USE` when no port could be had.
 */
export async function listenOnFreePort(server: Server): Promise<number> {
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    try {
      await listen(server, port);
      return port;
    } catch (error) {
      last = error;
    }
  }
  throw new StormlampError(
    ErrorCode.PORT_IN_USE,
    `No free port of ${LOCAL_HOST} between ${FIRST_PORT} and ${LAST_PORT} was found in ${ATTEMPTS} attempts; close what listens there`,
    { cause: last },
  );
}

/** Makes `server` listen on `port` of this machine. Rejects with the system's own error. */
export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.removeListener('listening', done);
      reject(error);
    };
    const done = (): void => {
      server.removeListener('error', failed);
      resolve();
    };
    server.once('error', failed);
    server.once('listening', done);
    server.listen(port, LOCAL_HOST);
  });
}
