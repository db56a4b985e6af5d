/** The pauses of a cluster: each is a row of its own on the primary, and as long as one of them is in force nothing is automatic. */
import type { StatusRow } from '../../mysql/replica-status.js';
import type { Voter } from '../voters.js';
import { noTable, onConnection, write } from './meta-session.js';
import { NAME_LIMIT, text } from './meta-text.js';
import { isOrderedSql } from './order-locks.js';

/** A pause that is in force. */
export interface Pause {
  /** Names it. */
  readonly id: string;
  /** Why, and by whom. */
  readonly because: string;
  /** Seconds until it ends by itself, by the server's clock. */
  readonly leftS: number;
}

/** A pause as it is asked for. */
export interface PauseOrder {
  /** Names it. */
  readonly id: string;
  /** How long it lasts at most. */
  readonly seconds: number;
  /** Why. */
  readonly reason: string;
  /** Who asks for it. */
  readonly actor: string;
}

/**
 * Asks a server for the pauses whose time is not over, the one that lasts longest first, and which of them an operator ends now. An
 * error where the table was never made.
 */
export function pausesSql(cluster: string): string {
  const ended = `${isOrderedSql('resume', 'id')} OR ${isOrderedSql('resume', 'cluster')}`;
  return `${writtenSql(cluster, `, ${ended} AS ended`)} ORDER BY until DESC`;
}

/** Of an answer to {@link pausesSql} the pauses that are in force. */
export function pausesOf(rows: readonly StatusRow[]): readonly Pause[] {
  return rows.filter(({ ended }) => Number(ended) !== 1).map(pauseOf);
}

function pauseOf({ id, reason, actor, remaining }: StatusRow): Pause {
  return { id: String(id), because: `${String(reason)} (${String(actor)})`, leftS: Number(remaining) };
}

/** Why automatic changes are forbidden, by the pauses that are in force, the one that lasts longest first; undefined without any. */
export function whyPausedBy([longest, ...others]: readonly Pause[]): string | undefined {
  if (longest === undefined || others.length === 0) return longest?.because;
  return `${longest.because}, and ${others.length} more`;
}

/** Deletes those that are over, and writes one: what fails after that must not look as if it had not been written. */
export async function addPause(voter: Voter, cluster: string, pause: PauseOrder): Promise<void> {
  const { id, seconds, reason, actor } = pause;
  const over = `DELETE FROM ha_meta.pauses WHERE cluster=${text(cluster)} AND until<=SYSDATE(6)`;
  await onConnection(voter, (ask) => ask(over).catch(noTable));
  await write(
    voter,
    (literal) =>
      `INSERT INTO ha_meta.pauses (id, cluster, until, reason, actor) VALUES (${text(id)}, ${text(cluster)}, ` +
      `SYSDATE(6)+INTERVAL ${seconds} SECOND, ${literal(reason)}, ${literal(actor, NAME_LIMIT)})`,
  );
}

/** Ends the one called `id`, or all; those that were in force, the one that would have lasted longest first. */
export async function endPauses(voter: Voter, cluster: string, id?: string): Promise<readonly Pause[]> {
  const one = id === undefined ? '' : ` AND id=${text(id)}`;
  return await onConnection(voter, async (ask) => {
    const rows = await ask(`${writtenSql(cluster)}${one} ORDER BY until DESC`).catch(noTable);
    if (rows.length > 0) await ask(`DELETE FROM ha_meta.pauses WHERE cluster=${text(cluster)}${one}`);
    return rows.map(pauseOf);
  });
}

function writtenSql(cluster: string, more = ''): string {
  return (
    `SELECT id, reason, actor, TIMESTAMPDIFF(SECOND, SYSDATE(6), until) AS remaining${more} FROM ha_meta.pauses ` +
    `WHERE cluster=${text(cluster)} AND until>SYSDATE(6)`
  );
}
