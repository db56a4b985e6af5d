/** What a replica's receiving thread showed of its source over time, one channel at a time. */
import type { ReplicationChannel } from '../../topology/node-description.js';

/** Errors that only a living source can have sent: access, limits, and a position that it does not have. */
const SOURCE_ANSWERED: ReadonlySet<number> = new Set([
  1040, 1044, 1045, 1129, 1130, 1141, 1142, 1203, 1226, 1227, 1236, 1698, 1862, 3118, 3955, 4151, 13114,
  13115, 13116,
]);

/** What is remembered of one channel. Times are monotonic milliseconds. */
export interface ReceptionRecord {
  /** The channel as it was seen last. */
  readonly channel: ReplicationChannel;
  /** When the last sign of life of the source was seen: a new position, a heartbeat, a new connection. */
  readonly movedAt: number;
  /** Since when the source cannot be reached, although nobody stopped the thread; null while it can. */
  readonly lostSince: number | null;
  /** Since when a thread does not run; null while both do. */
  readonly brokenSince: number | null;
}

/** The record after one more look at the channel at `at`; without a record, or with another source, a new one begins. */
export function afterLook(
  before: ReceptionRecord | undefined,
  channel: ReplicationChannel,
  at: number,
  silentAfterMs: (channel: ReplicationChannel) => number,
): ReceptionRecord {
  const was = before !== undefined && sameSource(before.channel, channel) ? before : undefined;
  const moved = was === undefined || hasMoved(was.channel, channel);
  const movedAt = moved ? at : was.movedAt;
  const running = channel.io === 'yes' && channel.sql;
  return {
    channel,
    movedAt,
    lostSince: lostSince(was, channel, at, at - movedAt > silentAfterMs(channel)),
    brokenSince: running ? null : (was?.brokenSince ?? at),
  };
}

/** Whether the thread retries although the source answers it: a matter of accounts or limits, not of life. */
export function isAnswered(channel: ReplicationChannel): boolean {
  return SOURCE_ANSWERED.has(channel.reception?.errno ?? 0);
}

function lostSince(
  was: ReceptionRecord | undefined,
  channel: ReplicationChannel,
  at: number,
  silent: boolean,
): number | null {
  switch (channel.io) {
    case 'yes':
      return silent ? (was?.lostSince ?? at) : null;
    case 'connecting':
      return isAnswered(channel) ? null : (was?.lostSince ?? at);
    case 'no':
      // Stopped by somebody: what the thread knew before stays true, but it learns nothing new.
      return was?.lostSince ?? null;
  }
}

function sameSource(a: ReplicationChannel, b: ReplicationChannel): boolean {
  return a.sourceHost === b.sourceHost && a.sourcePort === b.sourcePort;
}

function hasMoved(before: ReplicationChannel, after: ReplicationChannel): boolean {
  if (after.io !== 'yes') return false;
  // A thread that connects proves that something accepts connections.
  if (before.io !== 'yes') return true;
  const [a, b] = [before.reception, after.reception];
  if (a === undefined || b === undefined) return false;
  return a.position !== b.position || a.heartbeats !== b.heartbeats;
}
