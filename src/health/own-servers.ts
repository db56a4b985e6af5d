/**
 * Which server each address leads to from here, if to any. For a process on another machine the same address may lead to another
 * server: a unix socket, 127.0.0.1, a name that is resolved locally. And what that one reaches this one may not.
 */
import type { NodeId } from '../common/node-address.js';
import {
  type NodeDescription,
  type Observation,
  provesLife,
  type ServerFacts,
} from '../topology/node-description.js';

/** How a look of another process goes with those of this one. */
export type Agreement =
  /** It is about the same server, or nobody can tell. */
  | 'same'
  /** It is about another server, which was not known before: the address may have come to stand for that one. */
  | 'other'
  /** It is about the same other server as the last time: the address leads to this one from here all the same. */
  | 'still-other'
  /** This process did not reach the node when it looked last: that of others says nothing about what it can use. */
  | 'unreached';

/** Remembers what this process saw itself. */
export class OwnServers {
  readonly #own = new Map<NodeId, ServerFacts>();
  readonly #others = new Map<NodeId, string>();
  readonly #unreached = new Set<NodeId>();

  /** Notes what this process saw. */
  note(observation: Observation): void {
    if (observation.ok) this.#own.set(observation.node, observation.facts);
    if (observation.ok || provesLife(observation.failure)) this.#unreached.delete(observation.node);
    else this.#unreached.add(observation.node);
  }

  /** Whether this process did not reach `node` when it looked last. A node that refuses it was reached. */
  isUnreached(node: NodeId): boolean {
    return this.#unreached.has(node);
  }

  /** The node with what this process read from it last, whatever others say of it since; `new` where it has read nothing yet. */
  asSeenHere(node: NodeDescription): NodeDescription {
    const facts = this.#own.get(node.id);
    if (node.state === 'up') return facts === undefined ? { ...node, state: 'new' } : { ...node, facts };
    return node.state === 'down' ? { ...node, lastFacts: facts } : node;
  }

  /** Compares what another process saw. */
  compare(observation: Observation): Agreement {
    if (this.#unreached.has(observation.node)) return 'unreached';
    const own = this.#own.get(observation.node);
    if (!observation.ok || own === undefined) return 'same';
    const other = nameOf(observation.facts);
    if (other === nameOf(own)) {
      this.#others.delete(observation.node);
      return 'same';
    }
    if (this.#others.get(observation.node) === other) return 'still-other';
    this.#others.set(observation.node, other);
    return 'other';
  }
}

function nameOf({ serverId, serverUuid, ownName }: ServerFacts): string {
  return [serverId, serverUuid, ownName].join(' ');
}
