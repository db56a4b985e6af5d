/** The machine that figures were taken on, and the state of the code: without them they say little. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Its description. */
export function machine() {
  const { model } = cpus()[0] ?? { model: 'unknown processor' };
  return {
    machine: `${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${system()}, Linux ${kernel()}`,
    node: process.version,
  };
}

/** What is measured right now: the commit, the day, and how busy the machine is with other things. */
export function moment() {
  return {
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    load: Number(loadavg()[0].toFixed(2)),
  };
}

/** With a mark where sources were changed since; null where there is no repository. */
function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', ['-C', import.meta.dirname, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
    const isChanged = git('status', '--porcelain', '--', ':/src', ':(top,glob)bench/**/*.mjs') !== '';
    return `${git('rev-parse', '--short=7', 'HEAD')}${isChanged ? ', changed' : ''}`;
  } catch {
    return null;
  }
}

/** Without its build, which changes with every update and what is measured does not. */
function kernel() {
  return /^\d+\.\d+/.exec(release())?.[0] ?? release();
}

function system() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}
