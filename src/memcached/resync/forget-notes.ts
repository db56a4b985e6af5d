/**
 * Removes from a node that is to be one of ours what it says about items and about other nodes. It said so when it was one before: an
 * item that was destroyed then may have been begun anew since, which nobody has told it.
 */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { HINT_PREFIX, suspectKey, TOMB_PREFIX } from '../copies/copy-key.js';
import type { MemcachedNode } from '../memcached-node.js';
import { itemVersions, removeVersions } from '../meta-commands.js';
import type { TextConnection } from '../text-connection.js';

/** What forgetting needs. */
export interface ForgetOptions {
  /** The node. */
  readonly node: MemcachedNode;
  /** The nodes of which it may say that they missed writes. */
  readonly others: readonly NodeId[];
  /** Opens a text connection. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Limit of one small step, in milliseconds. */
  readonly timeoutMs: number;
}

const BATCH = 400;

/** Forgets; rejects when the node cannot be reached. One that cannot list its keys keeps them: it cannot be filled either. */
export async function forgetNotes(options: ForgetOptions): Promise<void> {
  const { node, others, signal, timeoutMs } = options;
  const call = { signal, timeoutMs };
  await Promise.all(others.map((other) => node.delete(suspectKey(other), call)));
  try {
    await removeNotes(options);
  } catch (error) {
    if (!isStormlampError(error, ErrorCode.UNSUPPORTED)) throw error;
  }
}

async function removeNotes({ node, connect, signal }: ForgetOptions): Promise<void> {
  const listing = await connect(node.id, signal);
  try {
    const notes: string[] = [];
    for await (const keys of listing.metadumpKeys({ prefixes: [HINT_PREFIX, TOMB_PREFIX], signal }))
      notes.push(...keys);
    while (notes.length > 0) {
      const keys = notes.splice(0, BATCH);
      const versions = await itemVersions(listing, keys, { signal });
      const left = keys.flatMap((key, index) => {
        const cas = versions[index];
        return cas === undefined || cas === null ? [] : [{ key, cas }];
      });
      await removeVersions(listing, left, { signal });
    }
  } finally {
    listing.destroy();
  }
}
