/** Gateways on two memcached nodes, each with a network of its own to each node, and PHP behind them. */

import type { SessionGateway } from '../../src/gateway/session-gateway.js';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { type LocalCluster, type PhpIni, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';

/** One gateway, the store behind it, and the lines between it and the nodes. */
export interface RoomGateway {
  readonly gateway: SessionGateway;
  readonly store: SessionStore;
  /** The line to each node, in the order of the nodes. */
  readonly lines: readonly FaultProxy[];
}

/** Two nodes and some gateways. */
export class GatewayRoom implements AsyncDisposable {
  readonly servers: LocalCluster;
  readonly gateways: readonly RoomGateway[];
  /** The lines of each of two hosts whose PHP goes to the nodes itself, in the order of the nodes. */
  readonly hosts: readonly (readonly FaultProxy[])[];

  private constructor(
    servers: LocalCluster,
    gateways: readonly RoomGateway[],
    hosts: readonly (readonly FaultProxy[])[],
  ) {
    this.servers = servers;
    this.gateways = gateways;
    this.hosts = hosts;
  }

  /** @param more servers that are no nodes yet */
  static async open(
    count: number,
    sessions: Partial<SessionOptions> = {},
    memcachedArgs: readonly string[] = [],
    memcached: 'system' | 'newest' = 'system',
    more = 0,
  ): Promise<GatewayRoom> {
    const servers = await startLocalCluster({
      databases: false,
      memcached: 2 + more,
      serverArgs: { memcached: memcachedArgs },
      versions: { memcached },
    });
    const gateways: RoomGateway[] = [];
    try {
      for (let index = 0; index < count; index += 1) gateways.push(await openGateway(servers, sessions));
      const hosts = await Promise.all([openLines(servers), openLines(servers)]);
      return new GatewayRoom(servers, gateways, hosts);
    } catch (error) {
      await servers.close();
      throw error;
    }
  }

  /** Where PHP finds gateway `index`, as settings. */
  ini(index: number): PhpIni {
    return {
      'session.save_handler': 'memcached',
      'session.save_path': this.gateways[index % this.gateways.length]?.gateway.address ?? '',
      'memcached.sess_number_of_replicas': 0,
      ...WORKER_INI,
    };
  }

  /** Everybody's line to one node. */
  linesTo(node: number): FaultProxy[] {
    const lines = [...this.gateways.map((gateway) => gateway.lines), ...this.hosts];
    return lines.flatMap((each) => each[node] ?? []);
  }

  /** PHP's own handler on the nodes, with a replica, on host `index`, as settings. */
  nativeIni(index = 0): PhpIni {
    const lines = this.hosts[index % this.hosts.length] ?? [];
    return {
      'session.save_handler': 'memcached',
      'session.save_path': lines.map(({ port }) => `127.0.0.1:${port}`).join(','),
      // The hosts have names of their own for the nodes, by which consistent hashing would place each host's sessions elsewhere.
      'memcached.sess_consistent_hash': 0,
      'memcached.sess_number_of_replicas': 1,
      'memcached.sess_remove_failed_servers': 1,
      'memcached.sess_server_failure_limit': 1,
      'memcached.sess_connect_timeout': 500,
      ...WORKER_INI,
    };
  }

  /** Resolves when every gateway has looked at both nodes anew, takes them for complete, and holds nothing back from them. */
  async settled(): Promise<void> {
    const failures: string[] = [];
    const told = ({ node, error }: { readonly node: string; readonly error: Error }): void =>
      void failures.push(`${node}: ${error.message}`);
    for (const { store } of this.gateways) store.on('resync-failed', told);
    try {
      await Promise.all(this.gateways.map(({ store }) => store.resync({ timeoutMs: 60_000 })));
      await eventually('all nodes are filled for all gateways', () =>
        this.gateways.every(({ store }) =>
          store
            .status()
            .every(
              ({ standing, reads, writes }) =>
                standing === 'filled' && reads === 'closed' && writes === 'closed',
            ),
        ),
      );
    } catch (error) {
      const states = this.gateways.map(({ store }) =>
        store.status().map(({ node, standing, reads, writes }) => `${node} ${standing} ${reads}/${writes}`),
      );
      throw new Error(`${String(error)}: ${JSON.stringify(states)} ${failures.slice(-5).join('; ')}`);
    } finally {
      for (const { store } of this.gateways) store.off('resync-failed', told);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { gateway, store, lines } of this.gateways) {
      for (const line of lines) line.heal();
      await gateway.close();
      await store.close();
      for (const line of lines) line.destroy();
    }
    for (const line of this.hosts.flat()) line.destroy();
    await this.servers.close();
  }
}

const WORKER_INI: PhpIni = {
  'session.use_cookies': false,
  'session.cache_limiter': '',
  // The limit is for one request; a worker answers many.
  max_execution_time: 0,
  'memcached.sess_lock_expire': 10,
};

async function openGateway(servers: LocalCluster, sessions: Partial<SessionOptions>): Promise<RoomGateway> {
  const nodes = servers.memcached.slice(0, 2);
  const lines = await openLines(servers);
  // The names of the nodes are the same for everybody; the ways to them are not.
  const addressMap = Object.fromEntries(
    nodes.map(({ id }, index) => [id, `127.0.0.1:${lines[index]?.port}`]),
  );
  const store = await createSessionStore({
    nodes: nodes.map(({ id }) => id),
    addressMap,
    monitorIntervalMs: 250,
    ...sessions,
  });
  const gateway = await startSessionGateway(store, { port: 0 });
  return { gateway, store, lines };
}

/** A line of one's own to each of the two nodes. */
function openLines(servers: LocalCluster): Promise<FaultProxy[]> {
  return Promise.all(servers.memcached.slice(0, 2).map((node) => FaultProxy.open(() => node.realPort)));
}
