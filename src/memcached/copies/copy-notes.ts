/**
 * The notes that copies carry about each other: a hint names the nodes that missed writes of an item, a tombstone says that
 * an item was destroyed where not every copy could be removed. They are read from memcached, so their bytes are hostile.
 */
import type { NodeId } from '../../common/node-address.js';
import type { CopyHash } from './copy-hash.js';
import type { CopyKey } from './copy-key.js';

/** Stands for every content: the item was destroyed and created anew while the node could not be reached. */
export const ANY_CONTENT: CopyHash = '*';

/** What one node missed. */
export interface MissedWrites {
  /** Contents that this node may still hold and that lose against the copy beside the hint. */
  readonly superseded: readonly CopyHash[];
  /** Tombstones on this node that were lifted: the item was created anew while the node could not be reached. */
  readonly lifted: readonly string[];
}

/** A hint: what other nodes missed of the item beside it. */
export interface Hint extends CopyKey {
  /** What each node missed. */
  readonly missed: ReadonlyMap<NodeId, MissedWrites>;
}

/** A tombstone: the item was destroyed. It is in force until it is lifted by whoever creates the item anew. */
export interface Tomb extends CopyKey {
  /** Tells this destruction from another one of the same item. */
  readonly id: string;
}

/**
 * Takes the place of a hint that has nothing more to say, for as long as a read takes: who saw the first node's copy before it was
 * mended, and comes here after that, is told by it that the copy may be an old one. For anybody else it is no note.
 */
export const SETTLED_HINT: Buffer = Buffer.from('{"v":1,"settled":true}');

/** Contents that are remembered per node: the first one, which it most likely holds, and the newest. */
const MAX_SUPERSEDED = 24;
const MAX_LIFTED = 8;
const MAX_NODES = 64;
const MAX_NOTE_BYTES = 65_536;

/** The bytes of a hint. */
export function encodeHint({ key, place, missed }: Hint): Buffer {
  const nodes = [...missed].map(([node, { superseded, lifted }]) => ({ node, superseded, lifted }));
  return Buffer.from(JSON.stringify({ v: 1, key, place, missed: nodes }));
}

/** Reads a hint; undefined for anything else. */
export function decodeHint(bytes: Buffer): Hint | undefined {
  const note = parse(bytes);
  if (note === undefined || !Array.isArray(note['missed'])) return undefined;
  const missed = new Map<NodeId, MissedWrites>();
  for (const entry of note['missed'].slice(0, MAX_NODES) as unknown[]) {
    if (!isRecord(entry) || typeof entry['node'] !== 'string') return undefined;
    const superseded = texts(entry['superseded'], MAX_SUPERSEDED);
    const lifted = texts(entry['lifted'], MAX_LIFTED);
    if (superseded === undefined || lifted === undefined) return undefined;
    missed.set(entry['node'], { superseded, lifted });
  }
  return { key: note.key, place: note.place, missed };
}

/** The bytes of a tombstone. */
export function encodeTomb({ key, place, id }: Tomb): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, key, place, id }));
}

/** Reads a tombstone; undefined for anything else. */
export function decodeTomb(bytes: Buffer): Tomb | undefined {
  const note = parse(bytes);
  if (note === undefined || typeof note['id'] !== 'string') return undefined;
  return { key: note.key, place: note.place, id: note['id'] };
}

/** A hint that says what `hint` says, and that `node` missed a write over `superseded` besides. */
export function withMissed(
  hint: Hint | undefined,
  key: CopyKey,
  node: NodeId,
  { superseded, lifted }: MissedWrites,
): Hint {
  const missed = new Map(hint?.missed);
  const known = missed.get(node);
  missed.set(node, {
    superseded: bounded([...(known?.superseded ?? []), ...superseded], MAX_SUPERSEDED),
    lifted: bounded([...(known?.lifted ?? []), ...lifted], MAX_LIFTED),
  });
  return { key: key.key, place: key.place, missed };
}

/** A hint without what is said about `nodes`; undefined when nothing is left to say. */
export function withoutNodes(hint: Hint, nodes: readonly NodeId[]): Hint | undefined {
  const missed = new Map([...hint.missed].filter(([node]) => !nodes.includes(node)));
  return missed.size === 0 ? undefined : { ...hint, missed };
}

function bounded(list: readonly string[], max: number): readonly string[] {
  const distinct = [...new Set(list)];
  // The first one is what a node that is down all the time holds.
  return distinct.length <= max ? distinct : [...distinct.slice(0, 1), ...distinct.slice(1 - max)];
}

function parse(bytes: Buffer): (Record<string, unknown> & CopyKey) | undefined {
  if (bytes.length > MAX_NOTE_BYTES) return undefined;
  try {
    const note: unknown = JSON.parse(bytes.toString('utf8'));
    if (!isRecord(note) || note['v'] !== 1) return undefined;
    return typeof note['key'] === 'string' && typeof note['place'] === 'string'
      ? (note as Record<string, unknown> & CopyKey)
      : undefined;
  } catch {
    return undefined;
  }
}

function texts(value: unknown, max: number): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  return value.every((text) => typeof text === 'string') ? (value as readonly string[]) : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
