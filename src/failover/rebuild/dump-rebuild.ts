/** A rebuild hook for MariaDB: stops the node, loads a dump of the primary into it, and sets where it goes on. */
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { holdNode } from './hold-node.js';
import {
  literal,
  type RebuildMeans,
  type RebuildOptions,
  type RebuildSession,
  readRebuildOptions,
} from './rebuild-options.js';
import { saveTransactions } from './save-transactions.js';
import { placeOf, startTool, withLoginFile } from './server-tool.js';

/** Databases that every server has, and that a dump does not bring or must not lose before it comes. */
const OWN = ['mysql', 'information_schema', 'performance_schema', 'sys'];
/** A dump tells its position in its first lines. */
const HEAD_BYTES = 65_536;
const PROGRESS_MS = 5_000;

/**
 * A `rebuild` hook for MariaDB by `mariadb-dump` and `mariadb`, which run on this machine. The primary goes on working; the node
 * loses every database that the primary does not have, and its binary logs, and is marked as diverged until all is loaded, so that
 * nobody takes half a copy for a replica.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function dumpRebuild(
  options: RebuildOptions,
): (request: RebuildRequest) => Promise<'rebuilt' | 'skipped'> {
  const means = readRebuildOptions('dumpRebuild', options);
  return (request) =>
    holdNode(request, means, 'mariadb', async (session) => {
      await saveTransactions(request, means, session);
      await empty(session);
      const history = await historyOf(request, means);
      const position = await copy(request, means);
      await session.ask('RESET MASTER');
      await remember(request, session, historyAt(history, position));
      await session.ask(`SET GLOBAL gtid_slave_pos=${literal(position)}`);
      request.log(`${request.node} has the data of ${request.from} up to ${position}`);
    });
}

/** Stops replication and drops all data; a transaction of its own says until the end that it must not follow anybody. */
async function empty(session: RebuildSession): Promise<void> {
  await session.ask('STOP ALL SLAVES');
  await session.ask('RESET SLAVE ALL');
  await session.ask('CREATE DATABASE IF NOT EXISTS stormlamp_rebuild');
  await session.ask('SET SESSION sql_log_bin=0, SESSION foreign_key_checks=0');
  for (const row of await session.ask('SHOW DATABASES')) {
    const name = String(row['Database']);
    if (!OWN.includes(name.toLowerCase()))
      await session.ask(`DROP DATABASE \`${name.replaceAll('`', '``')}\``);
  }
}

/** What each server has written so far, as the primary knows it. */
async function historyOf({ from, signal }: RebuildRequest, means: RebuildMeans): Promise<string> {
  const session = await means.open(from, signal);
  try {
    const [row] = await session.ask('SELECT @@GLOBAL.gtid_binlog_state AS history');
    return String(row?.['history'] ?? '').replace(/\s/g, '');
  } finally {
    session.close();
  }
}

/** `history`, which is older than `position`, as it was there: what is named last in a domain counts as its last transaction. */
export function historyAt(history: string, position: string): string {
  const origin = (gtid: string): string => gtid.slice(0, gtid.lastIndexOf('-'));
  const last = position.split(',').filter((gtid) => gtid !== '');
  const known = new Set(last.map(origin));
  const before = history.split(',').filter((gtid) => gtid !== '' && !known.has(origin(gtid)));
  return [...before, ...last].join(',');
}

/**
 * Its copy has what former primaries wrote, too, and a node is chosen as a primary by that. Without the privilege it takes part all
 * the same, and is not preferred to nodes that can prove more.
 */
async function remember(request: RebuildRequest, session: RebuildSession, history: string): Promise<void> {
  try {
    await session.ask(`SET GLOBAL gtid_binlog_state=${literal(history)}`);
  } catch (error) {
    request.log(
      `${request.node} does not remember what former primaries wrote, and may be refused as a primary for that: ${describeError(error)}. ` +
        'Grant BINLOG ADMIN to the account that rebuilds',
    );
  }
}

/** Pipes the dump from one server into the other; resolves with the position that it stands for. */
async function copy(request: RebuildRequest, means: RebuildMeans): Promise<string> {
  const { node, from, log, signal } = request;
  const { programs } = means;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  return withLoginFile(await means.login(), async (login) => {
    const dump = startTool(programs.dump ?? ['mariadb-dump'], [...placeOf(login, from), ...DUMP], both);
    const load = startTool(programs.client ?? ['mariadb'], [...placeOf(login, node), ...LOAD], both);
    dump.stdin.end();
    load.stdout.resume();
    const meter = new Meter((bytes) =>
      log(`${node}: ${Math.round(bytes / 1_048_576)} MiB of ${from} are loaded`),
    );
    try {
      await Promise.all([pipeline(dump.stdout, meter, load.stdin), dump.ended, load.ended]);
    } catch (error) {
      stop.abort();
      throw await firstTrouble([dump.ended, load.ended], error);
    }
    return positionAt(request, means, meter.head);
  });
}

/** Where the primary stood when the dump was taken: programs tell it as a place in its binary log, and only the server knows more. */
async function positionAt(
  { from, signal }: RebuildRequest,
  means: RebuildMeans,
  head: string,
): Promise<string> {
  const [, file = '', offset = ''] = /MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)/.exec(head) ?? [];
  const session = await means.open(from, signal);
  try {
    const [row] =
      file === '' ? [] : await session.ask(`SELECT BINLOG_GTID_POS(${literal(file)}, ${offset}) AS position`);
    const position: unknown = row?.['position'];
    if (typeof position === 'string') return position;
  } finally {
    session.close();
  }
  throw new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `Where ${from} stood when it was dumped is not known; has it a binary log, and is ${file || 'it'} still there?`,
    { node: from },
  );
}

const DUMP = [
  '--all-databases',
  '--single-transaction',
  '--quick',
  '--routines',
  '--events',
  '--triggers',
  '--hex-blob',
  '--flush-privileges',
  '--default-character-set=utf8mb4',
  // As comments: the position counts when all is loaded.
  '--master-data=2',
];
const LOAD = ['--default-character-set=utf8mb4', '--init-command=SET SESSION sql_log_bin=0'];

/** What the programs themselves said, rather than that a pipe broke. */
async function firstTrouble(ends: readonly Promise<void>[], error: unknown): Promise<unknown> {
  const said = await Promise.all(ends.map((end) => end.then(() => undefined).catch((why: unknown) => why)));
  return said.find((why) => why instanceof StormlampError && why.code !== ErrorCode.ABORTED) ?? error;
}

/** Passes everything on, counts it, and keeps the first lines. */
class Meter extends Transform {
  head = '';
  #bytes = 0;
  #told = performance.now();
  readonly #tell: (bytes: number) => void;

  constructor(tell: (bytes: number) => void) {
    super();
    this.#tell = tell;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, data: Buffer) => void): void {
    if (this.#bytes < HEAD_BYTES) this.head += chunk.toString('latin1', 0, HEAD_BYTES);
    this.#bytes += chunk.length;
    if (performance.now() - this.#told > PROGRESS_MS) {
      this.#told = performance.now();
      this.#tell(this.#bytes);
    }
    done(null, chunk);
  }
}
