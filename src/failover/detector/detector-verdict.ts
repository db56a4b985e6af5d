/** What the detector finds. */
import type { NodeId } from '../../common/node-address.js';
import type { FailureKind } from '../failure-kind.js';
import type { Suspicion } from '../suspicion.js';
import type { Evidence } from './evidence.js';
import type { Testimony } from './testimony.js';

/** The verdict about one node. */
export interface NodeVerdict {
  /** The node. */
  readonly node: NodeId;
  /** How far it is believed to be down. */
  readonly level: Suspicion;
  /** Why, in words. */
  readonly because: string;
  /** How much its failures say: a closed port is `strong`, silence is `weak`; null when nothing fails. */
  readonly weight: 'strong' | 'weak' | null;
  /** How improbable its present silence is; see `phiOf`. For people, nothing decides by it. */
  readonly phi: number;
  /** What its replicas say about it. */
  readonly testimonies: readonly Testimony[];
}

/** The verdict about the cluster. */
export interface DetectorVerdict {
  /** When it was made, monotonic milliseconds. */
  readonly at: number;
  /** Whether this process does not trust its own eyes. */
  readonly tilted: boolean;
  /** The primary that it is about: the present one, else the last known one; null when none was ever known. */
  readonly primary: NodeId | null;
  /** What is wrong; null when nothing is. */
  readonly failure: FailureKind | null;
  /** The same in words, '' when nothing is wrong. */
  readonly because: string;
  /** Whether a failover is warranted by what was seen; if not, why not. Whether it may be done is for others to decide. */
  readonly failover: { readonly warranted: boolean; readonly because: string };
  /** The nodes in the order of the topology. */
  readonly nodes: readonly NodeVerdict[];
  /** Those of them that have not answered for seconds, also where an operator has taken them out. */
  readonly down: ReadonlySet<NodeId>;
  /** The newest looks at all nodes, oldest first. */
  readonly evidence: readonly Evidence[];
}
