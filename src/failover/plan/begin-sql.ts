/** The open record by which another process knows what was meant. */
import type { NodeId } from '../../common/node-address.js';
import { escaped } from './escaped.js';
import type { PlanKind } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';

/** Writes it, unless it is there. */
export function beginSql(
  { cluster, opId, actor }: PlanContext,
  kind: PlanKind,
  from: NodeId,
  to: NodeId,
): string {
  return (
    'INSERT IGNORE INTO ha_meta.operation (op_id, cluster, kind, from_node, to_node, actor, began_at) VALUES ' +
    `('${opId}', '${cluster}', '${kind}', '${escaped(from)}', '${escaped(to)}', '${escaped(actor)}', SYSDATE(6))`
  );
}
