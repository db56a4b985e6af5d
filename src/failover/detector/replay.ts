/** Judges a recording: folds what was seen, in the order of time, and asks the detector. */
import type { NodeId } from '../../common/node-address.js';
import { initialTopology, observe } from '../../topology/describe-topology.js';
import type { NodeSeed, ProbeFailure } from '../../topology/node-description.js';
import { detect } from './detect.js';
import type { DetectorInput } from './detector-input.js';
import { detectorDefaults } from './detector-policy.js';
import type { DetectorVerdict } from './detector-verdict.js';
import type { RecordedObservation } from './evidence.js';
import { type NodeRecord, newRecord, record, recordConnection } from './node-record.js';

/** An application's connection that was made (`failure` null) or refused. */
export interface RecordedConnection {
  /** The node. */
  readonly node: NodeId;
  /** When, monotonic milliseconds. */
  readonly at: number;
  /** Why it was refused; null when it was made. */
  readonly failure: ProbeFailure | null;
}

/** What was seen of a cluster. */
export interface Recording extends Omit<DetectorInput, 'topology' | 'records'> {
  /** The nodes. */
  readonly seeds: readonly NodeSeed[];
  /** The looks at them, in any order. */
  readonly looks: readonly RecordedObservation[];
  /** The connections of applications, in any order. */
  readonly connections?: readonly RecordedConnection[] | undefined;
}

/** The verdict at `recording.now`; what was seen later is not looked at. */
export function replay(recording: Recording): DetectorVerdict {
  const { seeds, looks, connections = [], ...rest } = recording;
  const { now, policy = detectorDefaults } = rest;
  let topology = initialTopology(seeds);
  const records = new Map<NodeId, NodeRecord>(seeds.map(({ id }) => [id, newRecord(id)]));
  const change = (node: NodeId, by: (before: NodeRecord) => NodeRecord): void => {
    const before = records.get(node);
    if (before !== undefined) records.set(node, by(before));
  };
  const past = looks.filter(({ observation }) => observation.at <= now);
  for (const look of past.sort(byTimeAndNode)) {
    topology = observe(topology, look.observation);
    change(look.observation.node, (before) => record(before, look, policy));
  }
  for (const { node, at, failure } of connections
    .filter((each) => each.at <= now)
    .sort((a, b) => a.at - b.at))
    change(node, (before) => recordConnection(before, at, failure));
  return detect({ ...rest, topology, records });
}

function byTimeAndNode(a: RecordedObservation, b: RecordedObservation): number {
  const [x, y] = [a.observation, b.observation];
  return x.at - y.at || (x.node < y.node ? -1 : x.node > y.node ? 1 : Number(x.ok) - Number(y.ok));
}
