/**
 * What nodes say of a list of nodes once another one took its place: by the old one nobody looks any more, and the nodes that are out hold
 * what was changed and destroyed since. It never expires; a change back to the list removes it. It is read from memcached: hostile bytes.
 */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { replacedKey } from './copy-key.js';

/** A list that another one took the place of. */
export interface ReplacedList {
  /** Its name. */
  readonly ring: string;
  /** The name of the list that took its place. */
  readonly by: string;
  /** The nodes of that list. */
  readonly nodes: readonly NodeId[];
}

const MAX_BYTES = 65_536;

/** The bytes of such a note. */
export function encodeReplaced({ by, nodes }: ReplacedList): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, by, nodes }));
}

/** Reads what is noted about the list `ring`; undefined for anything else. */
export function decodeReplaced(ring: string, bytes: Buffer): ReplacedList | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  try {
    const note = JSON.parse(bytes.toString('utf8')) as { by?: unknown; nodes?: unknown } | null;
    if (typeof note?.by !== 'string' || !Array.isArray(note.nodes)) return undefined;
    return { ring, by: note.by, nodes: note.nodes.filter((node) => typeof node === 'string') };
  } catch {
    return undefined;
  }
}

/** The error of whoever goes by a list that another one took the place of. */
export function listReplaced({ ring, nodes }: ReplacedList): StormlampError {
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `The memcached nodes that this process is given were replaced by ${nodes.join(', ')}, where the others look for sessions: give it those, in this order. To go back, take the steps of setNodes from there; if that list is given up for good, remove ${replacedKey(ring)} from every node`,
  );
}
