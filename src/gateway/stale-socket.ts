/** Removes the unix socket that a dead process left behind. */
import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/** Removes `path` when it is a socket on which nobody listens; anything else stays, and listening there will fail. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isSocket()) return;
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (refused) unlinkSync(path);
}
