/** Finds out why no node takes writes: what another process has left, or a primary that was merely started again. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { MetaStore, OpenOperation } from '../meta/meta-store.js';
import {
  closedPrimary,
  isFedUnseen,
  isFresh,
  isOutOfSight,
  isReplaced,
  isRestartedPrimary,
  restingPrimary,
  type Votes,
} from '../plan/closed-primary.js';
import type { PlanContext } from '../plan/plan-context.js';
import { fencedPrimary } from '../plan/plan-fence.js';
import type { Unfinished } from '../plan/plan-resume.js';
import { afterRestartSql, isSetByStatement } from '../survey/after-restart.js';
import type { Voter } from '../voters.js';

/** What is needed for that. */
export interface UnfinishedParts {
  readonly meta: MetaStore;
  readonly voters: readonly Voter[];
  /** The node that a voter votes for, null when for none; undefined when it has not answered lately. */
  readonly voteOf: (voter: NodeId) => NodeId | null | undefined;
  /** The last primary that was seen, and how many seconds ago it was last seen to take writes. */
  readonly last: () => { readonly node: NodeId; readonly seenAgoS: number } | undefined;
}

const TIMEOUT_MS = 2_000;
/** Stands for a change that nobody made: the primary has fenced itself. */
export const SELF_FENCE = 'self-fence';

/**
 * What is to be finished or undone; undefined when nothing is. Never a primary that an operator made read-only, and nothing while the
 * present primary is merely not seen from here.
 */
export async function unfinishedChange(
  parts: UnfinishedParts,
  context: PlanContext,
): Promise<Unfinished | undefined> {
  return isFedUnseen(context) ? undefined : await leftUnfinished(parts, context);
}

async function leftUnfinished(parts: UnfinishedParts, context: PlanContext): Promise<Unfinished | undefined> {
  const { meta, voters, last } = parts;
  const surveys = [...context.surveys.values()];
  const answering = voters.filter(({ id }) => context.surveys.has(id));
  const votes = votesOf(parts);
  const writable = surveys.filter(
    (survey) => !survey.readOnly && survey.channels.length === 0 && !isReplaced(context, survey),
  );
  const closed = writable.length === 0 ? closedPrimary(context, votes) : undefined;
  if (closed !== undefined) return closed;
  const epochOf = ({ id }: Voter): number => context.epochs.get(id) ?? 0;
  // Who missed the last change has rows of before, which nobody will ever end there.
  const newest = Math.max(0, ...answering.map(epochOf));
  const all = await Promise.all(
    answering
      .filter((voter) => epochOf(voter) === newest)
      .map((voter) => meta.open(voter).catch((): readonly OpenOperation[] => [])),
  );
  const [open] = all
    .flat()
    .filter(({ ageS }) => !isFresh(ageS))
    .sort((one, other) => one.ageS - other.ageS);
  if (open !== undefined && isOutOfSight(context, open.from)) return undefined;
  if (open !== undefined && (writable.length === 0 || writable.every(({ node }) => node === open.to)))
    // But for a switchover it is written when the new primary has its epoch: what the old one has more is nobody's.
    return { ...open, isPassed: open.kind !== 'switchover' && open.from !== open.to };
  const [only, second] = writable;
  if (only !== undefined) return second === undefined ? promotedOnly(context, only.node) : undefined;
  const known = last();
  if (known !== undefined && isRestartedPrimary(context, context.surveys.get(known.node), known.seenAgoS))
    return { opId: 'restart', from: known.node, to: known.node };
  return fenced(context, votes) ?? (await begunAnew(parts, context, votes));
}

/** A node that was made the primary, as its epoch row says, and that nobody follows yet. */
function promotedOnly({ epochs, surveys }: PlanContext, node: NodeId): Unfinished | undefined {
  const others = [...surveys.keys()].filter((each) => each !== node).map((each) => epochs.get(each) ?? 0);
  const isNewest = (epochs.get(node) ?? 0) > Math.max(0, ...others);
  return isNewest ? { opId: 'promotion', from: node, to: node } : undefined;
}

/** A primary that refuses writes only because nobody saw a majority for it; now somebody does. */
function fenced(context: PlanContext, votes: Votes): Unfinished | undefined {
  const node = fencedPrimary(context, votes);
  if (node === undefined) return undefined;
  return { opId: SELF_FENCE, from: node, to: node, onlyBack: `${node} has fenced itself` };
}

/** The primary of a site that was begun anew as a whole: its configuration has closed it, and nobody since. */
async function begunAnew(
  { voters, last }: UnfinishedParts,
  context: PlanContext,
  votes: Votes,
): Promise<Unfinished | undefined> {
  const node = restingPrimary(context, votes);
  const known = last()?.node ?? node;
  const voter = voters.find(({ id }) => id === node);
  if (node === undefined || known !== node || voter === undefined) return undefined;
  if (!(await isClosedByConfiguration(voter).catch(() => false))) return undefined;
  return { opId: 'restart', from: node, to: node, onlyBack: `${node} was started again` };
}

/** Whether the server says that nobody has set `read_only` since it was started. Rejects where it cannot say. */
async function isClosedByConfiguration({ act }: Voter): Promise<boolean> {
  const deadline = Deadline.of({ timeoutMs: TIMEOUT_MS });
  const connection = await act.connect(deadline);
  try {
    const [sql] = afterRestartSql(connection.version);
    if (sql === undefined) return false;
    const rows: readonly StatusRow[] = await connection.ask(sql, deadline);
    return rows.length > 0 && !isSetByStatement(rows);
  } finally {
    connection.destroy();
  }
}

function votesOf({ voters, voteOf }: UnfinishedParts): Votes {
  return new Map(
    voters.flatMap(({ id }) => {
      const vote = voteOf(id);
      return vote === undefined ? [] : [[id, vote] as const];
    }),
  );
}
