/** Saves the transactions that only one node has, as SQL, before its data is thrown away. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { differenceOf, missingOf, NO_TRANSACTIONS, readTransactions } from '../survey/transaction-set.js';
import { literal, type RebuildMeans, type RebuildSession } from './rebuild-options.js';
import { newTally, type SavedTally, withoutNumbers } from './saved-output.js';
import { placeOf, startTool, withLoginFile } from './server-tool.js';

/** Events of a binary log that are read at a time. */
const EVENTS = 20_000;

/**
 * Saves what `request.gtids` names, and resolves with the file; undefined when the node has no transactions of its own.
 *
 * Rejects with `ERR_CHANGE_REFUSED` without a folder to save to, or when any of them is not in the binary logs any more or did not
 * come out; with what the program said otherwise.
 */
export async function saveTransactions(
  request: RebuildRequest,
  means: RebuildMeans,
  session: RebuildSession,
): Promise<string | undefined> {
  const { node, gtids, signal } = request;
  const saveTo = assertFolder(request, means);
  if (saveTo === undefined) return undefined;
  const read = session.version.flavor === 'mysql' ? mysqlReading : mariadbReading;
  const { command, args, missing } = await read(session, node, gtids, means);
  const tally = newTally();
  await mkdir(saveTo, { recursive: true, mode: 0o700 });
  const when = new Date().toISOString().replaceAll(':', '-');
  const file = join(saveTo, `${node.replaceAll(/[^\w.-]/g, '_')}-${when}.sql`);
  await withLoginFile(await means.login(), async (login) => {
    const tool = startTool(
      command,
      [...placeOf(login, node), '--read-from-remote-server', '--verbose', ...args],
      signal,
    );
    tool.stdin.end();
    try {
      const part = createWriteStream(`${file}.part`, { mode: 0o600 });
      await pipeline(tool.stdout, (bytes) => withoutNumbers(bytes, tally), part, { signal });
      await tool.ended;
    } catch (error) {
      tool.kill();
      await rm(`${file}.part`, { force: true });
      throw await tool.ended.then(() => error).catch((said: unknown) => said);
    }
  });
  const lacking = missing(tally);
  if (lacking !== '') {
    await rm(`${file}.part`, { force: true });
    throw new StormlampError(
      ErrorCode.CHANGE_REFUSED,
      `\`${command.join(' ')}\` did not put out all of ${gtids} of ${node}, so that its data is left alone: ${lacking}`,
      { node },
    );
  }
  await rename(`${file}.part`, file);
  request.log(`${gtids} of ${node} are saved in ${file} (${(await stat(file)).size} bytes)`);
  return file;
}

/**
 * The folder in which what `gtids` names is to be saved; undefined when there is nothing to save. Throws `ERR_CHANGE_REFUSED`
 * when there is, and no folder is given.
 */
export function assertFolder(
  { node, gtids }: Pick<RebuildRequest, 'node' | 'gtids'>,
  { saveTo }: RebuildMeans,
): string | undefined {
  if (gtids === '') return undefined;
  if (saveTo !== undefined) return saveTo;
  throw new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${node} has transactions that nobody else has (${gtids}); set \`saveTo\` to a folder in which they are saved first`,
    { node },
  );
}

/** How the program is called, and what is missing in what it put out; '' when nothing is. */
interface Reading {
  readonly command: readonly string[];
  readonly args: readonly string[];
  missing(tally: SavedTally): string;
}

/** MySQL's program knows GTIDs itself. What is not in the logs it leaves out without a word. */
async function mysqlReading(
  session: RebuildSession,
  node: NodeId,
  gtids: string,
  { programs }: RebuildMeans,
): Promise<Reading> {
  // First the logs: what is purged after this the program misses, what was purged before the server names.
  const [first] = await logsOf(session);
  const [row] = await session.ask(
    'SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged',
  );
  const wanted = readTransactions('mysql', gtids);
  const executed = readTransactions('mysql', String(row?.['executed'] ?? '').replace(/\s/g, ''));
  const purged = readTransactions('mysql', String(row?.['purged'] ?? '').replace(/\s/g, ''));
  if (wanted === undefined || executed === undefined || purged === undefined || first === undefined)
    throw goneFrom(node, gtids, gtids);
  const gone = missingOf('mysql', wanted, differenceOf(executed, purged));
  if (gone.count > 0) throw goneFrom(node, gtids, gone.text);
  const { count } = missingOf('mysql', wanted, NO_TRANSACTIONS);
  return {
    command: programs.binlog ?? ['mysqlbinlog'],
    // With their own GTIDs they would be taken for executed wherever those are known.
    args: ['--to-last-log', '--skip-gtids', `--include-gtids=${gtids}`, first],
    missing: ({ statements }) =>
      statements >= count ? '' : `${statements} statements for ${count} transactions`,
  };
}

/** MariaDB's program is told where the first of them stands: everything after it from the same server is missing elsewhere, too. */
async function mariadbReading(
  session: RebuildSession,
  node: NodeId,
  gtids: string,
  { programs }: RebuildMeans,
): Promise<Reading> {
  const wanted = gtids.split(',').map((member) => {
    const [domain = '', server = '', numbers = ''] = member.split('-');
    const [from = '0', to = from] = numbers.split('..');
    return { domain, server, from: BigInt(from), to: BigInt(to) };
  });
  const isWanted = (info: string): boolean => {
    const match = /GTID (\d+)-(\d+)-(\d+)/.exec(info);
    return wanted.some(
      ({ domain, server, from }) =>
        domain === match?.[1] && server === match[2] && BigInt(match[3] ?? '0') >= from,
    );
  };
  const logs = await logsOf(session);
  const before = await historyBefore(session, logs[0]);
  // A domain is numbered by all its servers in turn: that the first number is not there proves nothing.
  const gone = wanted.filter(
    ({ domain, server, from }) => (before?.get(`${domain}-${server}`) ?? 0n) >= from,
  );
  if (before === undefined || gone.length > 0) {
    const text = gone.map(({ domain, server, from, to }) => {
      const last = before?.get(`${domain}-${server}`) ?? to;
      return rangeOf(`${domain}-${server}`, from, smallerOf(last, to));
    });
    throw goneFrom(node, gtids, text.length === 0 ? gtids : text.join(','));
  }
  for (const log of logs) {
    const place = await firstEvent(session, log, isWanted);
    if (place === undefined) continue;
    const ids = (name: 'domain' | 'server'): string =>
      [...new Set(wanted.map((each) => each[name]))].join(',');
    return {
      command: programs.binlog ?? ['mariadb-binlog'],
      args: [
        '--to-last-log',
        `--do-domain-ids=${ids('domain')}`,
        `--do-server-ids=${ids('server')}`,
        `--start-position=${place}`,
        log,
      ],
      missing: ({ last }) =>
        wanted
          .filter(({ domain, server, to }) => (last.get(`${domain}-${server}`) ?? 0n) < to)
          .map(({ domain, server, from, to }) => {
            const came = last.get(`${domain}-${server}`) ?? 0n;
            return rangeOf(`${domain}-${server}`, came < from ? from : came + 1n, to);
          })
          .map((range) => `${range} is missing`)
          .join(', '),
    };
  }
  throw goneFrom(node, gtids, gtids);
}

function smallerOf(a: bigint, b: bigint): bigint {
  if (a > b) return b;
  return a;
}

function rangeOf(origin: string, from: bigint, to: bigint): string {
  return from === to ? `${origin}-${to}` : `${origin}-${from}..${to}`;
}

function goneFrom(node: NodeId, gtids: string, gone: string): StormlampError {
  const which = gone === gtids ? gtids : `${gone}, of ${gtids},`;
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${which} are not in the binary logs of ${node} any more and cannot be saved, so that its data is left alone; ` +
      'look at the node, and rebuild it by hand',
    { node },
  );
}

/** What had been written of each origin before `log`, the oldest one, as its head tells; undefined when it does not. */
async function historyBefore(
  session: RebuildSession,
  log: string | undefined,
): Promise<ReadonlyMap<string, bigint> | undefined> {
  if (log === undefined) return undefined;
  const head = await session.ask(`SHOW BINLOG EVENTS IN ${literal(log)} LIMIT 10`);
  const list = head.find((row) => row['Event_type'] === 'Gtid_list');
  if (list === undefined) return undefined;
  const members = [...String(list['Info']).matchAll(/(\d+-\d+)-(\d+)/g)];
  return new Map(members.map(([, origin = '', last = '0']) => [origin, BigInt(last)]));
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
