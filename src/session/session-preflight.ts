/** Whether the nodes allow what the store may have to do, asked before it has to. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { createMemcachedNode } from '../memcached/memjs-node.js';
import { TextConnection } from '../memcached/text-connection.js';
import type { ResolvedSessionOptions } from './session-options.js';

/** One check of one node. */
export interface SessionPreflightCheck {
  /**
   * `refill`: whether the node can be filled from the others when it came back empty. `versions`: whether it gives its items versions,
   * by which locks are given back and writes compared; told only of a node that does not.
   */
  readonly name: 'refill' | 'versions';
  /** The node. */
  readonly node: NodeId;
  /** `warn`: each session comes back to the node only when it is used. `fail`: no session can be saved. */
  readonly result: 'pass' | 'warn' | 'fail';
  /** What was found. */
  readonly detail: string;
}

/** All checks. */
export interface SessionPreflightReport {
  /** Whether all of them passed. */
  readonly ok: boolean;
  /** The checks, `refill` for each node unless sessions have one copy. */
  readonly checks: readonly SessionPreflightCheck[];
}

/** A refill waits longer than a command does. */
const LEAST_TIMEOUT_MS = 2_000;
/** Somebody else's dump is waited for, which takes so long at most. */
const DUMP_LIMIT_MS = 15_000;
/** Nobody stores this. */
const PROBE_KEY = 'stormlamp.preflight';

/** Asks every node. Never rejects. */
export async function preflightSessions(options: ResolvedSessionOptions): Promise<SessionPreflightReport> {
  const { nodes, copies } = options;
  const versions = Promise.all(nodes.map((node) => versionsCheck(options, node)));
  const refills = copies === 1 ? [] : await Promise.all(nodes.map((node) => refillCheck(options, node)));
  const checks = [...refills, ...(await versions).filter((check) => check !== undefined)];
  return { ok: checks.every(({ result }) => result === 'pass'), checks };
}

// A node may speak only the binary protocol, as with SASL, forbid dumps (-X), have no crawler, or be too old: what a refill asks tells.
async function refillCheck(
  { operationTimeoutMs, tls }: ResolvedSessionOptions,
  { id, address }: ResolvedSessionOptions['nodes'][number],
): Promise<SessionPreflightCheck> {
  const timeoutMs = Math.max(LEAST_TIMEOUT_MS, operationTimeoutMs);
  try {
    await using connection = await TextConnection.open({ address, id, timeoutMs, tls });
    await connection.items([PROBE_KEY]);
    for await (const _keys of connection.metadumpKeys({ signal: AbortSignal.timeout(DUMP_LIMIT_MS) })) break;
    return { name: 'refill', node: id, result: 'pass', detail: 'it tells which items it holds' };
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    if (isStormlampError(error, ErrorCode.MEMCACHED) && error.message.includes(': BUSY'))
      return {
        name: 'refill',
        node: id,
        result: 'pass',
        detail: 'it tells somebody now which items it holds',
      };
    return { name: 'refill', node: id, result: 'warn', detail: `no: ${describeError(error)}` };
  }
}

async function versionsCheck(
  { operationTimeoutMs, tls, credentials }: ResolvedSessionOptions,
  { id, address }: ResolvedSessionOptions['nodes'][number],
): Promise<SessionPreflightCheck | undefined> {
  const timeoutMs = Math.max(LEAST_TIMEOUT_MS, operationTimeoutMs);
  const node = createMemcachedNode({ id, address, timeoutMs, tls, ...credentials });
  try {
    const settings = await node.stats({ group: 'settings' });
    if (settings.get('cas_enabled') !== 'no') return undefined;
    const detail = 'no: it was started with -C; start it without';
    return { name: 'versions', node: id, result: 'fail', detail };
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    // Whether it answers is asked elsewhere.
    return undefined;
  } finally {
    node.destroy();
  }
}
