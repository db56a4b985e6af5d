/** What the nodes that answer know of the cluster's changes, put together. */
import type { NodeId } from '../../common/node-address.js';
import type { FenceState } from '../self-fence/fence-state.js';
import type { Voter } from '../voters.js';
import type { MetaStore, NodeStanding } from './meta-store.js';

/** What they know. */
export interface NodeStandings {
  /** The epoch that each node knows. */
  readonly epochs: ReadonlyMap<NodeId, number>;
  /** The largest of them; 0 when none. */
  readonly epoch: number;
  /** The primary of that epoch; undefined before the first change. */
  readonly named: NodeId | undefined;
  /** How the self-fence event stands on each node, where that could be read. */
  readonly fences: ReadonlyMap<NodeId, FenceState>;
}

const NOTHING: NodeStanding = { epoch: 0, primary: undefined, fence: undefined };

/** Asks `voters`; one that cannot be asked knows nothing. Never rejects. */
export async function standingsOf(meta: MetaStore, voters: readonly Voter[]): Promise<NodeStandings> {
  const all = await Promise.all(
    voters.map(async (voter) => ({
      node: voter.id,
      ...(await meta.standing(voter).catch(() => NOTHING)),
    })),
  );
  const epoch = Math.max(0, ...all.map((each) => each.epoch));
  return {
    epochs: new Map(all.map((each) => [each.node, each.epoch])),
    epoch,
    named: all.find((each) => each.epoch === epoch && each.primary !== undefined)?.primary,
    fences: new Map(all.flatMap(({ node, fence }) => (fence === undefined ? [] : [[node, fence] as const]))),
  };
}
