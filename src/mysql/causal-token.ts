/** Makes the token that another request, job or process needs to see what was written here. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import { nodeIn } from '../topology/topology-description.js';
import { askPrimary } from './answer-of.js';
import { causalTokenText } from './causal-state.js';
import type { ClusterCore } from './cluster-core.js';
import { readStanding } from './gtid-wait.js';
import type { CallContext } from './session-ports.js';
import type { StatementAnswer } from './statement.js';
import { VirtualSession } from './virtual-session.js';
import { writtenGtids } from './written-gtids.js';

/** See `MysqlCluster.token`. */
export async function causalToken(core: ClusterCore, result: unknown, context: CallContext): Promise<string> {
  const { scope } = context;
  if (result !== undefined) {
    const flavor = flavorOf(core);
    // What a call gives is often passed on as it came, with the fields.
    const shown = Array.isArray(result) ? result.filter((part) => part !== undefined) : result;
    const { position, hasRows } = writtenGtids(flavor, shown as StatementAnswer[0]);
    if (position !== undefined && !hasRows) return causalTokenText(position, false);
    return causalTokenText(await primaryPosition(core, context), false);
  }
  if (scope === undefined) return causalTokenText(await primaryPosition(core, context), false);
  if (scope.causal.needsPrimary) {
    const take = scope.causal.beginPosition();
    take(await primaryPosition(core, context));
  }
  return scope.token;
}

/** The position of the primary; when it takes no writes any more, another look is taken first for who does. */
async function primaryPosition(core: ClusterCore, context: CallContext): Promise<GtidPosition> {
  const first = await positionOfWriter(core, context);
  if (!first.isReadOnly) return first.position;
  const looks = core.topology.nodes.map(({ id }) => core.refresh(id));
  await context.deadline.race('Looking for the primary', Promise.all(looks));
  return (await positionOfWriter(core, context)).position;
}

async function positionOfWriter(
  core: ClusterCore,
  context: CallContext,
): Promise<{ readonly position: GtidPosition; readonly isReadOnly: boolean }> {
  const session = new VirtualSession(core);
  try {
    return await session.borrow('primary', context, async (connection) => {
      const question = readStanding(connection, context.deadline, core.router.hasBarrier(connection.node));
      const { position, isReadOnly } = await askPrimary(core, connection, question);
      if (position !== undefined) return { position, isReadOnly };
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `Node ${connection.node} has no GTIDs, so there is no causal token; switch its binary log on (and gtid_mode on MySQL)`,
        { node: connection.node },
      );
    });
  } finally {
    session.end();
  }
}

function flavorOf(core: ClusterCore): 'mysql' | 'mariadb' {
  const { writer } = core.router;
  const node = writer === undefined ? core.topology.nodes[0] : nodeIn(core.topology, writer);
  return node?.state === 'up' ? node.facts.flavor : 'mysql';
}
