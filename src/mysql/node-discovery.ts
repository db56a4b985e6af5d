/** Finds the nodes that are not listed: what known servers name, and what names have come to stand for. */
import { isIP } from 'node:net';
import { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import type { HealthProbe } from '../health/health-probe.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { NodeDescription } from '../topology/node-description.js';
import { knownFacts } from '../topology/replication-graph.js';
import { identityOf, peerAddress, type UnknownPeer, unknownPeers } from '../topology/server-peers.js';
import type { MysqlNodeConfig } from './connection-options.js';
import type { ResolvedDiscovery } from './discovery-options.js';
import { expandNode, nodesAt, placedAt } from './expand-nodes.js';

/** What discovery needs of the cluster. */
export interface DiscoveryPorts {
  /** Has the present picture, and what of it this process saw itself. */
  readonly watcher: Pick<TopologyWatcher, 'topology' | 'seenHere' | 'refresh'>;
  /** The configuration of a known node. */
  configOf(node: NodeId): MysqlNodeConfig;
  /** Looks once at a server that may become a node. */
  probe(config: MysqlNodeConfig): HealthProbe;
  /** Adds a node; returns when it was looked at. */
  add(config: MysqlNodeConfig, deadline: Deadline): Promise<void>;
  /** Forgets a node that turned out to be another one under a second name. */
  remove(node: NodeId): void;
  /** Told that the name of a node stands for another address than before. */
  moved(node: NodeId): void;
  /** Told about a server that was named and cannot be used, once per reason. */
  onFailure(node: NodeId, error: Error): void;
}

/** Limit of one look at a candidate, in milliseconds. */
const PROBE_MS = 2_000;

/** A server that did not answer is asked again after this time, in milliseconds. */
const RETRY_MS = 10_000;

/** A node that names a server by what others say of it alone is looked at again after this time, in milliseconds. */
const DOUBT_MS = 1_000;

/** A map that failed for an address is asked again after this time, in milliseconds. */
const MAP_RETRY_MS = 1_000;

/** So many rounds find what the nodes of the round before name; chains of replicas are not longer. */
const ROUNDS_LIMIT = 8;

/** So many nodes are found at most: a server that names nonsense must not fill the memory. */
const NODES_LIMIT = 256;

/** Discovers for one cluster until it is closed. */
export class NodeDiscovery {
  readonly #options: ResolvedDiscovery;
  readonly #ports: DiscoveryPorts;
  readonly #origins: readonly MysqlNodeConfig[];
  /** Addresses of known servers under other names, and when unreachable ones are tried again. */
  readonly #settled = new Map<NodeId, number>();
  /** Addresses for which the map of the user failed, and when it is asked again. */
  readonly #untranslated = new Map<string, number>();
  /** Nodes that others said to name what they do not name here, and when they are looked at again. */
  readonly #doubted = new Map<NodeId, number>();
  readonly #found = new Set<NodeId>();
  readonly #told = new Map<NodeId, string>();
  /** What the names of nodes that have one address stood for last. */
  readonly #addresses = new Map<NodeId, string>();
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<number> | undefined;

  /** `origins` are the nodes as they were configured, names included. */
  constructor(options: ResolvedDiscovery, origins: readonly MysqlNodeConfig[], ports: DiscoveryPorts) {
    this.#options = options;
    this.#origins = origins;
    this.#ports = ports;
  }

  /** Finds everything that can be found from the present picture; never rejects for a server that cannot be reached. */
  async settle(deadline: Deadline): Promise<void> {
    await deadline.race('Looking the names of the nodes up', this.#lookUp());
    for (let round = 0; round < ROUNDS_LIMIT; round += 1) {
      if ((await deadline.race('Discovering the nodes', this.look())) === 0) return;
    }
  }

  /** Looks names up now and then. */
  start(): void {
    this.#timer = setInterval(() => void this.#lookUp(), this.#options.resolveIntervalMs);
    this.#timer.unref();
  }

  /** Adds what the known nodes name; how many nodes were added. Calls at one time share one look. */
  look(): Promise<number> {
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Whether {@link NodeDiscovery.look} would have something to do. */
  get hasWork(): boolean {
    return this.#alias() !== undefined || this.#candidates().length > 0 || this.#doubtful().length > 0;
  }

  /** Stops. */
  close(): void {
    this.#abort.abort();
    clearInterval(this.#timer);
  }

  #candidates(): readonly MysqlNodeConfig[] {
    return this.#named().seen.map((peer) => {
      const origin = this.#ports.configOf(peer.namedBy);
      const found = placedAt(origin, peer);
      return { ...found, seed: Object.freeze({ ...found.seed, configuredRole: 'any' as const }) };
    });
  }

  /** Nodes that are to be looked at from here, since they name unknown servers by what others say of them alone. */
  #doubtful(): readonly NodeId[] {
    const now = performance.now();
    return [...new Set(this.#named().told.map(({ namedBy }) => namedBy))].filter(
      (node) => now >= (this.#doubted.get(node) ?? 0),
    );
  }

  /**
   * The unknown servers that nodes name: `seen` by this process, and `told` by another one alone. Who can write where processes
   * share what they see must not have all of them log in wherever he likes.
   */
  #named(): { readonly seen: readonly UnknownPeer[]; readonly told: readonly UnknownPeer[] } {
    const { topology, seenHere } = this.#ports.watcher;
    const named = this.#unknown(topology.nodes);
    if (named.length === 0 || seenHere === topology.nodes) return { seen: named, told: [] };
    const here = new Set(this.#unknown(seenHere).map(peerAddress));
    return {
      seen: named.filter((peer) => here.has(peerAddress(peer))),
      told: named.filter((peer) => !here.has(peerAddress(peer))),
    };
  }

  #unknown(nodes: readonly NodeDescription[]): readonly UnknownPeer[] {
    if (nodes.length >= NODES_LIMIT) return [];
    const now = performance.now();
    return unknownPeers(nodes, (address) => this.#translate(address)).filter(
      (peer) => now >= (this.#settled.get(peerAddress(peer)) ?? 0),
    );
  }

  /** Where this process reaches `address`; undefined, which is told, while the user's map does not say. */
  #translate(address: string): string | undefined {
    const now = performance.now();
    if (now < (this.#untranslated.get(address) ?? 0)) return undefined;
    try {
      const here = this.#options.translate(address);
      if (this.#untranslated.delete(address)) this.#told.delete(address);
      return here;
    } catch (error) {
      this.#untranslated.set(address, now + MAP_RETRY_MS);
      this.#tell(address, error);
      return undefined;
    }
  }

  /** A found node that is a configured one under another name: that one was down when this one was found. */
  #alias(): NodeId | undefined {
    if (this.#found.size === 0) return undefined;
    const nodes = this.#ports.watcher.seenHere;
    const identities = new Map<string, NodeId>();
    for (const node of nodes) {
      const facts = knownFacts(node);
      const identity = facts === undefined ? undefined : identityOf(facts);
      if (identity !== undefined && !this.#found.has(node.id)) identities.set(identity, node.id);
    }
    return nodes.find((node) => {
      const facts = this.#found.has(node.id) ? knownFacts(node) : undefined;
      return facts !== undefined && identities.has(identityOf(facts) ?? '');
    })?.id;
  }

  async #look(): Promise<number> {
    for (let alias = this.#alias(); alias !== undefined; alias = this.#alias()) {
      this.#found.delete(alias);
      this.#settled.set(alias, Number.POSITIVE_INFINITY);
      this.#ports.remove(alias);
    }
    const doubtful = this.#doubtful();
    for (const node of doubtful) this.#doubted.set(node, performance.now() + DOUBT_MS);
    await Promise.all(doubtful.map((node) => this.#ports.watcher.refresh(node)));
    const added = await Promise.all(this.#candidates().map((config) => this.#consider(config)));
    return added.filter((wasAdded) => wasAdded).length;
  }

  async #lookUp(): Promise<void> {
    await Promise.all(
      this.#origins.map((origin) =>
        this.#lookUpOne(origin).catch((error: unknown) => this.#tell(origin.seed.id, error)),
      ),
    );
  }

  /** Adds the servers that a name stands for by now, and follows names that stand for one server. */
  async #lookUpOne(origin: MysqlNodeConfig): Promise<void> {
    let { nodes, addresses } = await expandNode(origin, this.#options.resolver);
    const { id, address } = origin.seed;
    if (address.host !== undefined && nodes.length < 2 && addresses !== undefined) {
      // One address is what the name itself is connected to, while the name is a node.
      if (this.#isNode(id)) {
        this.#follow(id, addresses);
        return;
      }
      nodes = nodesAt(origin, addresses);
    }
    for (const config of nodes) {
      if (this.#abort.signal.aborted) return;
      const { seed } = config;
      if (!this.#isNode(seed.id)) {
        // Which of these the name's own node is may have changed.
        const due = this.#settled.get(seed.id) ?? 0;
        if (performance.now() >= due || due === Number.POSITIVE_INFINITY) await this.#consider(config);
      } else if (
        origin.service === true &&
        seed.address.host !== undefined &&
        isIP(seed.address.host) === 0
      ) {
        this.#follow(seed.id, await this.#options.resolver.addresses(seed.address.host));
      }
    }
  }

  #isNode(id: NodeId): boolean {
    return this.#ports.watcher.topology.nodes.some((node) => node.id === id);
  }

  /** Tells when the name of a node has come to stand for another address: open connections still lead to the old one. */
  #follow(id: NodeId, [now, second]: readonly string[]): void {
    if (now === undefined || second !== undefined || this.#abort.signal.aborted) return;
    const before = this.#addresses.get(id);
    this.#addresses.set(id, now);
    if (before === undefined || before === now) return;
    // The server that it stood for was known by this name only.
    this.#settled.clear();
    this.#ports.moved(id);
  }

  /** Looks at a candidate, and adds it unless it is a known server under another name. */
  async #consider(config: MysqlNodeConfig): Promise<boolean> {
    const { id } = config.seed;
    const { signal } = this.#abort;
    const probe = this.#ports.probe(config);
    this.#settled.set(id, performance.now() + RETRY_MS);
    try {
      const deadline = Deadline.of({ timeoutMs: PROBE_MS, signal });
      const facts = await deadline.race(`A look at ${id}`, probe.probe({ timeoutMs: PROBE_MS, signal }));
      const identity = identityOf(facts);
      const isKnown = this.#ports.watcher.seenHere.some((node) => {
        const known = knownFacts(node);
        return node.id === id || (known !== undefined && identityOf(known) === identity);
      });
      if (isKnown || signal.aborted) {
        this.#settled.set(id, Number.POSITIVE_INFINITY);
        return false;
      }
      this.#found.add(id);
      await this.#ports.add(config, Deadline.of({ timeoutMs: PROBE_MS, signal }));
      return true;
    } catch (error) {
      this.#tell(id, error);
      return false;
    } finally {
      probe.close();
    }
  }

  #tell(node: NodeId, thrown: unknown): void {
    if (this.#abort.signal.aborted) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#told.get(node) === error.message) return;
    this.#told.set(node, error.message);
    this.#ports.onFailure(node, error);
  }
}
