/** Lets one process at a time change what all scripts of this folder share: `node_modules` and `dist`. */
import { randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { END_SIGNALS, ROOT } from './run-child.mjs';
import { interrupted, SetupError } from './setup-error.mjs';

const FILE = join(ROOT, '.stormlamp', 'setup.lock');
const POLL_MS = 100;
const REPORT_MS = 10_000;
const HEARTBEAT_MS = 5_000;
/** A holder of another machine or container cannot be looked at; silent for so long, it is dead. */
const SILENT_MS = 60_000;

/** Does `work` while no other process does such; waits for the one that does, and says so. */
export async function withWorkspaceLock(work) {
  const release = await takeLock();
  try {
    return await work();
  } finally {
    release();
  }
}

async function takeLock() {
  const abort = new AbortController();
  const end = () => abort.abort();
  for (const signal of END_SIGNALS) process.on(signal, end);
  const started = performance.now();
  let nextReport = 0;
  try {
    for (;;) {
      const release = tryLock();
      if (release !== undefined) return release;
      const text = readText(FILE);
      if (text !== undefined && isStale(text)) {
        discard(text);
        continue;
      }
      const waited = performance.now() - started;
      if (waited >= nextReport) {
        nextReport += REPORT_MS;
        process.stderr.write(
          `Waiting for process ${parse(text).pid ?? '?'}, which sets up this folder (${Math.round(waited / 1000)} s); if it hangs, end it, or remove ${FILE}\n`,
        );
      }
      await sleep(POLL_MS, undefined, { signal: abort.signal }).catch(() => undefined);
      if (abort.signal.aborted) throw interrupted();
    }
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, end);
  }
}

function tryLock() {
  const token = randomUUID();
  const own = `${FILE}.${token}`;
  try {
    mkdirSync(join(ROOT, '.stormlamp'), { recursive: true });
    writeFileSync(
      own,
      JSON.stringify({ pid: process.pid, start: startOf(process.pid), place: place(), token }),
    );
    // A link appears with its content, and fails when the name is taken.
    linkSync(own, FILE);
  } catch (error) {
    if (error.code === 'EEXIST') return undefined;
    throw new SetupError(
      `This folder cannot be written (${error.code}); free some space, or use a folder of your own.`,
      { cause: error },
    );
  } finally {
    rmSync(own, { force: true });
  }
  const isOurs = () => readText(FILE)?.includes(token) === true;
  const heartbeat = setInterval(() => {
    if (isOurs()) utimesSync(FILE, new Date(), new Date());
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return () => {
    clearInterval(heartbeat);
    if (isOurs()) rmSync(FILE, { force: true });
  };
}

function isStale(text) {
  const holder = parse(text);
  if (holder.place === place()) return holder.start !== startOf(holder.pid);
  const found = statSync(FILE, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > SILENT_MS;
}

/** Takes a stale lock away, but not one that somebody else has taken since `text` was read. */
function discard(text) {
  const aside = `${FILE}.${randomUUID()}`;
  try {
    renameSync(FILE, aside);
    if (readText(aside) !== text) linkSync(aside, FILE);
  } catch {
    // Somebody else was faster.
  } finally {
    rmSync(aside, { force: true });
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** The start of a process, in the kernel's ticks: ids are used again. Without /proc: whether it is there. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return process.platform === 'linux' ? 'ended' : isThere(pid);
  }
}

function isThere(pid) {
  try {
    process.kill(pid, 0);
    return 'there';
  } catch (error) {
    return error.code === 'EPERM' ? 'there' : 'ended';
  }
}

/** Where process ids mean the same: one boot of one machine, one container. */
function place() {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
