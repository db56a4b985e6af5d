/** The note beside a value with tags: of which version of it, and which generations its tags had. */
import type { CallOptions } from '../common/deadline.js';
import type { MemcachedItem, MemcachedNode, StoreOptions } from '../memcached/memcached-node.js';
import { storeOver } from './store-over.js';

/** The generations of tags by their names. */
export type NotedGenerations = Readonly<Record<string, string>>;

/** A reader does not ask for more tags that it did not name: what a node says must not cost it any number of questions. */
export const MOST_TAGS = 10_000;
/** What memcached itself takes for an item, unless it was told otherwise: longer notes are not read. */
const LONGEST_NOTE_BYTES = 1_048_576;
const LONGEST_VERSION = 2n ** 64n - 1n;
/** The version that a note is of, without the rest of it. */
const OF = /^\{"of":"(\d{1,20})"/;
/** Whoever was faster so often has noted something newer. */
const TRIES = 16;

/** Whether there are readers who would not believe a value with these tags, however many bytes its node takes for its note. */
export function isTooMuchToNote(generations: NotedGenerations): boolean {
  if (Object.keys(generations).length > MOST_TAGS) return true;
  return tagNote(LONGEST_VERSION, generations).length > LONGEST_NOTE_BYTES;
}

/** The tags and their generations that a note tells of version `cas`; undefined when it tells of another one, or nothing that can be read. */
export function notedTags(note: Buffer | undefined, cas: bigint): ReadonlyMap<string, string> | undefined {
  if (note === undefined || note.length > LONGEST_NOTE_BYTES) return undefined;
  try {
    const { of, tags } = JSON.parse(note.toString('utf8')) as { of?: unknown; tags?: unknown };
    if (of !== String(cas) || !Array.isArray(tags) || !tags.every(isPair)) return undefined;
    return new Map(tags);
  } catch {
    return undefined;
  }
}

/** A version of a value that is to get a note. */
export interface NotedVersion {
  /** The key of the value. */
  readonly key: string;
  /** The key of its note. */
  readonly noteKey: string;
  /** The version; 0 of a server that keeps none. */
  readonly cas: bigint;
  /** What its tags are. */
  readonly generations: NotedGenerations;
}

/**
 * Notes the tags of a version that was just stored. Of two stores at a time the later one may be the first to note: its note
 * stays, for it tells of what is there.
 *
 * @param seen the note that was there
 */
export async function writeTagNote(
  node: MemcachedNode,
  { key, noteKey, cas, generations }: NotedVersion,
  seen: MemcachedItem | null,
  options: StoreOptions,
): Promise<void> {
  const note = tagNote(cas, generations);
  const call: CallOptions = { signal: options.signal, timeoutMs: options.timeoutMs };
  let there = seen;
  for (let tried = 0; tried < TRIES; tried += 1) {
    // Versions of one server only grow; behind a proxy the two may be on servers that count on their own.
    if (there !== null && versionOf(there.value) > cas && (await node.get(key, call))?.cas !== cas) return;
    const { status } = await storeOver(there?.cas ?? 'nothing', node, noteKey, note, options);
    if (status === 'stored') return;
    there = await node.get(noteKey, call);
  }
}

function tagNote(cas: bigint, generations: NotedGenerations): Buffer {
  return Buffer.from(JSON.stringify({ of: String(cas), tags: Object.entries(generations) }));
}

function versionOf(note: Buffer): bigint {
  return BigInt(OF.exec(note.toString('latin1', 0, 32))?.[1] ?? 0);
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string';
}
