/** A dump of one server, loaded into another one; and the rehearsal of it, which changes nothing. */
import { Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { PACKET_LIMIT } from './copied-tables.js';
import { literal, type RebuildMeans } from './rebuild-options.js';
import { placeOf, type RunningTool, startTool, withLoginFile } from './server-tool.js';

/** A dump tells its position in its first lines. */
const HEAD_BYTES = 65_536;
const PROGRESS_MS = 5_000;

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
  `--max-allowed-packet=${PACKET_LIMIT}`,
  // As comments: the position counts when all is loaded.
  '--master-data=2',
];
const LOAD = [
  '--default-character-set=utf8mb4',
  `--max-allowed-packet=${PACKET_LIMIT}`,
  '--init-command=SET SESSION sql_log_bin=0',
];

/**
 * Does what {@link copy} does as far as nothing is changed by it: dumps everything but the rows, so that a view which is broken or
 * a privilege that is missing is found, reads where the dump stands, and has the loading program say something to the node.
 *
 * Rejects with what the programs said.
 */
export async function rehearse(request: RebuildRequest, means: RebuildMeans): Promise<void> {
  await withTools(request, means, ['--no-data'], async (dump, load) => {
    const meter = new Meter(() => undefined);
    load.stdin.end('SELECT 1;\n');
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await Promise.all([pipeline(dump.stdout, meter, nowhere), dump.ended, load.ended]);
    await positionAt(request, means, meter.head);
  });
}

/** Pipes the dump from one server into the other; resolves with the position that it stands for. Rejects with what the programs said. */
export async function copy(request: RebuildRequest, means: RebuildMeans): Promise<string> {
  const { node, from, log } = request;
  return await withTools(request, means, [], async (dump, load) => {
    const meter = new Meter((bytes) =>
      log(`${node}: ${Math.round(bytes / 1_048_576)} MiB of ${from} are loaded`),
    );
    await Promise.all([pipeline(dump.stdout, meter, load.stdin), dump.ended, load.ended]);
    return await positionAt(request, means, meter.head);
  });
}

async function withTools<T>(
  { node, from, signal }: RebuildRequest,
  means: RebuildMeans,
  more: readonly string[],
  work: (dump: RunningTool, load: RunningTool) => Promise<T>,
): Promise<T> {
  const { programs } = means;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  return await withLoginFile(await means.login(), async (login) => {
    const dumpArgs = [...placeOf(login, from), ...DUMP, ...more];
    const dump = startTool(programs.dump ?? ['mariadb-dump'], dumpArgs, both);
    const load = startTool(programs.client ?? ['mariadb'], [...placeOf(login, node), ...LOAD], both);
    dump.stdin.end();
    load.stdout.resume();
    try {
      return await work(dump, load);
    } catch (error) {
      stop.abort();
      throw await firstTrouble([dump.ended, load.ended], error);
    }
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
