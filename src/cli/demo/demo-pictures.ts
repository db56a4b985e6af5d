/** Collects what the demo's live picture shows: routes as they happen, lag, breakers and sessions as they are. */

import { systemClock } from '../../common/clock.js';
import type { Cluster } from '../../create-cluster.js';
import type { MemcachedNode } from '../../memcached/memcached-node.js';
import { createMemcachedNode } from '../../memcached/memjs-node.js';
import type { LocalCluster } from '../../testing/index.js';
import { effectiveLagMs, roleOf } from '../../topology/node-description.js';
import { nodeIn } from '../../topology/topology-description.js';
import { wait } from '../wait.js';
import type { CacheLine, DatabaseLine } from './demo-view.js';

const COUNT_EVERY_MS = 500;

/** Counts routes and takes pictures. */
export class DemoPictures {
  readonly #servers: LocalCluster;
  readonly #cluster: Cluster;
  readonly #reads = new Map<string, number>();
  readonly #writes = new Map<string, number>();
  readonly #items = new Map<string, number>();
  readonly #caches: readonly MemcachedNode[];
  readonly #stop = new AbortController();

  /** Begins to count. */
  constructor(servers: LocalCluster, cluster: Cluster) {
    this.#servers = servers;
    this.#cluster = cluster;
    cluster.mysql.on('route', ({ node, kind }) => {
      const counts = kind === 'read' ? this.#reads : this.#writes;
      counts.set(node, (counts.get(node) ?? 0) + 1);
    });
    this.#caches = servers.memcached.map(({ id, host, port }) =>
      createMemcachedNode({ id, address: { host, port } }),
    );
    for (const cache of this.#caches) void this.#count(cache);
  }

  /** The nodes as they are now. */
  take(): { readonly databases: readonly DatabaseLine[]; readonly caches: readonly CacheLine[] } {
    return {
      databases: this.#servers.databases.map((node) => this.#database(node)),
      caches: this.#servers.memcached.map((node) => this.#cache(node)),
    };
  }

  /** Stops counting. */
  close(): void {
    this.#stop.abort();
    for (const cache of this.#caches) cache.destroy();
  }

  async #count(cache: MemcachedNode): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#items.set(cache.id, Number((await cache.stats({ signal })).get('curr_items')));
      } catch {
        this.#items.delete(cache.id);
      }
      await wait(COUNT_EVERY_MS, signal);
    }
  }

  #database({ id, name }: { readonly id: string; readonly name: string }): DatabaseLine {
    const node = nodeIn(this.#cluster.topology(), id);
    return {
      name,
      role: node === undefined ? 'unknown' : node.state === 'down' ? 'down' : roleOf(node),
      up: node?.state === 'up',
      lagMs: node === undefined ? null : effectiveLagMs(node, systemClock.now()),
      reads: this.#reads.get(id) ?? 0,
      writes: this.#writes.get(id) ?? 0,
      breaker: this.#cluster.mysql.breakerOf(id),
    };
  }

  #cache({ id, name }: { readonly id: string; readonly name: string }): CacheLine {
    const status = this.#cluster.sessions.status().find((one) => one.node === id);
    return { name, breaker: status?.reads ?? '-', items: this.#items.get(id) ?? null };
  }
}
