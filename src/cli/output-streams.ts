/** What becomes of a command whose output is not taken: a reader who left is no failure, a disk that is full is one. */

/** The part of a stream that is used. */
interface Output {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Lets a command finish when nobody reads `stream` any more (`stormlamp status | head -1`): a switchover must not stop midway
 * because of that. `onLost` is told, once, of output that could not be written for another reason.
 */
export function keepRunning(stream: Output, onLost: (error: NodeJS.ErrnoException) => void): void {
  let isLost = false;
  stream.on('error', (error) => {
    if (error.code === 'EPIPE' || isLost) return;
    isLost = true;
    onLost(error);
  });
}
