/** Says which lock a statement of a change waited for in vain: the server's own words (1205) name neither it nor who has it. */
import type { NodeId } from '../../common/node-address.js';

/** A session that has to do with the lock. */
export interface LockParty {
  /** The number by which `KILL` ends it. */
  readonly id: string;
  /** `user@host`. */
  readonly account: string;
  /** How long it has been in its state, seconds. */
  readonly seconds: number;
  /**
   * `holds`: it has the lock. `runs`: a statement of it takes long, and may have it. `open`: its transaction has locked rows, and may
   * have it. `waits`: it waits for a lock itself.
   */
  readonly role: 'holds' | 'runs' | 'open' | 'waits';
  /** The table that it has locked, with its database; '' for the whole server, and for those that hold nothing. */
  readonly locked: string;
}

/** What was seen of a lock. */
export interface LockSighting {
  /** The server. */
  readonly node: NodeId;
  /** The sessions, those that count most first. */
  readonly parties: readonly LockParty[];
  /** Why nobody is seen to hold it. */
  readonly unseen: string;
}

const SHOWN = 3;

/** The cause, and what to do, in one sentence. `what` is the step that waited. */
export function lockWords(what: string, { node, parties, unseen }: LockSighting): string {
  const by = (role: LockParty['role']): readonly LockParty[] => parties.filter((each) => each.role === role);
  const holders = by('holds');
  const running = holders.length > 0 ? [] : by('runs');
  const open = holders.length > 0 ? [] : by('open');
  const waiting = by('waits');
  const [suspect] = [...holders, ...running, ...open];
  const causes = [
    ...holders.slice(0, SHOWN).map(holderWords),
    ...(holders.length > 0 ? [] : [unseen]),
    ...running
      .slice(0, SHOWN)
      .map((each) => `${nameOf(each)} may have it: its statement has run for ${each.seconds} s`),
    ...open
      .slice(0, SHOWN)
      .map((each) => `${nameOf(each)} may have it: its transaction has locked rows for ${each.seconds} s`),
    ...(waiting.length === 0 ? [] : [waiterWords(waiting)]),
  ];
  const end = suspect === undefined ? 'end its session' : `end it (\`KILL ${suspect.id}\` on ${node})`;
  return (
    `A lock on ${node} was not to be had in time (${what}): ${causes.join(', ')}; ` +
    `let the backup or the statement that has it end, or ${end}, and try again`
  );
}

function holderWords(holder: LockParty): string {
  const what =
    holder.locked === ''
      ? 'holds the lock of the whole server (FLUSH TABLES WITH READ LOCK, or a backup)'
      : `has locked ${holder.locked} (LOCK TABLES, or a statement that changes the table)`;
  return `${nameOf(holder)} ${what}`;
}

function waiterWords(waiting: readonly LockParty[]): string {
  const more = waiting.length > SHOWN ? ` and ${waiting.length - SHOWN} more` : '';
  const verb = waiting.length === 1 ? 'waits' : 'wait';
  return `${waiting.slice(0, SHOWN).map(nameOf).join(', ')}${more} ${verb} for a lock, too`;
}

function nameOf({ id, account }: LockParty): string {
  return `session ${id} (${account})`;
}
