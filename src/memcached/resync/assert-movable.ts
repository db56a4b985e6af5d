/** Whether sessions can be moved to another list of nodes now, without leaving any behind on one that cannot be reached. */
import type { NodeId } from '../../common/node-address.js';
import type { CopyPlaces } from '../copies/copy-places.js';
import { storeDown } from '../copies/copy-report.js';
import type { NodeStanding } from '../copies/node-standings.js';
import type { MemcachedObservation } from '../memcached-monitor.js';

/**
 * Checks it, by the last look at each node.
 *
 * @param standingOf how far a node is to be trusted
 * @param isAway whether a node has been silent for so long that what only it holds is taken as gone
 * @throws StormlampError `ERR_STORE_DOWN` naming the nodes that are in the way, and why.
 */
export function assertMovable(
  { list, other, copies }: CopyPlaces,
  seen: ReadonlyMap<NodeId, MemcachedObservation>,
  standingOf: (node: NodeId) => NodeStanding,
  isAway: (node: NodeId) => boolean,
): void {
  const down = (
    nodes: readonly { readonly id: NodeId }[],
  ): { readonly node: NodeId; readonly error: unknown }[] =>
    nodes.flatMap(({ id }) => {
      const look = seen.get(id);
      if (look?.ok === true) return [];
      return [{ node: id, error: look?.error ?? new Error('it was not looked at yet') }];
    });
  const missing = down(other?.nodes ?? []);
  if (missing.length > 0) throw storeDown(missing, 'A node of the new list cannot be reached');
  const present = down(list.nodes);
  if (present.length >= copies)
    throw storeDown(
      present,
      `${present.length} nodes of the present list cannot be reached, and sessions have ${copies} copies`,
    );
  const behind = list.nodes.flatMap(({ id }) => {
    const standing = standingOf(id);
    if (standing === 'filled' || present.some(({ node }) => node === id)) return [];
    return [`${id} ${standing === 'suspect' ? 'missed writes' : 'came back empty'}`];
  });
  const silent = present.filter(({ node }) => !isAway(node));
  if (silent.length > 0 && behind.length > 0)
    throw storeDown(
      silent,
      `${behind.join(' and ')}, and a node that cannot be reached may have alone what is missing there`,
    );
}
