/** Removes from a node the copies that it kept for nodes that were away: their holders have them again, and here they would only grow old. */
import type { NodeId } from '../../common/node-address.js';
import { hintKey, OWN_PREFIX } from '../copies/copy-key.js';
import type { CopyPlaces } from '../copies/copy-places.js';
import { itemsPresent, itemVersions, removeVersions } from '../meta-commands.js';
import type { TextConnection } from '../text-connection.js';

/** What sweeping needs. */
export interface SweepOptions {
  /** The node. */
  readonly node: NodeId;
  /** Which nodes hold what. */
  readonly places: CopyPlaces;
  /** The place of an item of ours, by its key; undefined for others' items and locks, which stay. */
  readonly placeOf: (key: string) => string | undefined;
  /** Opens a text connection. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Whether all nodes are there and complete, still. */
  readonly isWhole: () => boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const BATCH = 400;

/** Sweeps; `complete` is false when it was given up because a node went away. */
export async function sweepNode(
  options: SweepOptions,
): Promise<{ readonly removed: number; readonly complete: boolean }> {
  const { node, places, placeOf, connect, isWhole, signal } = options;
  const isStray = (key: string): boolean => {
    const place = key.startsWith(OWN_PREFIX) ? undefined : placeOf(key);
    return place !== undefined && places.holders({ key, place }).every(({ id }) => id !== node);
  };
  const listing = await connect(node, signal);
  const removing = await connect(node, signal);
  let removed = 0;
  const remove = async (strays: readonly string[]): Promise<void> => {
    if (strays.length > 0 && isWhole()) removed += await removeStrays(removing, strays, signal);
  };
  try {
    const strays: string[] = [];
    for await (const keys of listing.metadumpKeys({ signal })) {
      strays.push(...keys.filter(isStray));
      while (strays.length >= BATCH) await remove(strays.splice(0, BATCH));
    }
    await remove(strays);
    return { removed, complete: isWhole() };
  } finally {
    listing.destroy();
    removing.destroy();
  }
}

// Whoever writes a copy here for a holder that is away leaves a hint first: versions are asked for before hints, so that such
// a copy is either another version by now or has its hint.
async function removeStrays(
  connection: TextConnection,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const versions = await itemVersions(connection, keys, { signal });
  const noted = await itemsPresent(connection, keys.map(hintKey), { signal });
  const old = keys.flatMap((key, index) => {
    const cas = versions[index];
    return cas === undefined || cas === null || noted[index] === true ? [] : [{ key, cas }];
  });
  return (await removeVersions(connection, old, { signal })).filter((removed) => removed).length;
}
