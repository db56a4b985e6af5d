/** What the nodes that answer know of the cluster's changes, put together. */
import type { NodeId } from '../../common/node-address.js';
import type { FenceState } from '../self-fence/fence-state.js';
import type { Voter } from '../voters.js';
import type { ClosedNote } from './closed-note.js';
import type { MetaStore } from './meta-store.js';
import type { NodeStanding } from './node-standing.js';

/** What they know. */
export interface NodeStandings {
  /** What each says that could be asked. */
  readonly told: ReadonlyMap<NodeId, NodeStanding>;
  /** The epoch that each node knows. */
  readonly epochs: ReadonlyMap<NodeId, number>;
  /** The largest of them; 0 when none. */
  readonly epoch: number;
  /** The primary of that epoch; undefined before the first change. */
  readonly named: NodeId | undefined;
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

/** Asks `voters`; one that cannot be asked knows nothing. Never rejects. */
export async function standingsOf(meta: MetaStore, voters: readonly Voter[]): Promise<NodeStandings> {
  const told = new Map<NodeId, NodeStanding>();
  await Promise.all(
    voters.map(async (voter) => {
      const standing = await meta.standing(voter).catch(() => undefined);
      if (standing !== undefined) told.set(voter.id, standing);
    }),
  );
  const all = [...told].map(([node, standing]) => ({ node, ...standing }));
  const epoch = Math.max(0, ...all.map((each) => each.epoch));
  return {
    told,
    epochs: new Map(voters.map(({ id }) => [id, told.get(id)?.epoch ?? 0])),
    epoch,
    named: all.find((each) => each.epoch === epoch && each.primary !== undefined)?.primary,
    primaries: new Set(all.length === 0 ? voters.map(({ id }) => id) : all.flatMap((each) => each.primaries)),
    fences: new Map(all.flatMap(({ node, fence }) => (fence === undefined ? [] : [[node, fence] as const]))),
    closed: new Map(
      all.flatMap(({ node, closed }) => (closed === undefined ? [] : [[node, closed] as const])),
    ),
    noteless: new Set(all.filter(({ takesNote }) => !takesNote).map(({ node }) => node)),
    owesSemiSync: new Set(all.filter(({ owesSemiSync }) => owesSemiSync).map(({ node }) => node)),
  };
}
