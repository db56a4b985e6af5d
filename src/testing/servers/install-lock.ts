/**
 * Lets one process at a time install a package set. The lock only saves work: two processes that install the same
 * set do no harm, because a finished folder appears by one rename.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { isAlive, ownIdentity, type ProcessIdentity, parseIdentity } from './process-identity.js';

/** How a lock is waited for. */
export interface InstallLockOptions {
  /** The longest wait. */
  readonly timeoutMs: number;
  /** Stops the wait. */
  readonly signal: AbortSignal | undefined;
  /** Called about once a second while another process holds the lock. */
  readonly onWait: (waitedMs: number, holder: ProcessIdentity | undefined) => void;
}

/** A held lock. */
export interface InstallLock {
  /** What the lock's file holds, and that of no other lock. */
  readonly token: string;
  /** Gives it back. */
  release(): void;
}

const POLL_MS = 100;
const REPORT_MS = 1_000;
const HEARTBEAT_MS = 5_000;
/** A holder that cannot be looked at (another machine or container) and that is silent for so long is dead. */
const SILENT_MS = 60_000;

/**
 * Takes the lock `file`, after its holder if there is one. The lock of a dead process is taken over at once.
 *
 * @throws StormlampError `ERR_TIMEOUT` naming the holder, or `ERR_ABORTED`.
 */
export async function takeInstallLock(file: string, options: InstallLockOptions): Promise<InstallLock> {
  const started = performance.now();
  let reported = Number.NEGATIVE_INFINITY;
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    const text = readText(file);
    const holder = text === undefined ? undefined : parseIdentity(text);
    if (text !== undefined && isStale(file, holder)) {
      discard(file, text);
      continue;
    }
    const waited = performance.now() - started;
    if (waited >= options.timeoutMs) {
      throw new StormlampError(
        ErrorCode.TIMEOUT,
        `Another process${holder === undefined ? '' : ` (${holder.pid})`} has been installing for ${Math.round(waited / 1000)} s; ` +
          `if it hangs, end it, or remove ${file}`,
      );
    }
    if (waited - reported >= REPORT_MS) {
      reported = waited;
      options.onWait(waited, holder);
    }
    // A timer that does not keep the process alive would end a program that waits for nothing else.
    await sleep(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => undefined,
    );
    if (options.signal?.aborted === true)
      throw aborted('Waiting for the installation', options.signal.reason);
  }
}

function tryLock(file: string): InstallLock | undefined {
  const token = randomUUID();
  const own = `${file}.${token}`;
  try {
    writeFileSync(own, JSON.stringify({ ...ownIdentity(), token }), { flag: 'wx' });
    // A link appears with its content, and fails when the name is taken.
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
  const isOurs = (): boolean => readText(file)?.includes(token) === true;
  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      if (isOurs()) utimesSync(file, now, now);
    } catch {
      // Somebody removed the cache folder; the installation itself will tell.
    }
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    token,
    release: () => {
      clearInterval(heartbeat);
      if (isOurs()) rmSync(file, { force: true });
    },
  };
}

function isStale(file: string, holder: ProcessIdentity | undefined): boolean {
  const alive = holder === undefined ? 'unknown' : isAlive(holder);
  if (alive !== 'unknown') return alive === 'no';
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > SILENT_MS;
}

/** Takes a stale lock away, but not one that somebody else has taken since `text` was read. */
function discard(file: string, text: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  try {
    if (readText(aside) !== text) linkSync(aside, file);
  } catch {
    // A third process was faster; installing twice is harmless.
  } finally {
    rmSync(aside, { force: true });
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
