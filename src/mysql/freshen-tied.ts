/** Keeps reads of a session that is tied to a replica as fresh as they ask to be: there, or refused with the tie as the reason. */
import { pause } from '../common/backoff.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import { nodeIn } from '../topology/topology-description.js';
import type { Classification } from './classifier/classification.js';
import { READ_PATIENCE_MS } from './connection-binder.js';
import { waitForCluster, waitForGtids } from './gtid-wait.js';
import { tiedToReplica } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { ActiveScope } from './scope.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { SessionState } from './session-state.js';

/** Pause between two looks at a node that may be fit in a moment, in milliseconds. */
const POLL_MS = 25;

/**
 * Makes sure that a read on `connection`, to whose node the session is tied in `state`, shows what it must: the node has to
 * be fit for reads of the scope, and is waited for, at most `waitMs` of the scope, until it has what the scope must see. A read
 * that asks about the statement before finds that as it was: the wait goes over another connection then. False when the deadline passed before anything was asked.
 *
 * Rejects with `ERR_NO_REPLICA` that names the tie when the node is not fit or not there in time: the read may go nowhere
 * else. With another error the connection is lost, or the deadline passed while the server may still be busy.
 */
export async function freshenTied(
  ports: SessionPorts,
  connection: PhysicalConnection,
  state: SessionState,
  { asksBefore }: Classification,
  { scope, deadline }: CallContext,
): Promise<boolean> {
  const unfit = await whyUnfitInTime(ports, connection, scope, deadline);
  if (unfit !== undefined && deadline.expired('The statement') !== undefined) return false;
  const find = asksBefore === true ? lackBeside : lackOn;
  const why = unfit ?? (scope === undefined ? undefined : await find(ports, connection, scope, deadline));
  if (why === undefined) return true;
  if (asksBefore === true && deadline.expired('The statement') !== undefined) return false;
  throw tiedToReplica(ports.router.topology, connection.node, state, why);
}

/** Why the node is not fit; what cannot be known for a moment is waited for, as other reads wait for a primary. */
async function whyUnfitInTime(
  ports: SessionPorts,
  connection: PhysicalConnection,
  scope: ActiveScope | undefined,
  deadline: Deadline,
): Promise<string | undefined> {
  let patience: Deadline | undefined;
  for (;;) {
    const { router } = ports;
    const why = router.whyUnfit(connection.node, scope);
    if (why === undefined || connection.lost !== undefined) return undefined;
    const isSeen = nodeIn(router.topology, connection.node)?.state === 'up';
    if (isSeen && router.writer !== undefined) return why;
    patience ??= deadline.within(Math.max(0.001, Math.min(ports.blockMs, READ_PATIENCE_MS)));
    if (patience.remainingMs() === 0 || deadline.expired('The statement') !== undefined) return why;
    await pause(Math.min(POLL_MS, patience.remainingMs()), deadline.signal);
    ports.checkOpen();
  }
}

/** A question to a server: over which connection it goes is not its concern. */
type Ask = <T>(question: (connection: PhysicalConnection) => Promise<T>) => Promise<T>;

/** {@link lackOf} that asks on `connection` itself. */
function lackOn(
  ports: SessionPorts,
  connection: PhysicalConnection,
  scope: ActiveScope,
  deadline: Deadline,
): Promise<string | undefined> {
  return lackOf(ports, connection.node, scope, deadline, (question) => question(connection));
}

/**
 * {@link lackOf} that asks on another connection, so that this one still knows of the statement before; not one of the pool, since
 * the session holds one of them already.
 */
async function lackBeside(
  ports: SessionPorts,
  { node }: PhysicalConnection,
  scope: ActiveScope,
  deadline: Deadline,
): Promise<string | undefined> {
  const limit = deadline.within(Math.max(0.001, scope.waitMs));
  try {
    return await lackOf(ports, node, scope, deadline, async (question) => {
      const aside = await ports.node(node).connectAside(limit);
      try {
        return await question(aside);
      } finally {
        aside.destroy();
      }
    });
  } catch (error) {
    return `it could not be asked over another connection what it has: ${describeError(error)}`;
  }
}

/** What the node lacks of what the scope must see, after it was waited for. */
async function lackOf(
  { router }: SessionPorts,
  node: NodeId,
  scope: ActiveScope,
  deadline: Deadline,
  ask: Ask,
): Promise<string | undefined> {
  const { wanted, waitMs } = scope;
  if (router.hasBarrier(node)) {
    if (!scope.mustSee || (await ask((connection) => waitForCluster(connection, waitMs, deadline))))
      return undefined;
    return `it did not have within ${waitMs} ms what its cluster had committed`;
  }
  if (wanted === undefined || !router.mayLack(node, wanted)) return undefined;
  const lack = `it did not have ${wanted.text} within ${waitMs} ms`;
  if (!router.canAwait(node, wanted)) return lack;
  const endWait = router.positions.beginWait(node);
  try {
    if (!(await ask((connection) => waitForGtids(connection, wanted, waitMs, deadline)))) return lack;
    router.positions.learn(node, wanted);
    return undefined;
  } finally {
    endWait();
  }
}
