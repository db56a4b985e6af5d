/**
 * Looks at mounts in a process of its own. `process.exit()` waits for the threads of file calls, and for one that hangs it waits for
 * ever: a command that had one in its own process could print its report, and never end with its exit code.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { answered, type MountAnswer, type MountQuestion } from './mount-question.js';
import type { MountFile, MountReader, MountsView } from './mount-reader.js';

const PROGRAM = fileURLToPath(new URL('./mount-program.js', import.meta.url));

/** See the head of this file. */
export const mountsApart: MountReader = {
  look: (...args) => ask<MountsView>({ call: 'look', args }),
  read: (...args) => ask<readonly MountFile[]>({ call: 'read', args }),
};

function ask<T>(question: MountQuestion): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(PROGRAM, {
      // Bytes stay bytes.
      serialization: 'advanced',
      // It may outlive the command in a call that cannot be ended: nobody who reads what the command prints is to wait for it.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // Ctrl-C is the command's.
      detached: true,
    });
    let isOver = false;
    const leave = (): void => {
      isOver = true;
      process.off('exit', leave);
      child.kill('SIGKILL');
      if (child.connected) child.disconnect();
      child.unref();
    };
    const fail = (why: string): void => {
      if (isOver) return;
      leave();
      reject(new StormlampError(ErrorCode.INTERNAL, `The process that looks at the mounts ${why}`));
    };
    process.once('exit', leave);
    child.on('error', (error) => fail(`cannot be asked: ${error.message}`));
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal} before it answered`));
    child.once('message', (answer: MountAnswer) => {
      if (isOver) return;
      leave();
      try {
        resolve(answered(answer) as T);
      } catch (error) {
        reject(error);
      }
    });
    child.send(question);
  });
}
