/** Finds a physical connection for a need: chooses a node, goes on to the next one when it cannot be reached, waits for a primary. */
import { backoffMs, pause } from '../common/backoff.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import { roleOf } from '../topology/node-description.js';
import { noWriterError } from '../topology/routing-error.js';
import { nodeIn } from '../topology/topology-description.js';
import { writeRefused } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { CallContext, SessionPorts } from './session-ports.js';

/** A connection and why it is this one. */
export interface Bound {
  /** The connection, lent to the caller. */
  readonly connection: PhysicalConnection;
  /** Why this node, when that does not go without saying. */
  readonly because: string;
  /** What the node must have applied before the read is sent; undefined when it is known to have all. */
  readonly waitFor?: GtidPosition | undefined;
}

/** The nodes that a statement already tried. */
export interface Tried {
  /** Undefined until a node failed. */
  nodes: Set<NodeId> | undefined;
  /** Whether the statement has waited in vain on a replica for what it must see; it does so once. */
  hasWaited?: boolean;
  /** Whether the read-only transaction of the statement was begun anew for it; that is done once. */
  hasBegunAnew?: boolean;
  /** Since when the primary is asked whether it is the primary and has what the statement must see, monotonic milliseconds. */
  asksSince?: number;
}

/** So often a server may refuse a write although the monitor sees that it takes writes. */
const REFUSAL_LIMIT = 5;

/** Pause between two such refusals, in milliseconds. */
const REFUSAL_PAUSE_MS = 100;

/** How long a read waits while a primary is replaced or let in again and no replica is known to be fresh, in milliseconds. */
export const READ_PATIENCE_MS = 3_000;

/** How often work that leaves no trace is begun again on another connection. */
export const BORROW_LIMIT = 3;

/** Pause between two looks for a node that may serve such a read, in milliseconds. */
const READ_POLL_MS = 25;

/** Pauses between attempts to reach a primary that the monitor takes for alive. */
const RETRY = { firstMs: 40, maxMs: 500 };

/**
 * A connection to a node that may serve a read, if one can be had at once: the hot path, without a promise.
 *
 * @throws RoutingError as {@link bindReader} rejects, when no node may serve the read.
 */
export function tryBindReader(ports: SessionPorts, { scope }: CallContext, tried: Tried): Bound | undefined {
  if (ports.router.preferenceIn(scope) === 'primary') return tryBindWriter(ports);
  const choice = readerNow(ports, scope, tried);
  if (choice instanceof Error) {
    if (mayPass(ports, scope, choice)) return undefined;
    throw choice;
  }
  const { node, because, waitFor } = choice;
  const connection = ports.node(node).tryAcquire('read');
  return connection === undefined ? undefined : { connection, because, waitFor };
}

/** A connection to the primary, if there is one and it can be had at once. */
export function tryBindWriter(ports: SessionPorts): Bound | undefined {
  const { writer } = ports.router;
  if (writer === undefined) return undefined;
  const connection = ports.node(writer).tryAcquire('write');
  return connection === undefined ? undefined : { connection, because: '' };
}

/**
 * A connection to a node that may serve a read. `tried` collects the nodes that could not be reached.
 *
 * Rejects with `ERR_NO_REPLICA` naming every node, or with the error of the pool when that is not about the node.
 */
export async function bindReader(ports: SessionPorts, context: CallContext, tried: Tried): Promise<Bound> {
  const { scope, deadline } = context;
  for (let cause: unknown; ; ) {
    const isForPrimary = ports.router.preferenceIn(scope) === 'primary';
    const resting = isForPrimary ? await restingPrimary(ports, context, tried) : undefined;
    if (isForPrimary && resting === undefined) return bindWriter(ports, context);
    const { node, because, waitFor } = resting ?? (await readerInTime(ports, context, tried));
    if (cause !== undefined && tried.nodes?.has(node) === true) {
      if (isStormlampError(cause, ErrorCode.ACCESS_DENIED)) throw cause;
      throw ports.router.noReader(scope, tried.nodes, cause);
    }
    try {
      const connection = await ports.node(node).acquire('read', deadline);
      // A node may fall behind, or be replaced, while its connections are waited for.
      if (ports.router.mayStillRead(node, scope)) return { connection, because, waitFor };
      ports.release(connection);
      ports.checkOpen();
      deadline.check('Waiting for a node that may serve reads');
    } catch (error) {
      // A server that does not let the application in may be the only one.
      const isShut = isStormlampError(error, ErrorCode.ACCESS_DENIED);
      if (!isShut && !isNodeTrouble(error)) throw timelyError(error, deadline);
      ports.checkOpen();
      deadline.check('Connecting');
      addTried(tried, node);
      cause = error;
      void ports.refresh(node);
    }
  }
}

/**
 * The primary that only refuses writes, for a read that asks for the primary: after a look at all nodes that answer, since one of
 * them may have taken its place just now. Undefined where there is none, or it was tried.
 */
async function restingPrimary(
  ports: SessionPorts,
  { deadline }: CallContext,
  tried: Tried,
): Promise<Pick<Choice, 'node' | 'because' | 'waitFor'> | undefined> {
  const { router } = ports;
  if (router.restingPrimary === undefined) return undefined;
  const answering = router.topology.nodes.filter(({ state }) => state === 'up');
  const patience = deadline.within(READ_PATIENCE_MS);
  const looks = Promise.all(answering.map(({ id }) => ports.refresh(id)));
  await patience.race('Looking for the primary', looks).catch(() => undefined);
  deadline.check('Looking for the primary');
  ports.checkOpen();
  const node = router.restingPrimary;
  if (node === undefined || tried.nodes?.has(node) === true) return undefined;
  return { node, because: 'it is the primary, although it takes no writes' };
}

/**
 * A connection to the primary. While there is none, waits for one within `blockMs` and the deadline.
 *
 * Rejects with `ERR_NO_PRIMARY` or `ERR_SPLIT_BRAIN` naming every node, or with the error of the last attempt.
 */
export async function bindWriter(ports: SessionPorts, context: CallContext): Promise<Bound> {
  const { deadline } = context;
  let patience: Deadline | undefined;
  let isLastAttempt = false;
  for (let attempt = 0; ; attempt += 1) {
    let node = ports.router.writer;
    if (node === undefined) {
      patience ??= patienceOf(ports, deadline);
      try {
        node = await ports.waitForWriter(patience);
      } catch (error) {
        if (deadline.signal?.aborted === true) deadline.check('Waiting for a primary');
        // That there is no primary says more than that the time is over, even when both are true.
        throw error;
      }
    }
    try {
      return { connection: await ports.node(node).acquire('write', deadline), because: '' };
    } catch (error) {
      if (!isNodeTrouble(error)) throw timelyError(error, deadline);
      ports.checkOpen();
      deadline.check('Connecting');
      patience ??= patienceOf(ports, deadline);
      const waits = [
        ports.refresh(node),
        pause(Math.min(backoffMs(attempt, RETRY), patience.remainingMs()), deadline.signal),
      ];
      await patience.race('Connecting', Promise.all(waits)).catch(() => undefined);
      deadline.check('Connecting');
      if (patience.remainingMs() > 0) continue;
      const { writer } = ports.router;
      if (writer === undefined) throw noWriterError(ports.router.topology);
      // Who has become the primary at the last moment was not asked yet.
      if (writer === node || isLastAttempt) throw error;
      isLastAttempt = true;
    }
  }
}

type Choice = ReturnType<SessionPorts['router']['reader']>;

function readerNow(ports: SessionPorts, scope: CallContext['scope'], tried: Tried): Choice | Error {
  try {
    const mayWait = tried.hasWaited !== true && scope?.causal.hasWaited !== true;
    return ports.router.reader(scope, tried.nodes, mayWait);
  } catch (error) {
    return error as Error;
  }
}

/**
 * Between two primaries no node is known to be fresh for a moment; once there is a primary, and it is seen as one, that is over.
 * One that comes back is there a moment before its breaker closes.
 */
function mayPass(ports: SessionPorts, scope: CallContext['scope'], error: Error): boolean {
  if (!isStormlampError(error, ErrorCode.NO_REPLICA)) return false;
  const { router } = ports;
  return router.writer === undefined || router.isOutvoted || router.isShutOff(scope);
}

/** The node for a read; while a primary is being replaced, or let in again, waits a little for one. */
async function readerInTime(
  ports: SessionPorts,
  { scope, deadline }: CallContext,
  tried: Tried,
): Promise<Choice> {
  let patience: Deadline | undefined;
  for (;;) {
    const choice = readerNow(ports, scope, tried);
    if (!(choice instanceof Error)) return choice;
    if (!mayPass(ports, scope, choice)) throw choice;
    if (patience === undefined) {
      patience = deadline.within(Math.max(0.001, Math.min(ports.blockMs, READ_PATIENCE_MS)));
      // Whoever waits for a writer makes the monitors look more often.
      ports.waitForWriter(patience).catch(() => undefined);
      // They look no more often while there is one that looks like the primary.
      if (ports.router.isOutvoted) for (const { id } of ports.router.topology.nodes) void ports.refresh(id);
    }
    if (deadline.signal?.aborted === true) deadline.check('Waiting for a node that may serve reads');
    if (patience.remainingMs() === 0) throw choice;
    await pause(Math.min(READ_POLL_MS, patience.remainingMs()), deadline.signal);
    ports.checkOpen();
  }
}

/** Whether the failure to get a connection is about the node, so that another node, or a little time, may help. */
export function isNodeTrouble(error: unknown): boolean {
  return (
    isStormlampError(error, ErrorCode.NODE_UNREACHABLE) ||
    isStormlampError(error, ErrorCode.BREAKER_OPEN) ||
    isStormlampError(error, ErrorCode.PROTOCOL) ||
    isStormlampError(error, ErrorCode.CLOSED)
  );
}

/**
 * Waits until it is known who is the primary, after `node` refused a write as read-only. `attempts` is how often the
 * statement was refused so far.
 *
 * Rejects with `ERR_WRITE_REFUSED` when the monitor keeps seeing a writable primary there.
 */
export async function awaitRoleChange(
  ports: SessionPorts,
  node: NodeId,
  { deadline }: CallContext,
  attempts: number,
  error: unknown,
): Promise<void> {
  await deadline.race('Looking for the primary', ports.refresh(node));
  if (ports.router.writer !== node) return;
  // The monitor sees a writable server, the statement did not: do not turn in circles for ever.
  if (attempts >= REFUSAL_LIMIT) throw writeRefused(node, error);
  await pause(Math.min(REFUSAL_PAUSE_MS, deadline.remainingMs()), deadline.signal);
}

/**
 * Has another look at `node`, which answered that it is out of service; waits a little if the monitor does not see that yet.
 * `attempts` is how often the statement met such a node so far.
 *
 * Rejects with `error` when that was too often.
 */
export async function awaitService(
  ports: SessionPorts,
  node: NodeId,
  { deadline }: CallContext,
  attempts: number,
  error: unknown,
): Promise<void> {
  if (attempts >= REFUSAL_LIMIT) throw error;
  await deadline.race('Looking for the cluster', ports.refresh(node));
  const found = nodeIn(ports.router.topology, node);
  if (found === undefined || roleOf(found) === 'unknown') return;
  await pause(Math.min(REFUSAL_PAUSE_MS, deadline.remainingMs()), deadline.signal);
}

/** Notes that `node` was tried. */
export function addTried(tried: Tried, node: NodeId): void {
  tried.nodes ??= new Set();
  tried.nodes.add(node);
}

/** A pool that was waited for until the call's own deadline: the call hears of its deadline, and why it was not enough. */
function timelyError(error: unknown, deadline: Deadline): unknown {
  if (!isStormlampError(error, ErrorCode.POOL_TIMEOUT)) return error;
  // Timers may fire a little early.
  if (deadline.remainingMs() > 2) return error;
  const message = `${deadline.timeout('Waiting for a connection').message}; nothing was sent. ${error.message}`;
  return new StormlampError(ErrorCode.TIMEOUT, message, { cause: error, node: error.node });
}

function patienceOf(ports: SessionPorts, deadline: Deadline): Deadline {
  // A limit of 0 means none to a deadline; here it means not to wait.
  return deadline.within(Math.max(ports.blockMs, 0.001));
}
