/** Where items are copied from, worked out once for each order of nodes. */
import type { NodeId } from '../../common/node-address.js';
import type { CopyPlaces } from '../copies/copy-places.js';

/** `sources` for any place, asked once for each order: half a million sessions have as many places, but only a few orders of nodes. */
export function sourcesByOrder(
  places: CopyPlaces,
  sources: (place: string) => readonly NodeId[],
): (place: string) => readonly NodeId[] {
  const known = new Map<string, readonly NodeId[]>();
  return (place) => {
    const order = places.order(place);
    let found = known.get(order);
    if (found === undefined) {
      found = sources(place);
      known.set(order, found);
    }
    return found;
  };
}
