/** Saves the transactions that only one node has, as SQL, before its data is thrown away. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { literal, type RebuildMeans, type RebuildSession } from './rebuild-options.js';
import { placeOf, startTool, withLoginFile } from './server-tool.js';

/** Events of a binary log that are read at a time. */
const EVENTS = 20_000;

/**
 * Saves what `request.gtids` names, and resolves with the file; undefined when the node has no transactions of its own.
 *
 * Rejects with `ERR_CHANGE_REFUSED` without a folder to save to, or when nothing came out; with what the program said otherwise.
 */
export async function saveTransactions(
  request: RebuildRequest,
  means: RebuildMeans,
  session: RebuildSession,
): Promise<string | undefined> {
  const { node, gtids, signal } = request;
  if (gtids === '') return undefined;
  const { saveTo } = means;
  if (saveTo === undefined) {
    throw new StormlampError(
      ErrorCode.CHANGE_REFUSED,
      `${node} has transactions that nobody else has (${gtids}); set \`saveTo\` to a folder in which they are saved first`,
      { node },
    );
  }
  const [program, args] =
    session.version.flavor === 'mysql'
      ? await mysqlRead(session, gtids, means)
      : await mariadbRead(session, gtids, means);
  await mkdir(saveTo, { recursive: true, mode: 0o700 });
  const when = new Date().toISOString().replaceAll(':', '-');
  const file = join(saveTo, `${node.replaceAll(/[^\w.-]/g, '_')}-${when}.sql`);
  await withLoginFile(await means.login(), async (login) => {
    const tool = startTool(
      program,
      [...placeOf(login, node), '--read-from-remote-server', '--verbose', ...args],
      signal,
    );
    tool.stdin.end();
    try {
      await pipeline(tool.stdout, withoutNumbers, createWriteStream(`${file}.part`, { mode: 0o600 }), {
        signal,
      });
      await tool.ended;
    } catch (error) {
      tool.kill();
      await rm(`${file}.part`, { force: true });
      throw await tool.ended.then(() => error).catch((said: unknown) => said);
    }
  });
  await rename(`${file}.part`, file);
  request.log(`${gtids} of ${node} are saved in ${file} (${(await stat(file)).size} bytes)`);
  return file;
}

/** MySQL's program knows GTIDs itself. */
async function mysqlRead(
  session: RebuildSession,
  gtids: string,
  { programs }: RebuildMeans,
): Promise<[readonly string[], readonly string[]]> {
  const [first] = await logsOf(session);
  return [
    programs.binlog ?? ['mysqlbinlog'],
    // With their own GTIDs they would be taken for executed wherever those are known.
    ['--to-last-log', '--skip-gtids', `--include-gtids=${gtids}`, first ?? ''],
  ];
}

/** MariaDB's program is told where the first of them stands: everything after it from the same server is missing elsewhere, too. */
async function mariadbRead(
  session: RebuildSession,
  gtids: string,
  { programs }: RebuildMeans,
): Promise<[readonly string[], readonly string[]]> {
  const wanted = gtids.split(',').map((member) => {
    const [domain = '', server = '', numbers = ''] = member.split('-');
    return { domain, server, from: BigInt(numbers.split('..')[0] ?? '0') };
  });
  const isWanted = (info: string): boolean => {
    const match = /GTID (\d+)-(\d+)-(\d+)/.exec(info);
    return wanted.some(
      ({ domain, server, from }) =>
        domain === match?.[1] && server === match[2] && BigInt(match[3] ?? '0') >= from,
    );
  };
  for (const log of await logsOf(session)) {
    const place = await firstEvent(session, log, isWanted);
    if (place === undefined) continue;
    const ids = (name: 'domain' | 'server'): string =>
      [...new Set(wanted.map((each) => each[name]))].join(',');
    return [
      programs.binlog ?? ['mariadb-binlog'],
      [
        '--to-last-log',
        `--do-domain-ids=${ids('domain')}`,
        `--do-server-ids=${ids('server')}`,
        `--start-position=${place}`,
        log,
      ],
    ];
  }
  throw new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${gtids} are not in the binary logs any more and cannot be saved; look at the node, or rebuild it by hand`,
  );
}

/** The numbers that MariaDB's program gives every transaction. */
const NUMBERS = /^\/\*M?!\d+ SET @@session\.(?:gtid_domain_id|gtid_seq_no|server_id)=\d+\*\/\/\*!\*\/;\n?$/;

/** Without their numbers the transactions are new ones wherever they are executed: with them, a server would take them for old. */
async function* withoutNumbers(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of bytes) {
    rest = Buffer.concat([rest, chunk]);
    const kept: Buffer[] = [];
    let from = 0;
    for (let end = rest.indexOf(10, from); end >= 0; end = rest.indexOf(10, from)) {
      const line = rest.subarray(from, end + 1);
      from = end + 1;
      // None of them is as long as a line of data.
      if (line.length > 100 || !NUMBERS.test(line.toString('latin1'))) kept.push(line);
    }
    rest = rest.subarray(from);
    // A row may be one line of many megabytes; it is passed on as it comes.
    if (rest.length > 100) {
      kept.push(rest);
      rest = Buffer.alloc(0);
    }
    if (kept.length > 0) yield Buffer.concat(kept);
  }
  if (rest.length > 0) yield rest;
}

async function logsOf(session: RebuildSession): Promise<readonly string[]> {
  return (await session.ask('SHOW BINARY LOGS')).map((row) => String(row['Log_name']));
}

/** Where in `log` the first wanted transaction begins. */
async function firstEvent(
  session: RebuildSession,
  log: string,
  isWanted: (info: string) => boolean,
): Promise<number | undefined> {
  let from = 4;
  for (;;) {
    const events = await session.ask(`SHOW BINLOG EVENTS IN ${literal(log)} FROM ${from} LIMIT ${EVENTS}`);
    const found = events.find((row) => row['Event_type'] === 'Gtid' && isWanted(String(row['Info'])));
    if (found !== undefined) return Number(found['Pos']);
    if (events.length < EVENTS) return undefined;
    from = Number(events.at(-1)?.['End_log_pos']);
  }
}
