/** What is wrong with the primary, by kind; the kinds that look like its death and are not come before it. */
import { nodeIn } from '../../topology/topology-description.js';
import type { FailureKind } from '../failure-kind.js';
import { type DetectorInput, hasLostMajority } from './detector-input.js';
import type { DetectorPolicy } from './detector-policy.js';
import type { NodeVerdict } from './detector-verdict.js';
import type { NodeRecord } from './node-record.js';

/** A kind of trouble with its reason in words. */
export interface Trouble {
  /** The kind. */
  readonly kind: FailureKind;
  /** Why. */
  readonly because: string;
}

/** What is wrong, judged by the verdict `about` the primary, if one was ever known; undefined when nothing is. */
export function troubleOf(
  input: DetectorInput,
  records: readonly NodeRecord[],
  about: NodeVerdict | undefined,
  policy: DetectorPolicy,
): Trouble | undefined {
  const { topology, voters } = input;
  const { writer } = topology;
  if (writer.kind === 'split-brain')
    return { kind: 'split-brain', because: `${writer.nodes.join(' and ')} all claim to be the primary` };
  const lost: Trouble | undefined = hasLostMajority(voters)
    ? {
        kind: 'majority-lost',
        because: `only ${voters?.reachable} of ${voters?.total} voters can be reached: the trouble may be on this side`,
      }
    : undefined;
  if (about === undefined) {
    if (lost !== undefined) return lost;
    return writer.kind === 'primary'
      ? undefined
      : { kind: 'no-primary', because: 'no node claims to be the primary' };
  }
  const record = records.find(({ node }) => node === about.node);
  const node = nodeIn(topology, about.node);
  if (node?.state === 'down') return lost ?? deathOf(node.failure, about);
  const crowd = record === undefined ? undefined : crowdOf(record, input.now, policy);
  if (crowd !== undefined) return crowd;
  if (writer.kind !== 'primary') {
    if (node?.state === 'up' && node.facts.readOnly && node.facts.channels.length === 0)
      return { kind: 'read-only-primary', because: `${about.node} answers and refuses writes` };
    return (
      lost ?? {
        kind: 'no-primary',
        because: `${about.node} is not the primary any more, and no other node is`,
      }
    );
  }
  return (
    lost ??
    lockOf(record, policy) ??
    blockOf(record, policy) ??
    replicaTrouble(about, records, input.now, policy)
  );
}

function deathOf(failure: string, { node, because }: NodeVerdict): Trouble {
  const isDead = failure === 'refused' || failure === 'reset' || failure === 'server-shutdown';
  return { kind: isDead ? 'dead-primary' : 'unreachable-primary', because: `${node}: ${because}` };
}

function crowdOf(record: NodeRecord, now: number, policy: DetectorPolicy): Trouble | undefined {
  const { blind, crowdedAt, node } = record;
  const isCrowded =
    blind?.failure === 'too-many' || (crowdedAt !== null && now - crowdedAt <= policy.overloadMemoryMs);
  return isCrowded
    ? { kind: 'overloaded', because: `${node} lives and takes no more connections` }
    : undefined;
}

/** From the first look that saw it to the last one: what nobody has looked at since may be over. */
function seenForMs({ said }: NodeRecord, since: number): number {
  return (said?.at ?? since) - since;
}

function lockOf(record: NodeRecord | undefined, policy: DetectorPolicy): Trouble | undefined {
  if (record === undefined || record.lockedSince === null) return undefined;
  const forMs = seenForMs(record, record.lockedSince);
  if (forMs < policy.troubleAfterMs) return undefined;
  const { waiting = 0, acknowledgers = 0 } = record.said?.facts.semiSync ?? {};
  return {
    kind: 'locked-semisync',
    because: `${waiting} commits on ${record.node} have waited for an acknowledgement for ${Math.round(forMs)} ms; ${acknowledgers} replicas acknowledge`,
  };
}

function blockOf(record: NodeRecord | undefined, policy: DetectorPolicy): Trouble | undefined {
  if (record === undefined || record.blockedSince === null) return undefined;
  const forMs = seenForMs(record, record.blockedSince);
  if (forMs < policy.troubleAfterMs) return undefined;
  const { blockedWrites = 0 } = record.said?.facts ?? {};
  return {
    kind: 'locked',
    because:
      `${blockedWrites} statements on ${record.node} wait for the lock of the whole server (FLUSH TABLES WITH READ LOCK, a backup), ` +
      `and none was seen to be committed for ${Math.round(forMs)} ms`,
  };
}

function replicaTrouble(
  { node, testimonies }: NodeVerdict,
  records: readonly NodeRecord[],
  now: number,
  policy: DetectorPolicy,
): Trouble | undefined {
  const answering = records.find((each) => each.node === node)?.answering;
  // Replicas need a moment to find a primary that came back.
  if (testimonies.length === 0 || now - (answering?.since ?? now) < policy.troubleAfterMs) return undefined;
  const isBroken = (replica: string): boolean => {
    const record = records.find((each) => each.node === replica);
    const since = record?.failing?.since ?? brokenSince(record);
    return since !== null && now - since >= policy.troubleAfterMs;
  };
  if (!testimonies.every(({ replica }) => isBroken(replica))) return undefined;
  const names = testimonies.map(({ replica }) => replica).join(', ');
  return { kind: 'all-replicas-broken', because: `${node} works, but no replica follows it: ${names}` };
}

/** Since when a thread stands, or the source is not heard although it should be. */
function brokenSince(record: NodeRecord | undefined): number | null {
  for (const { brokenSince, lostSince } of record?.receptions.values() ?? []) {
    if (brokenSince !== null || lostSince !== null)
      return Math.min(brokenSince ?? Number.POSITIVE_INFINITY, lostSince ?? Number.POSITIVE_INFINITY);
  }
  return null;
}
