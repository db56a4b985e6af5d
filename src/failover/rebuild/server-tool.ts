/** Runs the client programs of a database server, with their password in a file that only this user can read. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type NodeId, parseNodeAddress } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MysqlCredentials } from '../../mysql/connection-settings.js';

/** A running program. */
export interface RunningTool {
  /** What it reads. */
  readonly stdin: Writable;
  /** What it writes. */
  readonly stdout: Readable;
  /** Resolves when it ended well; rejects with what it said. */
  readonly ended: Promise<void>;
  /** Ends it now. */
  kill(): void;
}

/** What it says is kept up to this length. */
const SAID_LIMIT = 4_000;

/** Calls `work` with a file that holds the login, as these programs read it; the file is gone afterwards. */
export async function withLoginFile<T>(
  { user, password }: MysqlCredentials,
  work: (file: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stormlamp-login-'));
  try {
    const file = join(folder, 'login.cnf');
    const text = `[client]\nuser=${quoted(user)}\npassword=${quoted(password)}\n`;
    await writeFile(file, text, { mode: 0o600 });
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Arguments that name a server and the login for it. */
export function placeOf(login: string, node: NodeId): readonly string[] {
  const { socketPath, host, port } = parseNodeAddress('node', node, 3306);
  const place =
    socketPath === undefined
      ? ['--protocol=tcp', `--host=${host}`, `--port=${port}`]
      : [`--socket=${socketPath}`];
  return [`--defaults-extra-file=${login}`, ...place];
}

/** Starts `command`, a program and its first arguments. Whoever aborts `signal` ends it. */
export function startTool(
  command: readonly string[],
  args: readonly string[],
  signal: AbortSignal,
): RunningTool {
  const [program = '', ...first] = command;
  const child = spawn(program, [...first, ...args], {
    // Messages stand in journals, and are not to be translated.
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  });
  const { stdin, stdout } = child;
  // A program that ends early closes what it reads; how it ended is told by `ended`.
  stdin.on('error', () => undefined);
  const ended = endOf(child, program);
  ended.catch(() => undefined);
  return { stdin, stdout, ended, kill: () => void child.kill('SIGKILL') };
}

function endOf(child: ChildProcess, program: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_LIMIT);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const missing = (cause as { code?: unknown }).code === 'ENOENT';
      const message = missing
        ? `The program \`${program}\` is not there; install it, or name it in \`programs\``
        : `\`${program}\` was ended: ${cause.message}`;
      reject(new StormlampError(missing ? ErrorCode.UNSUPPORTED : ErrorCode.ABORTED, message, { cause }));
    });
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve();
      else {
        const how = killedBy === null ? `failed with ${code}` : `was ended by ${killedBy}`;
        reject(new StormlampError(ErrorCode.UNSUPPORTED, `\`${program}\` ${how}: ${said.trim()}`));
      }
    });
  });
}

/** A value in an option file. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
