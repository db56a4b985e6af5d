/** The memcached nodes of a session store with their breakers, and the monitor that looks at them. */
import type { BreakerChange } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { storeDown } from '../memcached/copies/copy-report.js';
import { type NodeStanding, NodeStandings } from '../memcached/copies/node-standings.js';
import { MemcachedMonitor, type MemcachedObservation } from '../memcached/memcached-monitor.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { type NodeMemory, nodeMarks } from '../memcached/node-observation.js';
import { sessionRing } from './session-keys.js';
import { createSessionNode, type SessionNode } from './session-node.js';
import type { ResolvedSessionOptions } from './session-options.js';

/** The state of one node of the store, for people. */
export interface SessionNodeStatus {
  /** The node. */
  readonly node: NodeId;
  /** Phase of the breaker for reads. */
  readonly reads: string;
  /** Phase of the breaker for writes. */
  readonly writes: string;
  /** Whether the node holds what it shall hold, missed writes, or is being filled. */
  readonly standing: NodeStanding;
  /** Its memory as it was told last; undefined when it never answered. */
  readonly memory: NodeMemory | undefined;
}

/** See the head of this file. */
export class SessionNodes {
  /** The nodes in the order of PHP's `save_path`. */
  readonly nodes: readonly MemcachedNode[];
  readonly #nodes: readonly SessionNode[];
  /** Looks at them. */
  readonly monitor: MemcachedMonitor;
  /** What is known of them. */
  readonly standings: NodeStandings;
  readonly #memory = new Map<NodeId, NodeMemory>();
  readonly #onStoreDown: ResolvedSessionOptions['onStoreDown'];

  /** Connects to nothing before `start`. */
  constructor(
    options: ResolvedSessionOptions,
    onChange: (change: BreakerChange) => void,
    onStanding: ConstructorParameters<typeof NodeStandings>[0],
    createNode?: Parameters<typeof createSessionNode>[3],
  ) {
    this.standings = new NodeStandings(onStanding);
    this.#nodes = options.nodes.map((seed) => createSessionNode(seed, options, onChange, createNode));
    this.nodes = this.#nodes.map(({ node }) => node);
    this.#onStoreDown = options.onStoreDown;
    this.monitor = new MemcachedMonitor(this.nodes, {
      intervalMs: options.monitorIntervalMs,
      timeoutMs: options.operationTimeoutMs,
      marks: nodeMarks(sessionRing(options)),
    });
    this.monitor.on('node-observed', (seen) => {
      this.#nodes.find(({ node }) => node.id === seen.node)?.observed(seen);
      if (seen.ok) this.#memory.set(seen.node, seen.answer.memory);
    });
  }

  /**
   * Looks at every node, again when none answers in time, and goes on looking.
   *
   * @throws StormlampError `ERR_PROTOCOL` or `ERR_ACCESS_DENIED` of a node; `ERR_STORE_DOWN` when none answers.
   */
  async start(): Promise<void> {
    let seen = await this.monitor.checkAll();
    for (let look = 1; look < LOOKS && seen.every(isLate); look += 1) seen = await this.monitor.checkAll();
    const failures = seen.flatMap((one) => (one.ok ? [] : [{ node: one.node, error: one.error }]));
    // A wrong password or a port of another service is a mistake, not an outage: say so now.
    const mistake = failures.find(({ error }) => isMistake(error));
    if (mistake !== undefined) throw mistake.error;
    if (failures.length === seen.length && this.#onStoreDown === 'error')
      throw storeDown(failures, 'No memcached node of the session store can be reached');
    this.monitor.start();
  }

  /** The nodes and the phases of their breakers. */
  status(): readonly SessionNodeStatus[] {
    return this.#nodes.map(({ node, get, set }) => ({
      node: node.id,
      reads: get.state.phase,
      writes: set.state.phase,
      standing: this.standings.of(node.id),
      memory: this.#memory.get(node.id),
    }));
  }

  /** Stops to look. */
  stop(): Promise<void> {
    return this.monitor.close();
  }

  /** Closes the connections, after `stop`. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    for (const { get, set } of this.#nodes) {
      get.close();
      set.close();
    }
  }
}

/** A machine that is busy with starting many processes answers nobody in time at first. */
const LOOKS = 3;

function isLate(seen: MemcachedObservation): boolean {
  return !seen.ok && isStormlampError(seen.error, ErrorCode.TIMEOUT);
}

function isMistake(error: unknown): boolean {
  return (
    error instanceof StormlampError &&
    (error.code === ErrorCode.PROTOCOL || error.code === ErrorCode.ACCESS_DENIED)
  );
}
