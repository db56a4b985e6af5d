/** Percona's own `pt-heartbeat`, beside a database of a local cluster. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../../common/deadline.js';
import {
  invalidOption,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
} from '../../common/option-reader.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { LocalDatabaseNode } from '../nodes/local-node.js';
import { logTail } from '../process/log-tail.js';
import type { RunningServer } from '../process/running-server.js';
import type { ServerLauncher } from '../process/server-launcher.js';
import type { LocalAccount } from './local-accounts.js';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const LOG_LINES = 15;

/** How {@link LocalCluster.ptHeartbeat} runs the program. */
export interface PtHeartbeatOptions {
  /** The server that it writes on. Default: the primary. */
  readonly node?: LocalDatabaseNode | undefined;
  /** The table, made when it is not there, in the application's database. Default `'heartbeat'`. */
  readonly table?: string | undefined;
  /** How often it writes, in milliseconds, at least 10. Default 1000, the program's own. */
  readonly intervalMs?: number | undefined;
  /** More arguments, like `--utc`. */
  readonly args?: readonly string[] | undefined;
}

/** A running `pt-heartbeat`. It goes through the proxy of its node, so it feels its faults. */
export interface LocalPtHeartbeat {
  /** Its process id. */
  readonly pid: number | undefined;
  /** Whether it has not ended; it ends by itself when its server stays away. */
  readonly running: boolean;
  /** What it wrote. */
  log(): string;
  /** Ends it. Again: nothing. */
  stop(): Promise<void>;
}

/** What {@link startPtHeartbeat} is given by its cluster. */
export interface PtHeartbeatPlace {
  /** A name that no other part of the cluster has. */
  readonly name: string;
  /** The cluster's folder. */
  readonly clusterFolder: string;
  /** The application's database. */
  readonly database: string;
  /** The account that it logs in with. */
  readonly account: LocalAccount;
  /** The server that it writes on when none is named. */
  readonly primary: LocalDatabaseNode;
  /** Starts it. */
  readonly launcher: ServerLauncher;
}

/**
 * Starts the program, and resolves when its first row is there.
 *
 * @throws StormlampError `ERR_SERVER_START` with what it wrote, `ERR_INVALID_OPTION`.
 */
export async function startPtHeartbeat(
  place: PtHeartbeatPlace,
  options: PtHeartbeatOptions = {},
): Promise<LocalPtHeartbeat> {
  rejectUnknownOptions('options', options, ['node', 'table', 'intervalMs', 'args']);
  const node = options.node ?? place.primary;
  const table = readTable(options.table);
  const intervalMs = readNumber('options.intervalMs', options.intervalMs, 1_000, { min: 10, max: 60_000 });
  const more = readStrings('options.args', options.args, []);
  const folder = join(place.clusterFolder, place.name);
  mkdirSync(folder, { mode: 0o700 });
  // On the command line the password could be read by everybody.
  const login = join(folder, 'login.cnf');
  const { user, password } = place.account;
  writeFileSync(login, `[client]\nuser=${quoted(user)}\npassword=${quoted(password)}\n`, { mode: 0o600 });
  const logFile = join(folder, 'pt-heartbeat.log');
  const running = await place.launcher.launch({
    server: 'pt-heartbeat',
    name: place.name,
    folder,
    logFile,
    args: [
      '--update',
      '--create-table',
      `--defaults-file=${login}`,
      `--host=${node.host}`,
      `--port=${node.port}`,
      `--database=${place.database}`,
      `--table=${table}`,
      `--interval=${intervalMs / 1_000}`,
      ...more,
    ],
  });
  const log = (): string => logTail(logFile, LOG_LINES);
  try {
    await firstRow(node, `\`${place.database}\`.\`${table}\``, running);
  } catch (cause) {
    await running.kill();
    throw new StormlampError(
      ErrorCode.SERVER_START,
      `${place.name} wrote nothing into ${place.database}.${table} of ${node.name}; it said: ${log()}`,
      { cause, node: node.id },
    );
  }
  return {
    get pid() {
      return running.pid;
    },
    get running() {
      return running.running;
    },
    log,
    stop: () => running.stop(STOP_TIMEOUT_MS),
  };
}

async function firstRow(node: LocalDatabaseNode, table: string, running: RunningServer): Promise<void> {
  const deadline = Deadline.of({}, START_TIMEOUT_MS);
  while (running.running) {
    const rows = await node.query(`SELECT 1 FROM ${table} LIMIT 1`).catch(() => []);
    if (rows.length > 0) return;
    deadline.check('The first heartbeat');
    await sleep(POLL_MS);
  }
  throw new StormlampError(ErrorCode.SERVER_START, `It ended with ${await running.ended}`);
}

function readTable(value: unknown): string {
  const name = readString('options.table', value, 'heartbeat');
  if (/^[A-Za-z0-9_]{1,64}$/.test(name)) return name;
  throw invalidOption('options.table', 'at most 64 letters, digits and underscores', name);
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
