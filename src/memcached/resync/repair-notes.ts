/**
 * What a node says about its repairs, to whoever looks at it: in its lease what is under way, and beside it what was done since it
 * started. Nothing is decided by either, and both are read from memcached, so their bytes are hostile.
 */
import type { CallOptions } from '../../common/deadline.js';
import { repairsKey } from '../copies/copy-key.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { ResyncKind, ResyncProgress } from './resync-events.js';

/** A repair that some process is at. */
export interface RepairUnderWay extends Omit<ResyncProgress, 'node' | 'total'> {
  /** What is done. */
  readonly kind: ResyncKind;
  /** As of a progress; null where it is not known, as of a mend. */
  readonly total: number | null;
}

/** The repairs of a node since it started. */
export interface RepairsDone {
  /** How many. */
  readonly repairs: number;
  /** Items that were copied, mended or removed by all of them. */
  readonly items: number;
  /** What the last one was. */
  readonly lastKind: ResyncKind;
  /** Its items. */
  readonly lastItems: number;
  /** How long it took, in milliseconds. */
  readonly lastMs: number;
  /** When it ended, in milliseconds since 1970 by the clock of whoever did it. */
  readonly lastAt: number;
}

const MAX_NOTE_BYTES = 200;
const KIND = '(fill|mend|recopy|move|sweep)';
const NUMBER = '(\\d{1,15})';
const UNDER_WAY = new RegExp(`^\\d+ [0-9a-f-]+ ${KIND} ${NUMBER} ${NUMBER} (\\d{1,15}|-) ${NUMBER}$`);
const DONE = new RegExp(`^${NUMBER} ${NUMBER} ${KIND} ${NUMBER} ${NUMBER} ${NUMBER}$`);

/** What stands in the lease behind the name of its owner. */
export function encodeUnderWay({ kind, copied, skipped, total, elapsedMs }: RepairUnderWay): string {
  return [kind, copied, skipped, total ?? '-', Math.round(elapsedMs)].join(' ');
}

/** Reads a lease; undefined for one that tells nothing. */
export function decodeUnderWay(bytes: Buffer): RepairUnderWay | undefined {
  const [, kind, copied, skipped, total, elapsedMs] = match(UNDER_WAY, bytes);
  if (kind === undefined) return undefined;
  return {
    kind: kind as ResyncKind,
    copied: Number(copied),
    skipped: Number(skipped),
    total: total === '-' ? null : Number(total),
    elapsedMs: Number(elapsedMs),
  };
}

/** Reads what was done; undefined for anything else. */
export function decodeDone(bytes: Buffer): RepairsDone | undefined {
  const [, repairs, items, kind, lastItems, lastMs, lastAt] = match(DONE, bytes);
  if (kind === undefined) return undefined;
  return {
    repairs: Number(repairs),
    items: Number(items),
    lastKind: kind as ResyncKind,
    lastItems: Number(lastItems),
    lastMs: Number(lastMs),
    lastAt: Number(lastAt),
  };
}

/** Adds a repair to those of the node, under whose lease nobody else does. Never rejects. */
export async function noteRepair(
  node: MemcachedNode,
  {
    kind,
    items,
    elapsedMs,
  }: { readonly kind: ResyncKind; readonly items: number; readonly elapsedMs: number },
  call: CallOptions,
): Promise<void> {
  const key = repairsKey(node.id);
  try {
    const noted = await node.get(key, call);
    const before = noted === null ? undefined : decodeDone(noted.value);
    const [repairs, all] = [(before?.repairs ?? 0) + 1, (before?.items ?? 0) + items];
    const text = [repairs, all, kind, items, Math.round(elapsedMs), Date.now()].join(' ');
    await node.set(key, Buffer.from(text), { ...call, exptime: 0 });
  } catch {
    // Only those who look miss it.
  }
}

function match(pattern: RegExp, bytes: Buffer): readonly (string | undefined)[] {
  return bytes.length > MAX_NOTE_BYTES ? [] : (pattern.exec(bytes.toString('latin1')) ?? []);
}
