/** What all processes of a cluster must be told alike: two lists of voters, or two lengths of a lease, can make two primaries. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { lockName } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';
import { text } from './meta-text.js';

/** What a process was told. */
export interface SharedConfig {
  /** All voters, by name, sorted. */
  readonly voters: readonly NodeId[];
  /** How long a lease lasts, milliseconds. */
  readonly leaseMs: number;
  /** How long it lasts while a change is prepared, milliseconds. */
  readonly handoverMs: number;
}

const TIMEOUT_MS = 3_000;
const TABLE =
  'CREATE TABLE IF NOT EXISTS ha_meta.config (cluster VARCHAR(32) NOT NULL PRIMARY KEY, lease_ms INT UNSIGNED NOT NULL, ' +
  'handover_ms INT UNSIGNED NOT NULL, voters TEXT NOT NULL, at DATETIME(6) NOT NULL) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/**
 * Why this process may not be started beside those that run, in words; undefined when it may. One voter more or less is no reason: a
 * majority of either list has a voter in common with every majority of the other one. Pure.
 */
export function disagreement(mine: SharedConfig, theirs: SharedConfig): string | undefined {
  const added = mine.voters.filter((voter) => !theirs.voters.includes(voter));
  const gone = theirs.voters.filter((voter) => !mine.voters.includes(voter));
  const sameTimes = mine.leaseMs === theirs.leaseMs && mine.handoverMs === theirs.handoverMs;
  if (sameTimes && added.length + gone.length <= 1) return undefined;
  return (
    `Other processes of this cluster run with ${wordsOf(theirs)}; this one was told ${wordsOf(mine)}. Two processes that disagree ` +
    'can take two nodes for the primary. Give all of them the same, in the same words (a node is called as in `mysql.primary` and ' +
    '`mysql.replicas`). To change it, add or take away one voter at a time and begin all processes anew before the next; for anything ' +
    'else, end all processes before the first one is begun with what is new'
  );
}

function wordsOf({ voters, leaseMs, handoverMs }: SharedConfig): string {
  return `the voters ${voters.join(', ')}, leaseMs ${leaseMs} and handoverMs ${handoverMs}`;
}

/**
 * Compares `mine` with what the cluster was last begun with, while an elected process lives; what speaks against beginning with it.
 * Where nothing does, and `writer` takes writes, it is written there if `lasts`. A server that does not answer, or makes no table now, is no reason.
 */
export async function agreeOnConfig(
  cluster: string,
  mine: SharedConfig,
  voters: readonly Voter[],
  writer: Voter | undefined,
  lasts: boolean,
): Promise<string | undefined> {
  const data = voters.filter(({ kind }) => kind === 'data');
  const asked = writer === undefined ? data : [writer];
  const [theirs] = (await Promise.all(asked.map((voter) => knownTo(voter, cluster)))).flatMap(
    (known) => known ?? [],
  );
  if (theirs !== undefined) {
    const why = disagreement(mine, theirs);
    if (why !== undefined && (await isLed(cluster, voters))) return why;
    if (JSON.stringify(mine) === JSON.stringify(theirs)) return undefined;
  }
  if (writer !== undefined && lasts) await write(writer, cluster, mine).catch(() => undefined);
  return undefined;
}

/** Whether a process is elected: it holds its lock on voters of its own list, of which this one has some, or it is another cluster. */
async function isLed(cluster: string, voters: readonly Voter[]): Promise<boolean> {
  const sql = `SELECT IS_USED_LOCK('${lockName(cluster, 'manager')}') AS holder`;
  const seen = await Promise.all(
    voters.map((voter) => ask(voter, (send) => send(sql)).catch((): readonly StatusRow[] => [])),
  );
  return seen.some(([row]) => (row?.['holder'] ?? null) !== null);
}

async function knownTo(voter: Voter, cluster: string): Promise<SharedConfig | undefined> {
  const sql = `SELECT lease_ms, handover_ms, voters FROM ha_meta.config WHERE cluster=${text(cluster)}`;
  const [row] = await ask(voter, (send) => send(sql)).catch((): readonly StatusRow[] => []);
  if (row === undefined) return undefined;
  return {
    voters: String(row['voters']).split(' '),
    leaseMs: Number(row['lease_ms']),
    handoverMs: Number(row['handover_ms']),
  };
}

async function write(
  writer: Voter,
  cluster: string,
  { voters, leaseMs, handoverMs }: SharedConfig,
): Promise<void> {
  await ask(writer, async (send) => {
    // A backup may forbid new tables for hours.
    await send('SET SESSION lock_wait_timeout=1');
    await send(TABLE);
    return await send(
      'REPLACE INTO ha_meta.config (cluster, lease_ms, handover_ms, voters, at) VALUES ' +
        `(${text(cluster)}, ${leaseMs}, ${handoverMs}, ${text(voters.join(' '))}, SYSDATE(6))`,
    );
  });
}

async function ask(
  voter: Voter,
  work: (send: (sql: string) => Promise<readonly StatusRow[]>) => Promise<readonly StatusRow[]>,
): Promise<readonly StatusRow[]> {
  const deadline = Deadline.of({ timeoutMs: TIMEOUT_MS });
  const connection = await voter.act.connect(deadline);
  try {
    return await work((sql) => connection.ask(sql, deadline));
  } finally {
    connection.destroy();
  }
}
