/** Waits that can be in vain: nothing is left in the process that could end them, or other code ends the process first. */
import type { StormlampError } from '../common/stormlamp-error.js';

/** What to say of a wait that was in vain. */
export interface VainWait {
  /** Nothing is left to do, and what is waited for is not there. */
  readonly starved: () => StormlampError;
  /** Other code ended the process meanwhile (`process.exit`). */
  readonly ended: () => StormlampError;
}

interface Pending {
  readonly words: VainWait;
  readonly reject: (error: StormlampError) => void;
}

/** The outermost first. */
const pending: Pending[] = [];

/** Settles as `work` does, or rejects with {@link VainWait.starved}. Of waits within each other the innermost is told first. */
export async function unlessInVain<T>(work: () => Promise<T>, words: VainWait): Promise<T> {
  let reject: Pending['reject'] = () => undefined;
  const starved = new Promise<never>((_resolve, fail) => {
    reject = fail;
  });
  const own = { words, reject };
  if (pending.length === 0) process.on('beforeExit', tellInnermost);
  pending.push(own);
  try {
    return await Promise.race([work(), starved]);
  } finally {
    pending.splice(pending.indexOf(own), 1);
    if (pending.length === 0) process.off('beforeExit', tellInnermost);
  }
}

/** Of the innermost wait under way: what to say when the process ends now; undefined when there is none. */
export function endedInVain(): StormlampError | undefined {
  return pending.at(-1)?.words.ended();
}

function tellInnermost(): void {
  const innermost = pending.at(-1);
  innermost?.reject(innermost.words.starved());
  // The process asks once more, for the waits around it.
  setImmediate(() => undefined);
}
