/** Listens on a port or a unix socket, and says what to do where that cannot be. */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { ResolvedSessionGatewayOptions } from './gateway-options.js';
import { removeStaleSocket } from './stale-socket.js';

/** The longest path of a socket, in bytes. */
const LONGEST_PATH = 107;

type Place = ResolvedSessionGatewayOptions['listen'];

/**
 * Has `server` listen; a socket that a dead process left is removed before.
 *
 * @throws StormlampError `ERR_PORT_IN_USE`, `ERR_INVALID_OPTION` for a place that there is not, or not for this user.
 */
export async function listenOn(server: Server, listen: Place): Promise<void> {
  try {
    await begin(server, listen);
  } catch (error) {
    throw listenError(listen, error);
  }
}

async function begin(server: Server, listen: Place): Promise<void> {
  if ('path' in listen) await removeStaleSocket(listen.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Listens for a moment, to learn whether that can be before anything else is set about. Of a unix socket under another name: who waits for
 * that file waits for a gateway that serves. Errors: as {@link listenOn}.
 */
export async function tryToListen(listen: Place): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  try {
    const place = 'path' in listen ? await besideOf(listen) : listen;
    if (place === undefined) return;
    await begin(server, place);
  } catch (error) {
    throw listenError(listen, error);
  }
  await new Promise((closed) => server.close(closed));
}

/** Another name in the folder of a socket that can be made there; undefined where there is no room for one. */
async function besideOf({ path, mode }: Extract<Place, { path: string }>): Promise<Place | undefined> {
  await removeStaleSocket(path);
  if (existsSync(path)) throw Object.assign(new Error('it is there'), { code: 'EADDRINUSE' });
  const beside = join(dirname(path), `.${process.pid}.try`);
  return Buffer.byteLength(beside) > LONGEST_PATH ? undefined : { path: beside, mode };
}

function listenError(listen: ResolvedSessionGatewayOptions['listen'], error: unknown): StormlampError {
  const isPath = 'path' in listen;
  const where = isPath ? listen.path : `${listen.host}:${listen.port}`;
  const given = (error as NodeJS.ErrnoException).code;
  // Node says EACCES of a folder that is not there, too.
  const code = given === 'EACCES' && isPath && !existsSync(dirname(listen.path)) ? 'ENOENT' : given;
  const [why, remedy] = REASONS[code ?? '']?.(isPath) ?? [describeError(error), 'choose another address'];
  return new StormlampError(
    code === 'EADDRINUSE' ? ErrorCode.PORT_IN_USE : ErrorCode.INVALID_OPTION,
    `The gateway cannot listen on ${where}: ${why}; ${remedy}`,
    { cause: error },
  );
}

/** What the system's codes mean for who listens, and what to do. */
const REASONS: Readonly<Record<string, (isPath: boolean) => readonly [string, string]>> = {
  EADDRINUSE: (isPath) =>
    isPath
      ? [
          'another process listens there, or a file of that name is no socket',
          'stop it, remove the file, or choose another path',
        ]
      : ['another process does', 'stop it, or choose another port'],
  EACCES: (isPath) =>
    isPath
      ? ['its folder may not be written by this user', 'give the folder to the user of the gateway']
      : ['ports below 1024 are not for every user', 'choose a higher one'],
  ENOENT: () => ['its folder does not exist', 'make the folder (systemd: `RuntimeDirectory=`)'],
  ENOTDIR: () => ['a part of its path is no folder', 'correct the path'],
  EADDRNOTAVAIL: () => ['this machine has no such address', 'name one of its own, like 127.0.0.1'],
  ENOTFOUND: () => ['the name is not known', 'correct it, or give an address, like 127.0.0.1'],
  EAI_AGAIN: () => ['the name cannot be looked up now', 'give an address, like 127.0.0.1'],
};
