/** Which differences between two topologies are worth telling: lag and latency change with every probe, the shape does not. */
import { roleOf } from './node-description.js';
import type { TopologyDescription } from './topology-description.js';

/** Whether the writer, the warnings, the list of nodes, or the state or role of a node differ. */
export function hasNewShape(before: TopologyDescription, after: TopologyDescription): boolean {
  if (before === after) return false;
  if (before.writer !== after.writer || before.warnings !== after.warnings) return true;
  if (before.nodes.length !== after.nodes.length) return true;
  return after.nodes.some((node, index) => {
    const old = before.nodes[index];
    return old === undefined || old.state !== node.state || roleOf(old) !== roleOf(node);
  });
}
