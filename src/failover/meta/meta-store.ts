/** Reads and writes what the cluster remembers of its changes, on whichever node takes writes. */
import { probeFailureOf } from '../../health/probe-failure.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { ProbeFailure } from '../../topology/node-description.js';
import type { JournalKind, JournalRecord } from '../failover-journal.js';
import type { EpochStart } from '../lease/epoch-start.js';
import { frozenIn } from '../plan/frozen-replicas.js';
import { fenceStateSql, readFenceState } from '../self-fence/fence-state.js';
import type { Voter } from '../voters.js';
import { closedNoteOf, closedNoteSql } from './closed-note.js';
import { noTable, onConnection, write } from './meta-session.js';
import { FIRST_TABLES, LATER_TABLES, META_TABLES } from './meta-tables.js';
import { DETAILS_LIMIT, type Literal, NAME_LIMIT, text } from './meta-text.js';
import type { NodeStanding } from './node-standing.js';
import { isOrderedSql } from './order-locks.js';
import { owesSemiSyncSql, paidSemiSyncSql } from './owed-semi-sync.js';
import {
  addPause,
  endPauses,
  type Pause,
  type PauseOrder,
  pausesOf,
  pausesSql,
  whyPausedBy,
} from './pauses.js';
import type { ToldRights } from './told-rights.js';

/** A change that was begun; without `outcome` nobody has ended it yet. */
export interface OpenOperation {
  /** Names the change. */
  readonly opId: string;
  /** What it was. */
  readonly kind: string;
  /** The primary before. */
  readonly from: string;
  /** The primary after. */
  readonly to: string;
  /** Who began it. */
  readonly actor: string;
  /** Seconds since it began, by the server's clock. */
  readonly ageS: number;
}

/** A failover whose new primary was made. */
export interface MadeFailover extends OpenOperation {
  /** Whether its process has not said how it ended. */
  readonly isOpen: boolean;
  /** Who took note of it, so that automatic changes are allowed again. */
  readonly acknowledgedBy: string | null;
}

/** A change that may be over, and of which nobody is known to have told the hooks. */
export interface LooseEnd extends OpenOperation {
  /** Whether its end was not written. */
  readonly isOpen: boolean;
}

/** {@link LooseEnd}s, and what made the primary. */
export interface LooseEndsFound {
  /** The epoch. */
  readonly epoch: number;
  /** The change that began it; '' before the first one. */
  readonly opId: string;
  readonly ends: readonly LooseEnd[];
}

/** How a change has ended whose hooks were not told yet. */
export const PROMOTED = 'promoted';

/** What a server that cannot be reached now fails with. */
const AWAY: ReadonlySet<ProbeFailure> = new Set([
  'refused',
  'reset',
  'server-shutdown',
  'timeout-connect',
  'timeout-query',
]);
/** So many records of the journal are kept, and so many are deleted at once. */
const JOURNAL_ROWS = 10_000;
const DELETED_ROWS = 1_000;

/** The memory of one cluster. */
export class MetaStore {
  readonly #cluster: string;

  /** Connects to nothing yet. */
  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  /** Makes the tables where they are missing. `voter` must take writes. */
  async prepare(voter: Voter): Promise<void> {
    await onConnection(voter, async (ask) => {
      const rows = await ask(
        "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA='ha_meta'",
      );
      const there = new Set(rows.map(({ name }) => String(name)));
      if (FIRST_TABLES.every((name) => there.has(name))) {
        const missing = [...LATER_TABLES].filter(([name]) => !there.has(name));
        if (missing.length === 0) return;
        // As a version before this one has left it. A server that makes no table now, as during a backup, works without these.
        await ask('SET SESSION lock_wait_timeout=1');
        for (const [, sql] of missing) await ask(sql).catch(() => undefined);
        return;
      }
      for (const sql of META_TABLES) await ask(sql);
    });
  }

  /** Makes the tables on a witness, and lets it vote for `primary` when it has never voted: no lease can rest on it yet. */
  async prepareWitness(witness: Voter, primary: string): Promise<void> {
    await onConnection(witness, async (ask) => {
      for (const sql of META_TABLES) await ask(sql);
      await ask(
        `INSERT IGNORE INTO ha_meta.vote (cluster, vote, op_id, at) VALUES (${text(this.#cluster)}, ${text(primary)}, '', SYSDATE(6))`,
      );
    });
  }

  /**
   * {@link prepareWitness} for all witnesses among `voters`. One that is away votes later: the elected process sees to that. Rejects with the error
   * of one that answers and refuses.
   */
  async prepareWitnesses(voters: readonly Voter[], primary: string): Promise<void> {
    const witnesses = voters.filter(({ kind }) => kind === 'witness');
    const all = await Promise.allSettled(witnesses.map((witness) => this.prepareWitness(witness, primary)));
    for (const result of all)
      if (result.status === 'rejected' && !AWAY.has(probeFailureOf(result.reason))) throw result.reason;
  }

  /** The largest epoch that `voter` knows; 0 when none. */
  async epoch(voter: Voter): Promise<number> {
    const rows = await this.#read(
      voter,
      `SELECT epoch FROM ha_meta.topology WHERE cluster='${this.#cluster}'`,
    );
    return Number(rows[0]?.['epoch'] ?? 0);
  }

  /** {@link MetaStore.epoch}, the primary that it began with, how the self-fence event stands there, and {@link MetaStore.pausedBecause}. */
  async standing(voter: Voter): Promise<NodeStanding> {
    return await onConnection(voter, async (ask) => {
      const sql = `SELECT epoch, primary_node FROM ha_meta.topology WHERE cluster='${this.#cluster}'`;
      const [known] = await ask(sql).catch(noTable);
      let takesNote = true;
      const [note] = await ask(closedNoteSql(this.#cluster)).catch((error: unknown) => {
        takesNote = false;
        return noTable(error);
      });
      const [row] = await ask(fenceStateSql(this.#cluster));
      const rights = await this.#rights(ask);
      const [owed] = await ask(owesSemiSyncSql(this.#cluster)).catch(noTable);
      const ends = (name: string): string =>
        `SELECT ${name} AS node FROM ha_meta.operation WHERE cluster=${text(this.#cluster)}`;
      const ended = await ask(`${ends('from_node')} UNION ${ends('to_node')}`).catch(noTable);
      return {
        epoch: Number(known?.['epoch'] ?? 0),
        primary: known === undefined ? undefined : String(known['primary_node']),
        primaries: ended.map(({ node }) => String(node)).filter((node) => node !== ''),
        fence: row === undefined ? undefined : readFenceState(row),
        paused: whyPausedBy(rights.pauses),
        rights,
        closed: note === undefined ? undefined : closedNoteOf(note),
        takesNote,
        owesSemiSync: owed !== undefined,
      };
    });
  }

  /** Takes the note away that a failover has left on `voter`, which was given up and undone; see {@link NodeStanding.closed}. */
  async forgetClosed(voter: Voter): Promise<void> {
    await onConnection(voter, async (ask) => {
      await ask('SET SESSION sql_log_bin=0');
      await ask(`DELETE FROM ha_meta.closed WHERE cluster='${this.#cluster}'`);
    });
  }

  /** Notes that semi-synchronous replication is on again; see {@link NodeStanding.owesSemiSync}. */
  async paySemiSync(voter: Voter): Promise<void> {
    await onConnection(voter, (ask) => ask(paidSemiSyncSql(this.#cluster)));
  }

  /** The epoch that `voter` knows and the change that began it; undefined before the first change. */
  async epochStart(voter: Voter): Promise<EpochStart | undefined> {
    const [row] = await this.#read(
      voter,
      'SELECT t.epoch AS epoch, o.kind AS kind, o.from_node AS from_node FROM ha_meta.topology t ' +
        `LEFT JOIN ha_meta.operation o ON o.op_id=t.op_id WHERE t.cluster='${this.#cluster}'`,
    );
    if (row === undefined) return undefined;
    return { epoch: Number(row['epoch']), kind: String(row['kind']), from: String(row['from_node']) };
  }

  /** Changes that were begun and not ended, as `voter` knows them. */
  async open(voter: Voter): Promise<readonly OpenOperation[]> {
    const rows = await this.#read(
      voter,
      `${OPERATION} WHERE cluster='${this.#cluster}' AND ended_at IS NULL ORDER BY began_at`,
    );
    return rows.map(operationOf);
  }

  /** What `voter` says of whether anything may be done by itself; failovers whose process died before it said how they ended, too. */
  async rights(voter: Voter): Promise<ToldRights> {
    return await onConnection(voter, (ask) => this.#rights(ask));
  }

  async #rights(ask: (sql: string) => Promise<readonly StatusRow[]>): Promise<ToldRights> {
    const pauses = await ask(pausesSql(this.#cluster)).catch(noTable);
    const made = await ask(
      `${OPERATION} WHERE cluster='${this.#cluster}' AND kind='failover' AND (ended_at IS NULL OR outcome IN ('done', '${PROMOTED}')) ` +
        'ORDER BY began_at DESC LIMIT 5',
    ).catch(noTable);
    return {
      pauses: pausesOf(pauses),
      known: pauses.map(({ id }) => String(id)),
      made: made.map((row) => ({
        ...operationOf(row),
        isOpen: row['outcome'] === null,
        acknowledgedBy: acknowledgedBy(row),
      })),
    };
  }

  /** Writes that a change began, for what has no primary to write to before; nothing when it is there. */
  async begin(voter: Voter, operation: Omit<OpenOperation, 'ageS'>): Promise<void> {
    const { opId, kind, from, to, actor } = operation;
    const values = [opId, this.#cluster, kind, from, to, actor];
    await write(
      voter,
      (literal) =>
        'INSERT IGNORE INTO ha_meta.operation (op_id, cluster, kind, from_node, to_node, actor, began_at) VALUES ' +
        `(${values.map((value) => literal(value, NAME_LIMIT)).join(', ')}, SYSDATE(6))`,
    );
  }

  /** Writes how a change ended. */
  async end(voter: Voter, opId: string, outcome: string, details: string): Promise<void> {
    await write(
      voter,
      (literal) =>
        `UPDATE ha_meta.operation SET ended_at=SYSDATE(6), outcome=${text(outcome)}, details=${literal(details, DETAILS_LIMIT)} ` +
        `WHERE op_id=${text(opId)} AND ended_at IS NULL`,
    );
  }

  /** Writes how the change of a process that died has ended; what it has noted itself is kept. */
  async endOther(voter: Voter, opId: string, outcome: string): Promise<void> {
    await onConnection(voter, (ask) =>
      ask(
        `UPDATE ha_meta.operation SET ended_at=SYSDATE(6), outcome=${text(outcome)}, ` +
          `details=COALESCE(details, 'ended by another process') WHERE op_id=${text(opId)} AND ended_at IS NULL`,
      ),
    );
  }

  /** What nobody has ended, or told the hooks of. `voter` must take writes. */
  async looseEnds(voter: Voter): Promise<LooseEndsFound> {
    const cluster = text(this.#cluster);
    const [known, rows] = await onConnection(voter, async (ask) => [
      (await ask(`SELECT epoch, op_id FROM ha_meta.topology WHERE cluster=${cluster}`).catch(noTable))[0],
      await ask(
        `${OPERATION} WHERE cluster=${cluster} AND (ended_at IS NULL OR outcome='${PROMOTED}') ORDER BY began_at`,
      ).catch(noTable),
    ]);
    const ends = rows.map((row) => ({ ...operationOf(row), isOpen: row['outcome'] === null }));
    return { epoch: Number(known?.['epoch'] ?? 0), opId: String(known?.['op_id'] ?? ''), ends };
  }

  /** Writes that the hooks of a change were told, where that was owed. */
  async told(voter: Voter, opId: string): Promise<void> {
    await onConnection(voter, (ask) =>
      ask(`UPDATE ha_meta.operation SET outcome='done' WHERE op_id=${text(opId)} AND outcome='${PROMOTED}'`),
    );
  }

  /** Notes that somebody has looked at a change; whether there is one of that name. */
  async acknowledge(voter: Voter, opId: string, who: string): Promise<boolean> {
    await write(
      voter,
      (literal) =>
        `UPDATE ha_meta.operation SET acknowledged_by=${literal(who, NAME_LIMIT)} WHERE op_id=${text(opId)}`,
    );
    return await this.knows(voter, opId);
  }

  /** Whether `voter` knows a change of that name. */
  async knows(voter: Voter, opId: string): Promise<boolean> {
    return (await this.#read(voter, `SELECT 1 FROM ha_meta.operation WHERE op_id=${text(opId)}`)).length > 0;
  }

  /** Forbids automatic changes for a while; the table is made where it is missing. `voter` must take writes. */
  async pause(voter: Voter, pause: PauseOrder): Promise<void> {
    await addPause(voter, this.#cluster, pause);
  }

  /** Ends all pauses, or the one called `id`; those that were in force. */
  async resume(voter: Voter, id?: string): Promise<readonly Pause[]> {
    return await endPauses(voter, this.#cluster, id);
  }

  /** The pauses that are in force, the one that lasts longest first. */
  async pauses(voter: Voter): Promise<readonly Pause[]> {
    return pausesOf(await this.#read(voter, pausesSql(this.#cluster)));
  }

  /** Why automatic changes are forbidden now; undefined when they are not. */
  async pausedBecause(voter: Voter): Promise<string | undefined> {
    return whyPausedBy(await this.pauses(voter));
  }

  /** Adds records to the journal. Rejects with an {@link isAboutValues} error when one of them cannot be written at all. */
  async append(voter: Voter, records: readonly JournalRecord[], actor: string): Promise<void> {
    if (records.length === 0) return;
    const row = ({ opId, at, kind, epoch, nodes, message }: JournalRecord, literal: Literal): string => {
      const when = `FROM_UNIXTIME(${(at / 1_000).toFixed(6)})`;
      const who = literal(actor, NAME_LIMIT);
      return `(${text(this.#cluster)}, ${text(opId)}, ${when}, ${text(kind)}, ${epoch}, ${who}, ${literal(nodes.join(' '))}, ${literal(message)})`;
    };
    await write(
      voter,
      (literal) =>
        'INSERT INTO ha_meta.journal (cluster, op_id, at, kind, epoch, actor, nodes, message) VALUES ' +
        records.map((record) => row(record, literal)).join(', '),
    );
  }

  /** Deletes the oldest records of the journal where there are too many; some at a time, so that nobody waits for it. */
  async trim(voter: Voter): Promise<void> {
    const own = `ha_meta.journal WHERE cluster=${text(this.#cluster)}`;
    await onConnection(voter, async (ask) => {
      const [row] = await ask(`SELECT id FROM ${own} ORDER BY id DESC LIMIT 1 OFFSET ${JOURNAL_ROWS}`);
      if (row === undefined) return;
      await ask(`DELETE FROM ${own} AND id<=${Number(row['id'])} ORDER BY id LIMIT ${DELETED_ROWS}`);
    });
  }

  /** The newest records of the journal, newest first. */
  async newest(voter: Voter, count: number): Promise<readonly JournalRecord[]> {
    const rows = await this.#read(
      voter,
      'SELECT j.op_id AS op_id, UNIX_TIMESTAMP(j.at) AS at, j.kind AS kind, j.epoch AS epoch, j.nodes AS nodes, j.message AS message, ' +
        "o.details AS details FROM ha_meta.journal j LEFT JOIN ha_meta.operation o ON j.kind='change-done' AND o.op_id=j.op_id " +
        `WHERE j.cluster='${this.#cluster}' ORDER BY j.id DESC LIMIT ${Math.min(Math.max(0, Math.floor(count)), 1_000)}`,
    );
    return rows.map((row) => ({
      opId: String(row['op_id']),
      at: Math.round(Number(row['at']) * 1_000),
      kind: String(row['kind']) as JournalKind,
      epoch: Number(row['epoch']),
      nodes: String(row['nodes'])
        .split(' ')
        .filter((node) => node !== ''),
      message: String(row['message']),
      ...frozenOf(row['details']),
    }));
  }

  async #read(voter: Voter, sql: string): Promise<readonly StatusRow[]> {
    try {
      return await onConnection(voter, (ask) => ask(sql));
    } catch (error) {
      return noTable(error);
    }
  }
}

const OPERATION =
  'SELECT op_id, kind, from_node, to_node, actor, TIMESTAMPDIFF(SECOND, began_at, SYSDATE(6)) AS age, outcome, ' +
  `acknowledged_by, ${isOrderedSql('acknowledge', 'op_id')} AS ordered FROM ha_meta.operation`;

/** Where nothing can be written now, whoever has looked holds a lock in place of it. */
function acknowledgedBy({ acknowledged_by: by, ordered }: StatusRow): string | null {
  if (typeof by === 'string') return by;
  return Number(ordered) === 1 ? 'somebody who waits for a primary to write it on' : null;
}

function frozenOf(details: unknown): Pick<JournalRecord, 'frozen'> {
  const frozen = typeof details === 'string' ? frozenIn(details) : undefined;
  return frozen === undefined ? {} : { frozen };
}

function operationOf(row: StatusRow): OpenOperation {
  return {
    opId: String(row['op_id']),
    kind: String(row['kind']),
    from: String(row['from_node']),
    to: String(row['to_node']),
    actor: String(row['actor']),
    ageS: Number(row['age'] ?? 0),
  };
}
