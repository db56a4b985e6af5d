/** The first look at all nodes: what is certainly a mistake stops the start, a node that is merely down does not. */
import { pause } from '../common/backoff.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { NodeDescription } from '../topology/node-description.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';
import type { ClusterCore } from './cluster-core.js';

type DownNode = Extract<NodeDescription, { state: 'down' }>;

/** Mistakes that time does not mend. */
const FATAL: readonly ErrorCode[] = [
  ErrorCode.ACCESS_DENIED,
  ErrorCode.MISSING_PRIVILEGE,
  ErrorCode.PROTOCOL,
  ErrorCode.INVALID_OPTION,
];

/** A first look that nobody answered in time is repeated so often: the machine may just be starting, too. */
const LOOKS = 3;

/**
 * Looks at every node, and logs in to every node that answers.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED`, `ERR_MISSING_PRIVILEGE` or `ERR_PROTOCOL` naming the node and the remedy;
 * `ERR_NODE_UNREACHABLE` naming every node when none answers; `ERR_TIMEOUT`.
 */
export async function checkStart(core: ClusterCore, deadline: Deadline): Promise<void> {
  await firstLook(core, deadline);
  const { nodes } = core.topology;
  const down = nodes.filter((node) => node.state === 'down');
  for (const node of down) refuseMistake(node);
  if (down.length === nodes.length) throw nobodyAnswers(down);
  const up = await settle(core, deadline);
  const mayLack = replicasThatMayLackIt(core, up);
  const lacking = await Promise.all(up.map((id) => logIn(core, id, deadline, mayLack.has(id))));
  const [first] = lacking;
  if (first !== undefined && lacking.every((error) => error !== undefined)) throw first;
}

/**
 * The same for who only wants to see how things are: no mistake stops it. Resolves with why nodes that answer let the account
 * of the statements not in.
 *
 * @throws StormlampError `ERR_TIMEOUT`
 */
export async function lookAround(core: ClusterCore, deadline: Deadline): Promise<ReadonlyMap<NodeId, Error>> {
  await firstLook(core, deadline);
  const refusals = new Map<NodeId, Error>();
  const up = await settle(core, deadline);
  await Promise.all(
    up.map((id) => logIn(core, id, deadline).catch((error: Error) => refusals.set(id, error))),
  );
  return refusals;
}

/** What nobody heard of while the first look was made: the nodes of `topology` that are down. */
export function downAtStart({
  nodes,
}: TopologyDescription): readonly { readonly before: NodeDescription; readonly after: NodeDescription }[] {
  return nodes.flatMap((after) => {
    if (after.state !== 'down') return [];
    const { id, address, configuredRole, weight, zone } = after;
    return [{ before: { id, address, configuredRole, weight, zone, state: 'new' }, after }];
  });
}

/** Looks at all nodes, until one has answered, or nobody did several times. */
async function firstLook(core: ClusterCore, deadline: Deadline): Promise<void> {
  const { watcher } = core;
  watcher.start();
  await watcher.ready(deadline);
  for (let look = 1; look < LOOKS && mayAnswerLater(core.topology.nodes); look += 1) {
    await deadline.race('The start', watcher.refresh());
  }
}

/** Finds the nodes that are not listed, and lets their lag be known; the nodes that answer then. */
async function settle(core: ClusterCore, deadline: Deadline): Promise<readonly NodeId[]> {
  await core.discover(deadline);
  const up = core.topology.nodes.filter((node) => node.state === 'up');
  if (typeof core.options.monitor.lagSource === 'object') {
    // One look tells no lag: whether the heartbeat is written shows when it changes.
    await deadline.race('The start', pause(core.options.monitor.intervalMs));
    await deadline.race('The start', core.watcher.refresh());
  }
  return up.map(({ id }) => id);
}

/** The replicas among `ids` that are to use the database of the primary: it may be new there, and not yet here. */
function replicasThatMayLackIt(core: ClusterCore, ids: readonly NodeId[]): ReadonlySet<NodeId> {
  const databaseOf = (id: NodeId | undefined): string | undefined =>
    core.options.nodes.find(({ seed }) => seed.id === id)?.connection.database;
  const { writer } = core;
  const isReplica = (id: NodeId): boolean => {
    const node = nodeIn(core.topology, id);
    return node?.state === 'up' && node.role === 'replica';
  };
  return new Set(
    ids.filter((id) => isReplica(id) && (writer === undefined || databaseOf(id) === databaseOf(writer))),
  );
}

/** Unknown database, or one that the account has no right to: the order in which both come to a replica is not that of a look. */
const NO_DATABASE: readonly unknown[] = [1044, 1049];

/**
 * Logs in as the statements do: the monitor's account may be another one, and it uses no database. Resolves with the error of a
 * node that lacks the database, or the right to it, and `mayLackIt`: it serves reads once it has it, and `connect-failed` tells of it until then.
 */
async function logIn(
  core: ClusterCore,
  id: NodeId,
  deadline: Deadline,
  mayLackIt = false,
): Promise<Error | undefined> {
  const { pool } = core.node(id);
  try {
    pool.release(await pool.acquire(deadline));
    return undefined;
  } catch (error) {
    const { cause } = error as { cause?: { errno?: unknown } };
    if (mayLackIt && NO_DATABASE.includes(cause?.errno)) return error as Error;
    // A node that was only found is told of by `connect-failed`, and the others serve.
    const isConfigured = core.options.nodes.some(({ seed }) => seed.id === id);
    if (isConfigured && FATAL.some((code) => isStormlampError(error, code))) throw error;
    return undefined;
  }
}

function mayAnswerLater(nodes: readonly NodeDescription[]): boolean {
  return nodes.every(
    (node) =>
      node.state === 'down' && (node.failure === 'timeout-connect' || node.failure === 'timeout-query'),
  );
}

function refuseMistake(node: DownNode): void {
  const { error, failure, id } = node;
  if (FATAL.some((code) => isStormlampError(error, code))) throw error;
  if (failure === 'access-denied') {
    throw new StormlampError(
      ErrorCode.ACCESS_DENIED,
      `Node ${id} refused the account of the monitor: ${describeError(error)}; check user and password`,
      { cause: error, node: id },
    );
  }
  if (failure === 'protocol') {
    throw new StormlampError(
      ErrorCode.PROTOCOL,
      `Node ${id} does not speak the MySQL protocol: ${describeError(error)}; check its port`,
      { cause: error, node: id },
    );
  }
}

function nobodyAnswers(down: readonly DownNode[]): StormlampError {
  const [first] = down;
  const told = down.map(({ id, error }) => `${id}: ${describeError(error)}`).join('; ');
  return new StormlampError(
    ErrorCode.NODE_UNREACHABLE,
    `No database node can be reached (${told}). Start the servers, or correct their addresses in \`mysql\``,
    { cause: first?.error, node: first?.id },
  );
}
