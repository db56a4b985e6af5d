/** The open record by which another process knows what was meant. */
import type { NodeId } from '../../common/node-address.js';
import type { PlanKind } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';

/** Writes it, unless it is there. */
export function beginSql(
  { cluster, opId, actor }: PlanContext,
  kind: PlanKind,
  from: NodeId,
  to: NodeId,
): string {
  const clean = (text: string): string => text.replace(/[^\w.:[\]@/-]/g, '_').slice(0, 128);
  return (
    'INSERT IGNORE INTO ha_meta.operation (op_id, cluster, kind, from_node, to_node, actor, began_at) VALUES ' +
    `('${opId}', '${cluster}', '${kind}', '${clean(from)}', '${clean(to)}', '${clean(actor)}', SYSDATE(6))`
  );
}
