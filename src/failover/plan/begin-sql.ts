/** The open record by which another process knows what was meant. */
import type { NodeId } from '../../common/node-address.js';
import { escaped } from './escaped.js';
import type { PlanKind } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';

/** Writes it, unless it is there. `details`: what is known by then of how it goes. */
export function beginSql(
  { cluster, opId, actor }: PlanContext,
  kind: PlanKind,
  from: NodeId,
  to: NodeId,
  details?: string,
): string {
  const [column, value] = details === undefined ? ['', ''] : [', details', `, '${details}'`];
  return (
    `INSERT IGNORE INTO ha_meta.operation (op_id, cluster, kind, from_node, to_node, actor, began_at${column}) VALUES ` +
    `('${opId}', '${cluster}', '${kind}', '${escaped(from)}', '${escaped(to)}', '${escaped(actor)}', SYSDATE(6)${value})`
  );
}
