/** Who is what in a group whose members all have the data: Group Replication names its primary, of Galera's any may be it. */
import type { NodeId } from '../common/node-address.js';
import type { WriterVerdict } from './derive-writer.js';
import type { NodeDescription, NodeRole } from './node-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** Whether the node is a member that has the data of the group and knows what is new. */
export function isSoundMember(node: NodeDescription): boolean {
  if (node.state !== 'up') return false;
  const { group } = node.facts;
  return group?.state === 'online' && group.hasQuorum;
}

/**
 * The writer of a group; undefined when none of `nodes` is in one. Where every member may write, all writes go to one of them
 * all the same, since transactions that meet on different members fail: the configured primary, else the one whose id is
 * first, so that every process chooses the same.
 */
export function groupWriter(nodes: readonly NodeDescription[]): WriterVerdict | undefined {
  const members = nodes.filter((node) => node.state === 'up').filter(isMember);
  if (members.length === 0) return undefined;
  const writable = members.filter((node) => isSoundMember(node) && !node.facts.readOnly);
  const named = writable.filter((node) => node.facts.group?.writes === 'here');
  const [first, second] = named;
  if (first !== undefined && second !== undefined) {
    return { writer: { kind: 'split-brain', nodes: named.map(({ id }) => id).sort() }, warnings: [] };
  }
  const equal = writable.filter((node) => node.facts.group?.writes === 'everywhere');
  const chosen =
    first ??
    equal.find((node) => node.configuredRole === 'primary') ??
    [...equal].sort((a, b) => (a.id < b.id ? -1 : 1))[0];
  return {
    writer: chosen === undefined ? { kind: 'no-primary' } : { kind: 'primary', node: chosen.id },
    warnings: [],
  };
}

/** Whether the node takes part in a group, or did until it failed or was cut off: it is no server of its own then. */
export function isMember(node: UpNode): boolean {
  return node.facts.group !== undefined;
}

/** The role of a member. One that is not sound is nobody: it may have old data and not know it. */
export function memberRole(node: UpNode, primary: NodeId | undefined): NodeRole {
  if (node.id === primary) return 'primary';
  return isSoundMember(node) ? 'replica' : 'unknown';
}
