/** What a failover would lose, as far as that can be known before it is made; pure. */

import type { NodeId } from '../../common/node-address.js';
import type { Flavor } from '../../topology/node-description.js';
import type { MaxLoss } from '../acting-options.js';
import {
  missingOf,
  NO_TRANSACTIONS,
  readTransactions,
  type TransactionSet,
  unionOf,
} from '../survey/transaction-set.js';
import type { CommitWaits } from './commit-waits.js';
import { type ExpectedLoss, NO_LOSS } from './failover-plan.js';

/** What the dead primary was last seen to have. */
export interface LastSeen {
  /** Its flavor. */
  readonly flavor: Flavor;
  /** Its transactions, in its own notation; '' when it used no GTIDs. */
  readonly gtids: string;
  /** What marks the transactions that it wrote: its `server_uuid`, or on MariaDB its `server_id`. */
  readonly id?: string | undefined;
  /** What it had got from others, in its own notation (MariaDB). */
  readonly applied?: string | undefined;
  /** Whether it followed another server then, or did not tell all that it had: default false. */
  readonly isPartial?: boolean | undefined;
  /** When that was, milliseconds since 1970. */
  readonly seenAt: number;
  /** How long ago that is, milliseconds. */
  readonly agoMs: number;
  /** For how long after that it may have gone on, milliseconds. */
  readonly unseenMs: number;
  /** Whether its port was found closed: then it certainly does not go on. A silent one may merely be cut off from this process. */
  readonly isDead: boolean;
  /** Transactions a second that it committed at the end; null when only one look is known. */
  readonly rate: number | null;
  /** Whether every commit waited, before it was acknowledged, until a replica had it. */
  readonly semiSync: boolean;
  /** How that was set up; absent when it was not in force, or nobody was told. */
  readonly waits?: CommitWaits | undefined;
}

/** The replicas of the dead primary. */
export interface ReplicasLeft {
  /** How many that acknowledge were looked at: the new primary has all that they have ever acknowledged. */
  readonly compared: number;
  /** Data nodes that do not answer: what they have is not known. */
  readonly silent: readonly NodeId[];
}

/** The loss if `reached` is everything that the new primary will have. */
export function expectedLoss(
  seen: LastSeen | undefined,
  reached: TransactionSet,
  left: ReplicasLeft,
): ExpectedLoss {
  if (seen === undefined) {
    return {
      known: false,
      transactions: null,
      gtids: null,
      seenAt: null,
      unseenMs: 0,
      why: 'the old primary was never seen by this process',
    };
  }
  const { flavor, gtids, seenAt, unseenMs, isDead, semiSync } = seen;
  const had = readTransactions(flavor, gtids) ?? NO_TRANSACTIONS;
  if (had.size === 0) {
    const why = 'the old primary used no GTIDs';
    return { known: false, transactions: null, gtids: null, seenAt, unseenMs, why };
  }
  const { count, text } = missingOf(flavor, had, reached);
  const doubt = semiSync && count === 0 ? doubtOf(seen, left) : '';
  if (semiSync && count === 0 && doubt === undefined) {
    const why = 'every commit was acknowledged only after a replica had it (semi-synchronous replication)';
    return { known: true, transactions: 0, gtids: '', seenAt, unseenMs, why };
  }
  const forMs = Math.round(unseenMs);
  const unseen = isDead
    ? `the old primary was last seen ${forMs} ms before its end; what it committed after that is not known`
    : `the old primary is silent, and may be cut off and alive: it may have acknowledged writes for ${forMs} ms after it was last seen, until every lease on it is over, which nobody can count`;
  // What speaks against the proof is what an operator can do something about.
  const why = doubt === '' || doubt === undefined ? unseen : `${doubt}; ${unseen}`;
  return { known: false, transactions: count, gtids: text, seenAt, unseenMs, why };
}

/** `loss` when a person gives up, besides, what nodes that answer have (`givenUp`) and the new primary, which has `reached`, lacks. */
export function withGivenUp(
  loss: ExpectedLoss,
  seen: LastSeen | undefined,
  reached: TransactionSet,
  { flavor, givenUp }: { readonly flavor: Flavor; readonly givenUp: TransactionSet },
): ExpectedLoss {
  if (givenUp.size === 0) return loss;
  const had = readTransactions(flavor, seen?.gtids ?? '') ?? NO_TRANSACTIONS;
  const { count, text } = missingOf(flavor, unionOf(had, unionOf(reached, givenUp)), reached);
  const why = `what nodes that answer have and the new primary lacks is given up; ${loss.why}`;
  return { ...loss, transactions: count, gtids: text, why };
}

/**
 * The loss of what is finished or undone while the primary answers: what it was seen to have, and has lost itself since, as by a crash
 * of a server that does not write through. `reached` has all that it has now.
 */
export function resumeLoss(seen: LastSeen | undefined, reached: TransactionSet): ExpectedLoss {
  if (seen === undefined) return NO_LOSS;
  const { flavor, gtids, seenAt } = seen;
  const had = readTransactions(flavor, gtids) ?? NO_TRANSACTIONS;
  const { count, text } = missingOf(flavor, had, reached);
  if (count === 0) return NO_LOSS;
  const why = 'the primary was seen to have it, and has not any more; nor has any node that answers';
  return { known: true, transactions: count, gtids: text, seenAt, unseenMs: 0, why };
}

/** Why semi-synchronous replication does not prove that nothing is lost; undefined when it does. */
function doubtOf({ waits, unseenMs }: LastSeen, { compared, silent }: ReplicasLeft): string | undefined {
  if (waits === undefined) return 'how commits waited for replicas is not known';
  const { acknowledgers, waitFor, timeoutMs, waitedMs, afterSync, waitsAlone } = waits;
  if (!afterSync) return 'its semi-synchronous replication does not wait AFTER_SYNC';
  // A replica that is lost and connects again shows nothing of it in the end.
  if (!waitsAlone)
    return (
      'its semi-synchronous replication does not wait when too few replicas are connected (rpl_semi_sync_master_wait_no_slave=OFF, or ' +
      '…_source_wait_no_replica), and may have given up unseen'
    );
  if (timeoutMs <= waitedMs + unseenMs)
    return `its semi-synchronous replication waits ${timeoutMs} ms, and may have given up unseen`;
  // Who is no voter, or was started again since and may have dropped it, may have acknowledged, too.
  const strangers = Math.max(0, acknowledgers - compared - silent.length);
  if (silent.length + strangers < waitFor) return undefined;
  const who = [
    ...silent,
    ...(strangers === 0 ? [] : [`${strangers} replicas that are no voters, or were started again`]),
  ];
  return `${who.join(' and ')} may have acknowledged what no node that answers has`;
}

/** Why `loss` is more than `maxLoss` allows, and what to do; undefined when it is not. */
export function lossRefusal(
  loss: ExpectedLoss,
  maxLoss: MaxLoss,
  rate: number | null | undefined,
): string | undefined {
  if (maxLoss === 'any') return undefined;
  const remedy = 'Call failover({ acceptLoss: true }), or set `failover.maxLoss`';
  const { known, transactions, gtids, unseenMs, why } = loss;
  const seen =
    transactions === null ? 'an unknown number of transactions' : `${transactions} transactions (${gtids})`;
  if (maxLoss === 'none') {
    if (known && transactions === 0) return undefined;
    const lost =
      transactions === 0 ? 'Nothing is known to be lost, but that is not proven' : `It would lose ${seen}`;
    return `${lost}: ${why}. maxLoss is 'none'. Use semi-synchronous replication (AFTER_SYNC), so that it can be proven. ${remedy}`;
  }
  if (transactions === null) return `It would lose an unknown number of transactions: ${why}. ${remedy}`;
  const estimate = known ? 0 : Math.ceil(((rate ?? 0) * unseenMs) / 1_000);
  if (!known && rate === null)
    return `Nobody knows how fast the old primary wrote at its end: ${why}. ${remedy}`;
  if (transactions + estimate <= maxLoss.transactions) return undefined;
  return `It would lose ${seen} and about ${estimate} that nobody has seen; maxLoss allows ${maxLoss.transactions}. ${remedy}`;
}
