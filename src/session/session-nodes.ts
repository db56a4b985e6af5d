/** The memcached nodes of a session store with their breakers, and the monitor that looks at them. */
import type { BreakerChange } from '../breaker/node-breaker.js';
import { pause } from '../common/backoff.js';
import type { NodeAddress, NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { storeDown } from '../memcached/copies/copy-report.js';
import { begunAnewAt } from '../memcached/copies/fill-marker.js';
import { type NodeStanding, NodeStandings } from '../memcached/copies/node-standings.js';
import { MemcachedMonitor, type MemcachedObservation } from '../memcached/memcached-monitor.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { type NodeMemory, nodeMarks } from '../memcached/node-observation.js';
import { BackgroundWork } from './background-work.js';
import { sessionRing } from './session-keys.js';
import { createSessionNode, type SessionNode } from './session-node.js';
import type { ResolvedSessionOptions } from './session-options.js';
import type { PlacedNode } from './session-placement-options.js';

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
  /**
   * When it began anew, because so many nodes had lost their memory, or had none yet, that nobody could say whether anything was
   * missing; undefined when it got everything from the others, and when it is not filled.
   */
  readonly begunAnewAt: Date | undefined;
  /** Its memory as it was told last; undefined when it never answered. */
  readonly memory: NodeMemory | undefined;
  /** Whether it was looked at and has never answered; its breakers may let the first calls through all the same. */
  readonly silent: boolean;
}

/** See the head of this file. */
export class SessionNodes {
  readonly #nodes: SessionNode[];
  readonly #seeds = new Map<NodeId, PlacedNode>();
  readonly #removed = new BackgroundWork();
  readonly #closing = new AbortController();
  readonly #create: (seed: PlacedNode) => SessionNode;
  /** Looks at them. */
  readonly monitor: MemcachedMonitor;
  /** What is known of them. */
  readonly standings: NodeStandings;
  readonly #memory = new Map<NodeId, NodeMemory>();
  /** Nodes that have never answered a look. */
  readonly #silent = new Set<NodeId>();
  readonly #onStoreDown: ResolvedSessionOptions['onStoreDown'];

  /** Connects to nothing before `start`. */
  constructor(
    options: ResolvedSessionOptions,
    onChange: (change: BreakerChange) => void,
    onStanding: ConstructorParameters<typeof NodeStandings>[0],
    createNode?: Parameters<typeof createSessionNode>[4],
    ring: () => string = () => sessionRing(options),
  ) {
    this.standings = new NodeStandings(onStanding);
    this.#create = (seed) => {
      this.#seeds.set(seed.id, seed);
      return createSessionNode(seed, options, onChange, () => this.#canSpare(seed.id), createNode);
    };
    this.#nodes = options.nodes.map(this.#create);
    this.#onStoreDown = options.onStoreDown;
    this.monitor = new MemcachedMonitor(this.nodes, {
      intervalMs: options.monitorIntervalMs,
      timeoutMs: options.operationTimeoutMs,
      marks: () => nodeMarks(ring()),
    });
    this.monitor.on('node-observed', (seen) => {
      this.#nodes.find(({ node }) => node.id === seen.node)?.observed(seen);
      if (seen.ok) this.#memory.set(seen.node, seen.answer.memory);
      if (this.#memory.has(seen.node)) this.#silent.delete(seen.node);
      else this.#silent.add(seen.node);
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

  /** All nodes; at first in the order of PHP's `save_path`. */
  get nodes(): readonly MemcachedNode[] {
    return this.#nodes.map(({ node }) => node);
  }

  /** Where the node of that name is reached; undefined for none of ours. */
  addressOf(id: NodeId): NodeAddress | undefined {
    return this.#seeds.get(id)?.address;
  }

  /** The nodes of these names, in this order. */
  some(ids: readonly { readonly id: NodeId }[]): readonly MemcachedNode[] {
    return ids.flatMap(({ id }) => this.#nodes.find(({ node }) => node.id === id)?.node ?? []);
  }

  /** One node more, which is looked at from now on. */
  add(seed: PlacedNode): void {
    const added = this.#create(seed);
    this.#nodes.push(added);
    this.monitor.add(added.node);
  }

  // While the others are filled from it, a node that is late is the only one that knows: not asked any more, it makes every session
  // unknown for seconds. One that answers no look either is down.
  #canSpare(id: NodeId): boolean {
    if (this.standings.silentMs(id, performance.now()) >= DOWN_AFTER_MS) return true;
    const others = this.#nodes.filter(({ node }) => node.id !== id && node.available);
    return others.length === 0 || others.some(({ node }) => this.standings.of(node.id) === 'filled');
  }

  /** Looks at these nodes no more, and closes their connections when what is under way there is over. */
  remove(ids: readonly { readonly id: NodeId }[]): void {
    for (const { id } of ids) {
      const at = this.#nodes.findIndex(({ node }) => node.id === id);
      const [gone] = at < 0 ? [] : this.#nodes.splice(at, 1);
      if (gone === undefined) continue;
      this.monitor.remove(gone.node);
      this.#seeds.delete(id);
      this.#memory.delete(id);
      this.#silent.delete(id);
      this.#removed.add(pause(REMOVED_CLOSE_MS, this.#closing.signal).finally(() => closeNode(gone)));
    }
  }

  /** The nodes and the phases of their breakers. */
  status(): readonly SessionNodeStatus[] {
    return this.#nodes.map(({ node, get, set }) => ({
      node: node.id,
      reads: get.state.phase,
      writes: set.state.phase,
      standing: this.standings.of(node.id),
      begunAnewAt: begunAnewAt(this.standings.markerOf(node.id) ?? ''),
      memory: this.#memory.get(node.id),
      silent: this.#silent.has(node.id),
    }));
  }

  /** Stops to look. */
  stop(): Promise<void> {
    return this.monitor.close();
  }

  /** Closes the connections, after `stop`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#removed.settled(), ...this.#nodes.map(closeNode)]);
  }
}

async function closeNode({ node, get, set }: SessionNode): Promise<void> {
  await node.close();
  get.close();
  set.close();
}

/** What was begun with a node before it was removed goes on with it. */
const REMOVED_CLOSE_MS = 10_000;

/** For how long a node answers no look before it counts as down, and not as late. */
const DOWN_AFTER_MS = 3_000;

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
