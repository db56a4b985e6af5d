/** Runs programs of the set-up so that nothing of them is left when the script is interrupted. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { interrupted, SetupError } from './setup-error.mjs';

/** The project's folder. */
export const ROOT = resolve(import.meta.dirname, '..');
/** What ends a script, from the keyboard, from a supervisor, from a closed terminal. */
export const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const KILL_AFTER_MS = 3_000;

/**
 * Runs a program to its end; its output goes to standard error so that standard output stays free.
 *
 * It leads a process group of its own. A signal that ends this script ends the whole group first: npm and the programs
 * that it has started would go on by themselves, and write into the folder of the next run.
 */
export function run(command, args, options = {}) {
  const { output = 'stderr', env = {}, quiet = false } = options;
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : output === 'stdout' ? 'inherit' : 2, quiet ? 'pipe' : 2],
      detached: true,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        text += chunk;
      });
    }
    let wasInterrupted = false;
    let killTimer;
    const end = () => {
      if (wasInterrupted) return;
      wasInterrupted = true;
      signalGroup(child.pid, 'SIGTERM');
      killTimer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS);
    };
    for (const signal of END_SIGNALS) process.on(signal, end);
    const stopListening = () => {
      clearTimeout(killTimer);
      for (const signal of END_SIGNALS) process.off(signal, end);
    };
    child.once('error', (cause) => {
      stopListening();
      fail(cannotRun(command, cause));
    });
    child.once('exit', () => {
      // What the leader has left behind may still hold its pipes.
      if (wasInterrupted) signalGroup(child.pid, 'SIGKILL');
    });
    child.once('close', (code, signal) => {
      stopListening();
      if (wasInterrupted) fail(interrupted());
      else done({ code: code ?? 128, signal, text });
    });
  });
}

/** Runs a program of `node_modules/.bin` with this Node. */
export function runBin(name, args, options) {
  return run(join(ROOT, 'node_modules', '.bin', name), args, options);
}

function signalGroup(leader, signal) {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // Nobody of the group is left.
    if (error.code !== 'ESRCH') throw error;
  }
}

function cannotRun(command, cause) {
  const inside = command.startsWith(join(ROOT, 'node_modules'));
  const remedy = inside
    ? 'the npm packages are not complete: remove node_modules and run this again'
    : 'install it, or add its folder to the PATH';
  return new SetupError(`${command} cannot be run (${cause.code ?? cause.message}); ${remedy}.`, { cause });
}
