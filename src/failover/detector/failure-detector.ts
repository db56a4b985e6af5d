/** The detector at work: keeps the records of a watched cluster and tells when the verdict changes. Decides nothing itself. */
import { type Clock, systemClock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { SelfHealth } from '../../health/self-health.js';
import type { TopologyWatcher } from '../../health/topology-watcher.js';
import type { NodeDescription, Observation, ProbeFailure } from '../../topology/node-description.js';
import { detect } from './detect.js';
import type { VoterCount } from './detector-input.js';
import { type DetectorPolicy, detectorDefaults, stretched } from './detector-policy.js';
import type { DetectorVerdict } from './detector-verdict.js';
import { type NodeRecord, newRecord, record, recordConnection } from './node-record.js';

/** The events of a {@link FailureDetector}. */
export interface FailureDetectorEvents {
  /** The kind of trouble, the advice, the tilt of this process, or the level of a node changed. */
  'verdict-changed': { readonly before: DetectorVerdict; readonly after: DetectorVerdict };
}

/** Options of a {@link FailureDetector}. */
export interface FailureDetectorOptions {
  /** Watches the nodes; belongs to the caller. */
  readonly watcher: TopologyWatcher;
  /** The voters now; without it no majority is asked for. */
  readonly voters?: (() => VoterCount | undefined) | undefined;
  /** Nodes that an operator took out now. */
  readonly isolated?: (() => ReadonlySet<NodeId>) | undefined;
  /** The numbers to judge by. Default {@link detectorDefaults}. */
  readonly policy?: DetectorPolicy | undefined;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** Judges a watched cluster after every look at a node, until it is closed. */
export class FailureDetector extends SafeEmitter<FailureDetectorEvents> {
  readonly #options: FailureDetectorOptions;
  readonly #policy: DetectorPolicy;
  readonly #clock: Clock;
  readonly #self: SelfHealth;
  readonly #records = new Map<NodeId, NodeRecord>();
  #last: DetectorVerdict;

  /** Begins to listen to the watcher and to watch this process. */
  constructor(options: FailureDetectorOptions) {
    super();
    this.#options = options;
    this.#policy = options.policy ?? detectorDefaults;
    this.#clock = options.clock ?? systemClock;
    this.#self = new SelfHealth(this.#clock);
    for (const node of options.watcher.topology.nodes) this.#remember(node);
    this.#last = this.verdict();
    options.watcher.on('node-observed', this.#onObserved);
    options.watcher.on('connection-observed', this.#onConnection);
  }

  /** Whether this process stalled or its clock jumped lately, so that it does not trust what it sees. */
  get tilted(): boolean {
    return this.#self.tilted;
  }

  /** What is remembered of each node. */
  get records(): ReadonlyMap<NodeId, NodeRecord> {
    return this.#records;
  }

  /** Judges now. */
  verdict(): DetectorVerdict {
    const { watcher, voters, isolated } = this.#options;
    return detect({
      topology: watcher.topology,
      records: this.#records,
      now: this.#clock.now(),
      tilted: this.#self.tilted,
      voters: voters?.(),
      isolated: isolated?.(),
      policy: this.#stretched,
    });
  }

  /** Stops; the verdict can still be asked for, and grows old. */
  close(): void {
    this.#self.close();
    this.#options.watcher.off('node-observed', this.#onObserved);
    this.#options.watcher.off('connection-observed', this.#onConnection);
  }

  /** The watcher may have looked already; what it found is as good as a look of our own. */
  #remember(node: NodeDescription): void {
    if (node.state === 'new') return;
    const { id } = node;
    const observation: Observation =
      node.state === 'up'
        ? { node: id, at: node.seenAt, ok: true, latencyMs: node.latencyMs, facts: node.facts }
        : { node: id, at: node.downSince, ok: false, failure: node.failure, error: node.error };
    const look = { observation, wall: this.#clock.wall(), localStall: false };
    this.#records.set(id, record(newRecord(id), look, this.#policy));
  }

  readonly #onObserved = (observation: Observation): void => {
    const look = { observation, wall: this.#clock.wall(), localStall: this.#self.tilted };
    const policy = this.#stretched;
    this.#change(observation.node, (before) => record(before, look, policy));
  };

  readonly #onConnection = (seen: {
    readonly node: NodeId;
    readonly at: number;
    readonly failure: ProbeFailure | null;
  }): void => {
    this.#change(seen.node, (before) => recordConnection(before, seen.at, seen.failure));
  };

  get #stretched(): DetectorPolicy {
    return stretched(this.#policy, this.#self.strainMs);
  }

  #change(node: NodeId, by: (before: NodeRecord) => NodeRecord): void {
    const before = this.#records.get(node) ?? newRecord(node);
    const after = by(before);
    if (after === before) return;
    this.#records.set(node, after);
    const was = this.#last;
    this.#last = this.verdict();
    if (differs(was, this.#last)) this.publish('verdict-changed', { before: was, after: this.#last });
  }
}

/** Whether two verdicts say different things; numbers that merely grow are no difference. */
function differs(a: DetectorVerdict, b: DetectorVerdict): boolean {
  return (
    a.failure !== b.failure ||
    a.primary !== b.primary ||
    a.tilted !== b.tilted ||
    a.failover.warranted !== b.failover.warranted ||
    a.nodes.length !== b.nodes.length ||
    b.nodes.some((node, index) => node.level !== a.nodes[index]?.level)
  );
}
