/** The machine that figures were taken on: without it they say little. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Its description, the day, and how busy the machine is with other things right now. */
export function machine() {
  const { model } = cpus()[0] ?? { model: 'unknown processor' };
  return {
    machine: `${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${system()}, Linux ${release()}`,
    load: Number(loadavg()[0].toFixed(2)),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

function system() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}
