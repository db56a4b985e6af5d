/** What the replicas of a node say about it: they look at it over connections of their own. */
import type { NodeId } from '../../common/node-address.js';
import { channelError } from '../../topology/apply-error.js';
import type { ReplicationGraph } from '../../topology/replication-graph.js';
import type { DetectorPolicy } from './detector-policy.js';
import { type NodeRecord, silentAfterMs } from './node-record.js';
import { isAnswered, type ReceptionRecord } from './reception-record.js';

/** What a replica says about its source. */
export type TestimonySays =
  /** It got events or heartbeats of late: the source lives. */
  | 'receiving'
  /** Its connection stands, and nobody can tell whether anything comes over it. */
  | 'connected'
  /** Its connection stands, but neither events nor heartbeats came for too long. */
  | 'silent'
  /** It cannot connect, or could not when its thread was stopped. */
  | 'lost'
  /** The source answers it with a refusal: it lived when it did. */
  | 'refused'
  /** Somebody stopped its receiving thread while all was well: it knows nothing new. */
  | 'stopped'
  /** It does not answer this process, or has not since the source failed. */
  | 'unreachable';

/** The testimony of one replica. */
export interface Testimony {
  /** The replica. */
  readonly replica: NodeId;
  /** The node that it replicates from. */
  readonly source: NodeId;
  /** What it says. */
  readonly says: TestimonySays;
  /** For how long it has heard nothing of its source, milliseconds; null when it says nothing. */
  readonly silentForMs: number | null;
  /** The last error of its threads, '' when there is none. */
  readonly detail: string;
}

/** Whether a testimony speaks for the death of the source, for its life, or not at all. */
export function stanceOf(says: TestimonySays): 'confirms' | 'vetoes' | 'abstains' {
  switch (says) {
    case 'lost':
    case 'silent':
      return 'confirms';
    case 'receiving':
    case 'connected':
      return 'vetoes';
    default:
      return 'abstains';
  }
}

/** Nodes are not all looked at in the same moment: what was said so shortly before the first failure belongs to the same poll. */
const SAME_POLL_MS = 500;

/**
 * The testimonies of all replicas of `source`, in the order of `records`. A source that never answered is known by the `votes` of its
 * replicas where they have an address for it that no client sees.
 */
export function testimoniesAbout(
  source: NodeRecord,
  records: readonly NodeRecord[],
  graph: ReplicationGraph,
  now: number,
  policy: DetectorPolicy,
  votes?: ReadonlyMap<NodeId, NodeId | null>,
): readonly Testimony[] {
  const found: Testimony[] = [];
  for (const replica of records) {
    if (replica.node === source.node) continue;
    for (const reception of replica.receptions.values()) {
      const vote = replica.receptions.size === 1 ? votes?.get(replica.node) : undefined;
      if ((graph.sourceOf(reception.channel) ?? vote) !== source.node) continue;
      found.push(testimonyOf(replica, reception, source, now, policy));
    }
  }
  return found;
}

function testimonyOf(
  replica: NodeRecord,
  reception: ReceptionRecord,
  source: NodeRecord,
  now: number,
  policy: DetectorPolicy,
): Testimony {
  const { channel } = reception;
  const base = { replica: replica.node, source: source.node, detail: channelError(channel) };
  const at = replica.said?.at ?? Number.NEGATIVE_INFINITY;
  const isHeard =
    replica.failing === null &&
    replica.blind === null &&
    now - at <= policy.freshMs &&
    at >= (source.failing?.since ?? at) - SAME_POLL_MS;
  if (!isHeard) return { ...base, says: 'unreachable', silentForMs: null };
  return { ...base, says: whatItSays(reception, at, policy), silentForMs: at - reception.movedAt };
}

function whatItSays(reception: ReceptionRecord, at: number, policy: DetectorPolicy): TestimonySays {
  const { channel, movedAt, lostSince } = reception;
  if (channel.io === 'connecting') return isAnswered(channel) ? 'refused' : 'lost';
  if (channel.io === 'no') return lostSince === null ? 'stopped' : 'lost';
  const limit = silentAfterMs(channel, policy);
  if (at - movedAt > limit) return 'silent';
  return Number.isFinite(limit) ? 'receiving' : 'connected';
}
