/** `npm run demo`: does everything that a fresh clone needs, then plays the demo of the command line program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { END_SIGNALS } from './run-child.mjs';
import { runScript } from './setup-error.mjs';
import { ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

const WATCH_EVERY_MS = 300;

/** The processes that npm started this one through: a shell and npm itself, where the system tells. */
function launchers() {
  const parent = process.ppid;
  try {
    const afterName = readFileSync(`/proc/${parent}/stat`, 'utf8').split(') ').at(-1);
    const shell = /^\/?(?:.*\/)?(?:sh|bash|dash)$/.test(readFileSync(`/proc/${parent}/comm`, 'utf8').trim());
    return shell ? [parent, Number(afterName.split(' ')[1])] : [parent];
  } catch {
    return [parent];
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Ends the demo when npm is killed: nobody could press Ctrl-C any more. */
function endWithLauncher() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const watched = launchers();
  const timer = setInterval(() => {
    if (watched.every(isAlive)) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, WATCH_EVERY_MS);
  timer.unref();
}

/** Keeps signals until the program is there that answers them. */
function holdSignals() {
  let held;
  const hold = (signal) => {
    held = signal;
  };
  for (const signal of END_SIGNALS) process.on(signal, hold);
  return () => {
    for (const signal of END_SIGNALS) process.off(signal, hold);
    if (held !== undefined) process.kill(process.pid, held);
  };
}

endWithLauncher();
await runScript(async () => {
  await ensureDependencies();
  await ensureBuild();
  // In this very process: killed with SIGKILL, it takes the demo with it, and the guardian cleans up.
  const program = join(ROOT, 'dist', 'cli', 'main.js');
  process.argv = [process.execPath, program, 'demo', ...process.argv.slice(2)];
  const release = holdSignals();
  await import(pathToFileURL(program).href);
  release();
});
