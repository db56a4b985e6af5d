/** The process that looks at mounts for a command: it answers one question, and is killed by who asked it. */
import { answerOf, type MountQuestion } from './mount-question.js';
import { mountsHere } from './mount-reader.js';

// The end of whoever asked: where a call hangs, the process could not end by itself.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (question: MountQuestion) => {
  void answerOf(mountsHere, question).then((answer) => process.send?.(answer));
});
