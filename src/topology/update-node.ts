/** How one observation changes the description of the node that it is about. */
import {
  type Errant,
  type NodeDescription,
  type Observation,
  provesLife,
  type ServerFacts,
  type SourceLost,
} from './node-description.js';

/** Weight of the newest round trip in the moving average. */
const LATENCY_WEIGHT = 0.2;

/** The node after `observation`; its role and its place in replication are derived afterwards, from all nodes together. */
export function updateNode(before: NodeDescription, observation: Observation): NodeDescription {
  const { id, address, configuredRole, weight, zone } = before;
  const seed = { id, address, configuredRole, weight, ...(zone === undefined ? {} : { zone }) };
  const { at } = observation;
  if (observation.ok) {
    const { facts, latencyMs } = observation;
    const was = before.state === 'up' ? before : undefined;
    return {
      ...seed,
      state: 'up',
      role: was?.role ?? 'unknown',
      facts,
      lag: facts.channels.length === 0 ? null : { ms: ownLagMs(facts), at },
      latencyMs: was === undefined ? latencyMs : was.latencyMs + LATENCY_WEIGHT * (latencyMs - was.latencyMs),
      seenAt: at,
      upSince: was?.upSince ?? at,
      heardAt: heardAtAfter(was, facts, at),
      sourceLost: was === undefined ? undefined : sourceLostAfter(was, facts, at),
      ...(wasMadeWritable(was, facts) ? { madeWritable: true } : {}),
      alone: was?.alone,
      errant: errantBefore(before),
    };
  }
  const { failure, error } = observation;
  // The server answered, only not to the monitor: what its own users see is for them to find out.
  if (before.state === 'up' && provesLife(failure)) {
    return { ...before, blind: { failure, error, since: before.blind?.since ?? at } };
  }
  const wasDown = before.state === 'down' ? before : undefined;
  const lastFacts = before.state === 'up' ? before.facts : wasDown?.lastFacts;
  const lastRole = before.state === 'up' ? before.role : wasDown?.lastRole;
  const seenAt = before.state === 'new' ? undefined : before.seenAt;
  const lastErrant = errantBefore(before);
  return {
    ...seed,
    state: 'down',
    failure,
    error,
    failures: (wasDown?.failures ?? 0) + 1,
    downSince: wasDown?.downSince ?? at,
    ...(seenAt === undefined ? {} : { seenAt }),
    ...(lastFacts === undefined ? {} : { lastFacts }),
    ...(lastRole === undefined ? {} : { lastRole }),
    ...(lastErrant === undefined ? {} : { lastErrant }),
  };
}

function errantBefore(before: NodeDescription): Errant | undefined {
  if (before.state === 'new') return undefined;
  return before.state === 'up' ? before.errant : before.lastErrant;
}

/** When the last observation of `node` was made; `-Infinity` for a node that was never looked at. */
export function lastLookAt(node: NodeDescription): number {
  if (node.state === 'up') return Math.max(node.seenAt, node.blind?.since ?? Number.NEGATIVE_INFINITY);
  return node.state === 'down' ? node.downSince : Number.NEGATIVE_INFINITY;
}

/** Lag behind the direct sources: the largest of all channels, null when any of them is unknown. */
export function ownLagMs(facts: ServerFacts): number | null {
  let lag = 0;
  for (const channel of facts.channels) {
    if (channel.lagMs === null || channel.io !== 'yes' || !channel.sql) return null;
    lag = Math.max(lag, channel.lagMs);
  }
  return lag;
}

function wasMadeWritable(
  was: Extract<NodeDescription, { state: 'up' }> | undefined,
  facts: ServerFacts,
): boolean {
  return !facts.readOnly && was !== undefined && (was.facts.readOnly || was.madeWritable === true);
}

/** When a source was last heard of: whatever a receiving thread that stays connected shows anew comes from there. */
function heardAtAfter(
  was: Extract<NodeDescription, { state: 'up' }> | undefined,
  { channels }: ServerFacts,
  at: number,
): number | undefined {
  const hasNews = channels.some(({ reception, io }, index) => {
    const channel = was?.facts.channels[index];
    const before = channel?.reception;
    if (reception === undefined || before === undefined) return false;
    // A thread that has just connected may have all that it missed still before it.
    if (io !== 'yes' || channel?.io !== 'yes') return false;
    return reception.position !== before.position || reception.heartbeats !== before.heartbeats;
  });
  return hasNews ? at : was?.heardAt;
}

/** Remembers how far behind a replica was when only its connection to the source was lost. */
function sourceLostAfter(
  was: Extract<NodeDescription, { state: 'up' }>,
  facts: ServerFacts,
  at: number,
): SourceLost | undefined {
  const onlyTheSourceIsMissing =
    facts.channels.length > 0 &&
    facts.channels.every((channel) => channel.sql) &&
    facts.channels.some((channel) => channel.io !== 'yes');
  if (!onlyTheSourceIsMissing) return undefined;
  if (was.sourceLost !== undefined) return was.sourceLost;
  if (was.lag === null || was.lag.ms === null) return undefined;
  return { lagMs: was.lag.ms + Math.max(0, at - was.lag.at), at };
}
