/** Unpacks Debian packages into a folder: files only, no scripts, no owners, no setuid bits. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aborted } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** What {@link unpackPackages} takes. */
export interface UnpackOptions {
  /** The folder with the `.deb` files. */
  readonly archives: string;
  /** The existing folder that they are unpacked into. */
  readonly into: string;
  /** More variables for the environment of the programs that unpack. */
  readonly env: Readonly<Record<string, string>>;
  /** Called after each package. */
  readonly onUnpacked: (done: number, total: number) => void;
  /** Stops the work. */
  readonly signal: AbortSignal | undefined;
}

/** Unpacking is bound by decompression; more than this gains nothing on a small machine. */
const PARALLEL = 2;
const DPKG = 'dpkg-deb';
/** Read by people only, and a third of all files. */
const LEFT_OUT = ['./usr/share/man/*', './usr/share/info/*', './usr/share/locale/*/LC_MESSAGES/*'] as const;

/**
 * Unpacks every package of a folder.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` naming the package that could not be unpacked, or `ERR_ABORTED`.
 */
export async function unpackPackages(options: UnpackOptions): Promise<void> {
  const { archives, into, onUnpacked, signal } = options;
  const env = { ...process.env, ...options.env };
  const files = readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .sort();
  const waiting = [...files];
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      if (signal?.aborted === true) throw aborted('Unpacking packages', signal.reason);
      await unpack(join(archives, file), into, env);
      done += 1;
      onUnpacked(done, files.length);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  // Both workers have ended here, so nobody writes into the folder any more when the caller removes it.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function unpack(file: string, into: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const tar = spawn(
      'tar',
      [
        '-xf',
        '-',
        '-C',
        into,
        '--no-same-owner',
        '--no-same-permissions',
        '--keep-directory-symlink',
        '--warning=no-timestamp',
        ...LEFT_OUT.map((pattern) => `--exclude=${pattern}`),
      ],
      { env, stdio: ['pipe', 'ignore', 'pipe'] },
    );
    const dpkg = spawn(DPKG, ['--fsys-tarfile', file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let complaint = '';
    const note = (text: Buffer): void => {
      complaint = (complaint + text.toString('utf8')).slice(0, 2_000);
    };
    tar.stderr.on('data', note);
    dpkg.stderr.on('data', note);
    // A tar that ended early closes the pipe; its exit code tells why.
    tar.stdin.on('error', () => undefined);
    dpkg.stdout.pipe(tar.stdin);
    const ended = Promise.all([exitCode(dpkg), exitCode(tar)]);
    ended.then(
      (codes) => {
        if (codes.every((code) => code === 0)) resolve();
        else reject(broken(file, complaint.trim()));
      },
      (cause: unknown) => {
        dpkg.kill();
        tar.kill();
        reject(broken(file, String(cause)));
      },
    );
  });
}

function exitCode(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

function broken(file: string, reason: string): StormlampError {
  return new StormlampError(
    ErrorCode.SERVER_MISSING,
    `The package ${file} could not be unpacked: ${reason === '' ? 'no reason was given' : reason}. ` +
      'Check the free space of the disk (or set STORMLAMP_CACHE to a folder on a larger one) and that dpkg-deb and tar can be run.',
  );
}
