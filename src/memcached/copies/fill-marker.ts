/**
 * The marker on a node that says that it is filled. It never expires, and a restart or `flush_all` removes it, so that a node
 * without it is empty or has not got everything back yet. It names the server process that it was written for: a server that
 * was started with old data (`-e`) has missed what happened meanwhile.
 */
import { createHash, randomUUID } from 'node:crypto';
import { OWN_PREFIX } from './copy-key.js';

/** Where nodes say that they are filled, whichever ring it is for. */
export const FILLED_PREFIX: string = `${OWN_PREFIX}filled:`;
/** Whether a server process began at the same second is told to within this many seconds. */
const START_TOLERANCE_SECONDS = 2;

/** One life of a server process. */
export interface Incarnation {
  /** Its process id. */
  readonly pid: number;
  /** When it was started, in seconds since 1970 by its own clock. */
  readonly startedAt: number;
}

/** The name of a set of nodes and of how keys are spread over them: who spreads them otherwise needs other copies. */
export function ringId(description: unknown): string {
  return createHash('sha256').update(JSON.stringify(description)).digest('base64url').slice(0, 16);
}

/** Where the marker for a ring is. */
export function fillMarkerKey(ring: string): string {
  return FILLED_PREFIX + ring;
}

/**
 * The bytes of a new marker, different from every other one.
 *
 * @param anewAt when so many nodes were not filled that nobody could say whether anything was missing, in milliseconds since 1970;
 * left out when the node got everything from nodes that were
 */
export function newFillMarker({ pid, startedAt }: Incarnation, anewAt?: number): Buffer {
  const anew = anewAt === undefined ? '' : ` anew ${Math.floor(anewAt / 1000)}`;
  return Buffer.from(`1 ${pid} ${startedAt} ${randomUUID()}${anew}`);
}

/** When a node began anew, as its marker says; undefined when it got everything from nodes that were filled. */
export function begunAnewAt(marker: string): Date | undefined {
  const match = / anew (\d{1,12})$/.exec(marker);
  return match === null ? undefined : new Date(Number(match[1]) * 1000);
}

/** The server's present life, from its general statistics; undefined when they do not tell. */
export function incarnationOf(stats: ReadonlyMap<string, string>): Incarnation | undefined {
  const [pid, time, uptime] = ['pid', 'time', 'uptime'].map((name) => Number(stats.get(name)));
  if (pid === undefined || time === undefined || uptime === undefined) return undefined;
  return [pid, time, uptime].every(Number.isSafeInteger) ? { pid, startedAt: time - uptime } : undefined;
}

/** Whether a marker was written for another life of the server than `now`. One that cannot be read was. */
export function isOutlived(marker: string, now: Incarnation): boolean {
  const match = /^1 (\d{1,10}) (\d{1,12}) /.exec(marker);
  if (match === null) return true;
  if (Number(match[1]) !== now.pid) return true;
  return Math.abs(Number(match[2]) - now.startedAt) > START_TOLERANCE_SECONDS;
}
