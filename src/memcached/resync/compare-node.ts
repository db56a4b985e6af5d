/**
 * Compares what a node holds for a list of nodes that is to decide with what counts by the list that decides now, and mends what
 * differs: before every process wrote there, or by PHP, which knows one list only, it may have fallen behind.
 */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { sameContent } from '../copies/copy-hash.js';
import { type CopyKey, OWN_PREFIX } from '../copies/copy-key.js';
import { exptimeOfRemaining } from '../exptime.js';
import type { LivingItem } from '../living-item.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { TextConnection } from '../text-connection.js';
import type { ItemRate } from './item-rate.js';

/** What comparing a node needs. */
export interface CompareOptions {
  /** The node. */
  readonly node: MemcachedNode;
  /** The node that the item at `place` is compared with; undefined when it is not to be compared. */
  readonly sourceOf: (place: string) => NodeId | undefined;
  /** The place of an item of ours, by its key; undefined for others' items and locks. */
  readonly placeOf: (key: string) => string | undefined;
  /** Opens a text connection. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Mends one item. */
  readonly mend: (key: CopyKey, call: CallOptions) => Promise<unknown>;
  /** Keeps to a speed. */
  readonly rate: ItemRate;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const BATCH = 200;
/** A copy that ends so much earlier gets the life of its source, in seconds. */
const EARLIER_SECONDS = 2;

/** Compares and mends; rejects when a node cannot be reached. */
export async function compareNode(options: CompareOptions): Promise<void> {
  const { node, sourceOf, placeOf, connect, signal } = options;
  const connections = new Map<NodeId, Promise<TextConnection>>();
  const connection = (id: NodeId): Promise<TextConnection> => {
    const known = connections.get(id) ?? connect(id, signal);
    connections.set(id, known);
    return known;
  };
  const listing = await connect(node.id, signal);
  const waiting = new Map<NodeId, CopyKey[]>();
  const compare = async (source: NodeId, keys: readonly CopyKey[]): Promise<void> => {
    await compareBatch(options, keys, await connection(source), await connection(node.id));
  };
  try {
    for await (const keys of listing.metadumpKeys({ signal })) {
      for (const key of keys) {
        const place = key.startsWith(OWN_PREFIX) ? undefined : placeOf(key);
        const source = place === undefined ? undefined : sourceOf(place);
        if (place === undefined || source === undefined) continue;
        const batch = waiting.get(source) ?? [];
        waiting.set(source, batch);
        batch.push({ key, place });
        if (batch.length >= BATCH) await compare(source, batch.splice(0));
      }
    }
    for (const [source, batch] of waiting) await compare(source, batch);
  } finally {
    listing.destroy();
    for (const opened of connections.values())
      void opened.then((one) => one.destroy()).catch(() => undefined);
  }
}

async function compareBatch(
  { node, mend, rate, signal }: CompareOptions,
  keys: readonly CopyKey[],
  from: TextConnection,
  at: TextConnection,
): Promise<void> {
  if (keys.length === 0) return;
  const call = { signal };
  await rate.wait(keys.length, signal);
  const names = keys.map(({ key }) => key);
  // What is written in between differs, and is looked at again under its lock.
  const [copies, sources] = [await at.items(names, call), await from.items(names, call)];
  await Promise.all(
    keys.map(async (key, index) => {
      const [copy = null, source = null] = [copies[index], sources[index]];
      if (copy === null) return;
      if (source === null || !sameContent(copy, source)) await mend(key, call);
      else if (endsEarlier(copy, source))
        await node.touch(key.key, exptimeOfRemaining(source.remainingSeconds), call);
    }),
  );
}

function endsEarlier(copy: LivingItem, source: LivingItem): boolean {
  if (copy.remainingSeconds === undefined) return false;
  return (
    source.remainingSeconds === undefined || copy.remainingSeconds + EARLIER_SECONDS < source.remainingSeconds
  );
}
