/** When a process may write, and where: decided from what it saw of the voters; a pure function. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf, rankedFromTop } from './majority.js';

/** Which of the locks that announce a change is held on a voter. */
export type ChangeLock =
  /** None. */
  | 'free'
  /** Somebody prepares a change: leases are short. */
  | 'change'
  /** The primary is being changed: the voter grants nothing. */
  | 'promote';

/** What one look at a voter showed. */
export interface VoterReading {
  /** The voter. */
  readonly voter: NodeId;
  /** When the question was SENT, monotonic milliseconds: what the answer says may be as old as that. */
  readonly sentAt: number;
  /** The node that the voter votes for: its only source, or itself when it has none and takes writes; null when none. */
  readonly vote: NodeId | null;
  /** The lock that was held there. */
  readonly lock: ChangeLock;
  /** The epoch that it knows, 0 when none; undefined when that cannot be read. */
  readonly epoch?: number | undefined;
}

/** The numbers that all processes of a cluster must agree on. */
export interface LeaseRules {
  /** How many voters there are, reachable or not. */
  readonly voters: number;
  /** How long a vote counts, milliseconds. */
  readonly leaseMs: number;
  /** How long a vote counts while somebody prepares a change, milliseconds. */
  readonly handoverMs: number;
}

/** The right to write to one node. */
export interface Lease {
  /** The node. */
  readonly primary: NodeId;
  /** When the right ends, monotonic milliseconds. */
  readonly until: number;
}

/**
 * The lease that `readings`, the latest of each voter, give: a majority of all voters votes for one node, that node among them,
 * and on none of these the primary is being changed. Every vote counts from the moment when it was asked for, so that an old
 * lease has ended before whoever locked a voter may change its vote. A node that knows of no `epoch` as late as that was replaced
 * by another one, and gets no lease whatever the others say: somebody has brought back an old primary by hand.
 */
export function leaseOf(
  readings: Iterable<VoterReading>,
  rules: LeaseRules,
  epoch: number = 0,
): Lease | undefined {
  const ends = new Map<NodeId, { own: number | undefined; readonly others: number[] }>();
  for (const reading of readings) {
    const { voter, vote, lock, sentAt } = reading;
    if (vote === null || lock === 'promote' || isReplaced(reading, epoch)) continue;
    const entry = ends.get(vote) ?? { own: undefined, others: [] };
    ends.set(vote, entry);
    const end = sentAt + (lock === 'free' ? rules.leaseMs : Math.min(rules.handoverMs, rules.leaseMs));
    if (voter === vote) entry.own = end;
    else entry.others.push(end);
  }
  let best: Lease | undefined;
  for (const [primary, { own, others }] of ends) {
    if (own === undefined) continue;
    const until = Math.min(own, rankedFromTop(others, majorityOf(rules.voters) - 1));
    if (until > (best?.until ?? Number.NEGATIVE_INFINITY)) best = { primary, until };
  }
  return best;
}

/** Whether a node that calls itself the primary is one of before `epoch`. */
export function isReplaced({ voter, vote, epoch }: VoterReading, since: number): boolean {
  return voter === vote && epoch !== undefined && epoch < since;
}
