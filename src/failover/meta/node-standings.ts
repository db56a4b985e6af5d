/** What the nodes that answer know of the cluster's changes, put together. */
import type { NodeId } from '../../common/node-address.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { FenceState } from '../self-fence/fence-state.js';
import type { Voter } from '../voters.js';
import type { ClosedNote } from './closed-note.js';
import type { MetaStore } from './meta-store.js';
import type { NodeStanding } from './node-standing.js';

/** What they know. */
export interface NodeStandings {
  /** What each says that could be asked. */
  readonly told: ReadonlyMap<NodeId, NodeStanding>;
  /** Those that could not, and why: what they know may be anything. */
  readonly unread: ReadonlyMap<NodeId, string>;
  /** The epoch that each node knows. */
  readonly epochs: ReadonlyMap<NodeId, number>;
  /** The largest of them; 0 when none. */
  readonly epoch: number;
  /** The primary of that epoch; undefined before the first change. */
  readonly named: NodeId | undefined;
  /** The primaries that the nodes of that epoch name: one, unless somebody has changed it by hand and not every node has heard of it. */
  readonly names: ReadonlySet<NodeId>;
  /** The nodes that are or were the primary, or were about to be; all, where nobody could be asked. */
  readonly primaries: ReadonlySet<NodeId>;
  /** How the self-fence event stands on each node, where that could be read. */
  readonly fences: ReadonlyMap<NodeId, FenceState>;
  /** What a failover has noted on the old primaries that it has closed. */
  readonly closed: ReadonlyMap<NodeId, ClosedNote>;
  /** Those that have no place for such a note. */
  readonly noteless: ReadonlySet<NodeId>;
  /** Those that know that a change has left semi-synchronous replication off. */
  readonly owesSemiSync: ReadonlySet<NodeId>;
}

/** Asks `voters`; one that cannot be asked is told as that, and counts as knowing nothing else. Never rejects. */
export async function standingsOf(meta: MetaStore, voters: readonly Voter[]): Promise<NodeStandings> {
  const told = new Map<NodeId, NodeStanding>();
  const unread = new Map<NodeId, string>();
  const answers = await Promise.allSettled(voters.map((voter) => meta.standing(voter)));
  // In the order of the voters, whoever answers first: two looks at the same shall not differ.
  for (const [index, { id }] of voters.entries()) {
    const answer = answers[index];
    if (answer?.status === 'fulfilled') told.set(id, answer.value);
    else unread.set(id, describeError(answer?.reason));
  }
  const all = [...told].map(([node, standing]) => ({ node, ...standing }));
  const epoch = Math.max(0, ...all.map((each) => each.epoch));
  const names = all.flatMap(({ epoch: at, primary }) =>
    at === epoch && primary !== undefined ? [primary] : [],
  );
  return {
    told,
    unread,
    epochs: new Map(voters.map(({ id }) => [id, told.get(id)?.epoch ?? 0])),
    epoch,
    named: names[0],
    names: new Set(names),
    primaries: new Set(all.length === 0 ? voters.map(({ id }) => id) : all.flatMap((each) => each.primaries)),
    fences: new Map(all.flatMap(({ node, fence }) => (fence === undefined ? [] : [[node, fence] as const]))),
    closed: new Map(
      all.flatMap(({ node, closed }) => (closed === undefined ? [] : [[node, closed] as const])),
    ),
    noteless: new Set(all.filter(({ takesNote }) => !takesNote).map(({ node }) => node)),
    owesSemiSync: new Set(all.filter(({ owesSemiSync }) => owesSemiSync).map(({ node }) => node)),
  };
}
