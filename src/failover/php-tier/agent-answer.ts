/** What HAProxy's agent check is answered: whether a node takes writes, or serves reads, and with which share. */
import type { NodeId } from '../../common/node-address.js';
import { shareOf } from '../../topology/balance.js';
import { selectNodes } from '../../topology/node-selection.js';
import type { LagLimits } from '../../topology/replica-freshness.js';
import { nodeIn, type TopologyDescription } from '../../topology/topology-description.js';
import { noWriterWords, votedWriter } from '../../topology/voted-writer.js';
import type { ClusterSnapshot } from '../cluster-snapshot.js';
import { isFresh } from './topology-source.js';

/** What a server line of HAProxy asks for with `agent-send "<node> <role>\n"`. */
export interface AgentQuestion {
  /** The node. */
  readonly node: NodeId;
  /** `write`: does it take writes? `read`: does it serve reads (replicas, and the primary when no replica is fit)? */
  readonly role: 'write' | 'read';
}

/** The question in a line; undefined when it is none. */
export function readQuestion(line: string): AgentQuestion | undefined {
  const [, node, role] = /^(\S{1,255})[ \t]+(write|read)\s*$/.exec(line) ?? [];
  return node === undefined ? undefined : { node, role: role as AgentQuestion['role'] };
}

/** Of a picture that is older than this nobody knows whether it is still true, milliseconds. */
const MAX_AGE_MS = 10_000;

/** What is looked at. */
export interface AgentContext extends LagLimits {
  readonly topology: TopologyDescription;
  readonly state: ClusterSnapshot;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/**
 * The answer, in the words of HAProxy, with a line end; undefined when this process does not trust its own eyes: HAProxy then
 * leaves things as they are.
 */
export function agentAnswer(
  { node, role }: AgentQuestion,
  { topology, state, now, maxLagMs, maxLagWithoutPrimaryMs }: AgentContext,
): string | undefined {
  if (state.tilted || !isFresh(topology, now, MAX_AGE_MS)) return undefined;
  const known = nodeIn(topology, node);
  if (known === undefined)
    return down(`no node is called ${node}; known are ${topology.nodes.map(({ id }) => id).join(', ')}`);
  const isOut = (id: NodeId): boolean =>
    state.nodes.find((each) => each.node === id)?.suspicion === 'isolated';
  // No new connections, and those that are there may end in peace.
  const drained = isOut(node) ? 'up drain\n' : undefined;
  if (role === 'write') {
    const writer = votedWriter(topology, state);
    // Those to a primary of before end at once, as without the isolation: each of their writes is refused.
    if (writer === node) return drained ?? 'up ready 100%\n';
    return down(writer === undefined ? noWriterWords(topology, state) : `the primary is ${writer}`);
  }
  if (drained !== undefined) return drained;
  const criteria = {
    preference: 'replica-preferred' as const,
    voted: state.voted ?? undefined,
    maxLagMs,
    maxLagWithoutPrimaryMs,
    now,
    allows: (id: NodeId) => !isOut(id),
  };
  const { candidates, rejected } = selectNodes(topology, criteria);
  if (candidates.some(({ id }) => id === node)) {
    const whole = known.weight > 0 ? known.weight : 1;
    return `up ready ${Math.max(1, Math.round((100 * shareOf(known, { now })) / whole))}%\n`;
  }
  return down(rejected.find((each) => each.node === node)?.reason ?? 'other nodes serve reads');
}

/** `ready` ends a drain of before. A line end or a second `#` in the reason would end the answer. */
function down(reason: string): string {
  return `ready down #${reason.replaceAll(/[\r\n#\0]/g, ' ').slice(0, 150)}\n`;
}
