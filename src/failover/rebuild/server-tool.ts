/** Runs the client programs of a database server, with their password in a file that only this user can read. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
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

/** The argument that names a login file. */
const LOGIN = '--defaults-extra-file=';
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
  return [`${LOGIN}${login}`, ...place];
}

/** How the programs are called that read a login file; the first ones bear names that nothing else does. */
const COPIER = /^(mariadb|mysql)-?(dump|binlog)(\.exe)?$/;
const CLIENT = /^(mariadb|mysql)(\.exe)?$/;

/**
 * `command`, a program and its first arguments, with `args` behind it. A login file goes right behind the program, as its first
 * argument, or the program takes it for an unknown one.
 */
export function commandLine(command: readonly string[], args: readonly string[]): readonly string[] {
  const login = args.filter((each) => each.startsWith(LOGIN));
  const others = args.filter((each) => !each.startsWith(LOGIN));
  const end = programIn(command) + 1;
  return [...command.slice(0, end), ...login, ...command.slice(end), ...others];
}

/** Where in `command` the client program is: another one may start it, as `nice -n 5 mariadb-dump`. The first word when none is. */
function programIn(command: readonly string[]): number {
  const [first = ''] = command;
  if (CLIENT.test(basename(first))) return 0;
  const copier = command.findIndex((word) => COPIER.test(basename(word)));
  if (copier >= 0) return copier;
  const found = command.flatMap((word, index) => (CLIENT.test(basename(word)) ? [index] : []));
  const behindOptions = found.find((index) => command[index - 1] === '--');
  if (behindOptions !== undefined) return behindOptions;
  // An account, a container and a database may be called so, too. What stands behind an option may be its value: `-u mysql`.
  const free = found.filter((index) => !command[index - 1]?.startsWith('-'));
  // Every server has a database `mysql`, which may stand behind the program.
  const named = free.findLast((index) => basename(command[index] ?? '').startsWith('mariadb'));
  return named ?? free.at(-1) ?? found.at(-1) ?? 0;
}

/** Starts {@link commandLine}. Whoever aborts `signal` ends it. */
export function startTool(
  command: readonly string[],
  args: readonly string[],
  signal: AbortSignal,
): RunningTool {
  const [program = '', ...rest] = commandLine(command, args);
  const child = spawn(program, rest, {
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

/** That every one of `commands` is there and understands its arguments. Rejects with what the first of them said that does not. */
export async function assertPrograms(
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<void> {
  for (const command of commands) {
    const tool = startTool(command, ['--version'], signal);
    tool.stdin.end();
    tool.stdout.resume();
    await tool.ended;
  }
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
