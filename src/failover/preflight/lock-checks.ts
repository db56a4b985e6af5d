/** Whether every voter is one server with one vote: what a lock of one session shows to other sessions. */
import { randomUUID } from 'node:crypto';
import { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { PreflightCheck } from './preflight.js';

/** What is checked: a name and sessions. */
export interface LockPlace {
  /** The voter's name. */
  readonly id: string;
  /** Sessions that may take locks. */
  readonly act: { connect(deadline: Deadline): Promise<PhysicalConnection> };
}

/** A voter on which a lock is held by the first of its sessions. */
interface Held {
  readonly voter: LockPlace;
  readonly lock: string;
  readonly sessions: readonly PhysicalConnection[];
}

/** Sessions that look for the lock: behind a balancing address each of them may be on another server. */
const LOOKING = 4;

/** Checks all voters that answer within `timeoutMs`; the others are left out. Never rejects. */
export async function lockChecks(
  voters: readonly LockPlace[],
  cluster: string,
  timeoutMs: number,
): Promise<readonly PreflightCheck[]> {
  const deadline = Deadline.of({ timeoutMs });
  const answers = await Promise.allSettled(voters.map((voter) => hold(voter, cluster, deadline)));
  const held = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  try {
    const checks = await Promise.allSettled(held.map((own) => checksOf(own, held, deadline)));
    return checks.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  } finally {
    for (const session of held.flatMap(({ sessions }) => sessions)) session.destroy();
  }
}

async function hold(voter: LockPlace, cluster: string, deadline: Deadline): Promise<Held> {
  const lock = `ha:${cluster}:preflight:${randomUUID().slice(0, 8)}`;
  const sessions: PhysicalConnection[] = [];
  try {
    // One after the other: that is how an address that balances deals them out.
    for (let made = 0; made <= LOOKING; made += 1) sessions.push(await voter.act.connect(deadline));
    await sessions[0]?.ask(`SELECT GET_LOCK('${lock}', 1)`, deadline);
    return { voter, lock, sessions };
  } catch (error) {
    for (const session of sessions) session.destroy();
    throw error;
  }
}

async function checksOf(
  { voter, lock, sessions }: Held,
  all: readonly Held[],
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const [holder, ...others] = sessions;
  const sqlOf = (name: string): string => `SELECT IS_USED_LOCK('${name}') AS holder`;
  const seen = await Promise.all(
    others.map(async (session) => {
      const [row] = await session.ask(sqlOf(lock), deadline);
      return Number(row?.['holder']) === holder?.threadId;
    }),
  );
  const isOne = seen.every((each) => each);
  const here: string[] = [];
  for (const other of all) {
    if (other.voter === voter) continue;
    const [row] = (await holder?.ask(sqlOf(other.lock), deadline)) ?? [];
    if ((row?.['holder'] ?? null) !== null) here.push(other.voter.id);
  }
  return [
    {
      name: 'lock-visible',
      node: voter.id,
      result: isOne ? 'pass' : 'fail',
      detail: isOne
        ? 'its sessions see each other’s locks'
        : `${voter.id} is not one server: its sessions do not see each other's locks. Name the servers behind it`,
      sql: sqlOf(lock),
    },
    {
      name: 'one-vote',
      node: voter.id,
      result: here.length === 0 ? 'pass' : 'fail',
      detail:
        here.length === 0
          ? 'no other voter is this server'
          : `${voter.id} is the same server as ${here.join(' and ')}, and a server has one vote: when it dies, both are gone. Name another server`,
      sql: sqlOf('(the lock of each other voter)'),
    },
  ];
}
