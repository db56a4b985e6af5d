/** The failure detector: what is wrong with the cluster, judged from what was recorded. A pure function with the time passed in. */
import { type ReplicationGraph, replicationGraph } from '../../topology/replication-graph.js';
import type { FailureKind } from '../failure-kind.js';
import type { Suspicion } from '../suspicion.js';
import { type DetectorInput, lacksMajority } from './detector-input.js';
import { type DetectorPolicy, detectorDefaults } from './detector-policy.js';
import type { DetectorVerdict, NodeVerdict } from './detector-verdict.js';
import { weightOf } from './evidence.js';
import { isDown, type NodeRecord, newRecord } from './node-record.js';
import { phiOf } from './phi.js';
import { stanceOf, type Testimony, testimoniesAbout } from './testimony.js';
import { troubleOf } from './trouble.js';

/** Judges. The same input gives the same verdict, and the order of the records does not matter. */
export function detect(input: DetectorInput): DetectorVerdict {
  const { topology, now, tilted, policy = detectorDefaults } = input;
  const records = topology.nodes.map(({ id }) => input.records.get(id) ?? newRecord(id));
  const graph = replicationGraph(topology.nodes);
  const judged = records.map((record) => judge(record, records, graph, input, policy));
  const { writer } = topology;
  // Whoever began to look when the primary was dead already, or when it was another one, knows it by the votes that it still has.
  const known = input.voters?.votedFor ?? topology.lastPrimary ?? null;
  const primary = writer.kind === 'primary' ? writer.node : known;
  // Who takes the primary out in one process says nothing of whether it lives, and others fail over from it all the same.
  const about = judged.find(({ node }) => node === primary);
  const trouble = troubleOf(input, records, about, policy);
  const failure = trouble?.kind ?? null;
  return {
    at: now,
    tilted,
    primary,
    failure,
    because: trouble?.because ?? '',
    failover: advice(failure, about, input),
    nodes: judged.map((verdict) => shown(verdict, input)),
    down: new Set(
      judged.flatMap(({ node, level }) => (level === 'down' || level === 'objectively-down' ? [node] : [])),
    ),
    evidence: records
      .flatMap(({ evidence }) => evidence)
      .sort((a, b) => a.at - b.at || compare(a.node, b.node)),
  };
}

function judge(
  record: NodeRecord,
  records: readonly NodeRecord[],
  graph: ReplicationGraph,
  input: DetectorInput,
  policy: DetectorPolicy,
): NodeVerdict {
  const { now, intervalMs = 1_000 } = input;
  const testimonies = testimoniesAbout(record, records, graph, now, policy, input.voters?.votes);
  const weight = record.failing === null ? null : weightOf(record.failing.failure);
  return {
    node: record.node,
    ...levelOf(record, testimonies, input, policy),
    weight: weight === 'alive' ? null : weight,
    phi: phiOf(record, now, intervalMs),
    testimonies,
  };
}

function shown(verdict: NodeVerdict, { isolated }: DetectorInput): NodeVerdict {
  if (isolated?.has(verdict.node) !== true) return verdict;
  return { ...verdict, level: 'isolated', because: 'an operator took it out' };
}

function levelOf(
  record: NodeRecord,
  testimonies: readonly Testimony[],
  { now, tilted, voters }: DetectorInput,
  policy: DetectorPolicy,
): { readonly level: Suspicion; readonly because: string } {
  const { failing, blind, downSince, answering } = record;
  if (record.lastAt === Number.NEGATIVE_INFINITY)
    return { level: 'unknown', because: 'nobody has looked at it yet' };
  if (failing === null) {
    if (blind !== null)
      return { level: 'suspect', because: `it lives, but answers the monitor with ${blind.failure}` };
    if (answering === null)
      return {
        level: 'suspect',
        because: 'its last probes failed while this process stalled or its clock jumped',
      };
    if (downSince !== null)
      return {
        level: 'returning',
        because: `it answers again, ${answering.count} times in a row so far`,
      };
    return { level: 'up', because: 'it answers' };
  }
  const failed =
    failing.count === 1
      ? `one probe failed with ${failing.failure}`
      : `${failing.count} probes in a row failed within ${Math.round(now - failing.since)} ms, the last with ${failing.failure}`;
  if (tilted)
    return { level: 'suspect', because: `${failed}, while this process stalled or its clock jumped` };
  if (!isDown(failing, now, policy)) return { level: 'suspect', because: failed };
  const veto = testimonies.find(({ says }) => stanceOf(says) === 'vetoes');
  if (veto !== undefined)
    return { level: 'down', because: `${failed}, but its replica ${veto.replica} is ${wordsFor(veto)}` };
  const confirms = testimonies.filter(({ says }) => stanceOf(says) === 'confirms');
  if (confirms.length === 0)
    return { level: 'down', because: `${failed}, and no replica that answers can confirm it` };
  if (lacksMajority(voters))
    return {
      level: 'down',
      because: `${failed}, but only ${voters?.reachable} of ${voters?.total} voters can be reached`,
    };
  return {
    level: 'objectively-down',
    because: `${failed}, and ${confirms.map((each) => `${each.replica} is ${wordsFor(each)}`).join(', ')}`,
  };
}

function advice(
  failure: FailureKind | null,
  about: NodeVerdict | undefined,
  { tilted }: DetectorInput,
): DetectorVerdict['failover'] {
  if (failure === null) return { warranted: false, because: 'nothing is wrong' };
  if (tilted)
    return {
      warranted: false,
      because: 'this process stalled or its clock jumped, it does not trust its own eyes',
    };
  if (failure !== 'dead-primary' && failure !== 'unreachable-primary')
    return { warranted: false, because: `${failure} is not a failure that another primary would mend` };
  return {
    warranted: about?.level === 'objectively-down',
    because:
      about === undefined ? 'no primary was ever known' : `${about.node} is ${about.level}: ${about.because}`,
  };
}

function wordsFor({ says, silentForMs }: Testimony): string {
  const after = silentForMs === null ? '' : ` (heard nothing for ${Math.round(silentForMs)} ms)`;
  return `${says === 'lost' ? 'cut off from it' : says}${after}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
