/** Where a statement would go, and why, without sending it. */
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import { type NodeRole, roleOf } from '../topology/node-description.js';
import type { Selection } from '../topology/node-selection.js';
import { nodeIn } from '../topology/topology-description.js';
import { lacksVotes, noWriterWords, votedWriter, type WriterVotes } from '../topology/voted-writer.js';
import type { Classification } from './classifier/classification.js';
import type { ClusterCore } from './cluster-core.js';
import { FRESH_SESSION, needOf } from './session-state.js';
import { isGated, type WriteGate } from './write-gate.js';

/** A node as it was considered for a statement. */
export interface ConsideredNode {
  /** The node. */
  readonly node: NodeId;
  /** Its role. */
  readonly role: NodeRole;
  /** Whether it may take the statement. */
  readonly fit: boolean;
  /** Why it may not, or was not preferred; '' when it may. */
  readonly reason: string;
}

/** What `explain()` answers. */
export interface RouteExplanation {
  /** The statement. */
  readonly sql: string;
  /** What it does. */
  readonly kind: string;
  /** A node that would take it now; undefined when none would. */
  readonly node: NodeId | undefined;
  /** The role of that node. */
  readonly role: NodeRole;
  /** Why it goes to a node of that role. */
  readonly because: string;
  /** What the statement is, in full. */
  readonly classification: Classification;
  /** Every node. */
  readonly considered: readonly ConsideredNode[];
}

/** Explains where a statement outside a transaction would go in the present scope. */
export function explainRoute(core: ClusterCore, sql: string): RouteExplanation {
  const classification = core.classify(sql, core.sqlMode);
  const scope = core.scopes.current;
  const need = needOf(FRESH_SESSION, classification, false);
  const reads = need.place === 'read' || need.place === 'any';
  const preference = core.router.preferenceIn(scope);
  const gate = !reads && isGated(classification, FRESH_SESSION) ? core.writeGate : undefined;
  if (gate !== undefined) return throughGate(core, sql, classification, need.because, gate);
  const selection = reads ? core.router.considered(scope) : core.router.consideredForWrite();
  const known = { sql, kind: classification.kind, classification, considered: listed(core, selection) };
  let because = need.because;
  if (reads && scope?.readsFromPrimary === true)
    because = 'the scope wrote, and it is not known which nodes have that';
  else if (reads && preference === 'primary') because = "the read preference is 'primary'";
  try {
    const choice =
      reads && preference !== 'primary' ? core.router.reader(scope, refusing(core), true) : undefined;
    const { writer, restingPrimary } = core.router;
    const node = choice === undefined ? (writer ?? (reads ? restingPrimary : undefined)) : choice.node;
    const role = node === undefined ? 'unknown' : roleIn(core, node);
    if (choice !== undefined && choice.because !== '') because = choice.because;
    if (choice?.waitFor !== undefined)
      because = `it is waited for there until ${choice.waitFor.text} is applied`;
    return { ...known, node, role, because };
  } catch (error) {
    return { ...known, node: undefined, role: 'unknown', because: describeError(error) };
  }
}

/** A write where voters vote: it goes to the node that has the votes, whatever looks like the primary from here. */
function throughGate(
  core: ClusterCore,
  sql: string,
  classification: Classification,
  because: string,
  gate: WriteGate,
): RouteExplanation {
  const { topology } = core;
  const votes: WriterVotes = { voted: gate.voted ?? null };
  const node = votedWriter(topology, votes);
  const missing = gate.voted === undefined ? describeError(gate.missing()) : noWriterWords(topology, votes);
  const considered = listed(core, core.router.consideredForWrite()).map((each) => {
    const isOther = each.fit && each.node !== node;
    return isOther ? { ...each, fit: false, reason: missing } : each;
  });
  const role = node === undefined ? 'unknown' : roleIn(core, node);
  const why = node === undefined && lacksVotes(topology, votes) ? missing : because;
  return { sql, kind: classification.kind, classification, considered, node, role, because: why };
}

function listed(core: ClusterCore, { candidates, rejected }: Selection): readonly ConsideredNode[] {
  return core.topology.nodes.map((node) => {
    const role = roleOf(node);
    const { refusal } = core.node(node.id);
    const isCandidate = candidates.some(({ id }) => id === node.id);
    if (isCandidate && refusal === undefined) return { node: node.id, role, fit: true, reason: '' };
    const told = refusal === undefined ? '' : describeError(refusal);
    const reason = rejected.find((entry) => entry.node === node.id)?.reason ?? told;
    return { node: node.id, role, fit: false, reason };
  });
}

/** The nodes that let nobody in when that was tried last: reads go on to another one from there. */
function refusing(core: ClusterCore): ReadonlySet<NodeId> {
  return new Set([...core.nodes.values()].filter(({ refusal }) => refusal !== undefined).map(({ id }) => id));
}

function roleIn(core: ClusterCore, id: NodeId): NodeRole {
  const node = nodeIn(core.topology, id);
  return node === undefined ? 'unknown' : roleOf(node);
}
