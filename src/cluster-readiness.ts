/** Whether a cluster can do its work now, for load balancers and orchestrators that ask. */
import type { Cluster } from './create-cluster.js';
import type { ClusterSnapshot } from './failover/cluster-snapshot.js';
import type { MysqlCluster } from './mysql/mysql-cluster.js';
import { type SessionPlace, sessionPlaces } from './session-places.js';
import { lacksVotes, noWriterWords, votedWriter } from './topology/voted-writer.js';

/** What a service may need of a cluster. */
export type ClusterNeed = 'reads' | 'writes' | 'sessions';

/** Any cluster, whatever its session store. */
// biome-ignore lint/suspicious/noExplicitAny: the kind of store does not matter here.
export type AnyCluster = Cluster<any>;

/** The state of every need; null for what the cluster was made without. */
export interface Readiness {
  /** Whether everything that is needed is there. */
  readonly ready: boolean;
  /** Whether a node serves reads. */
  readonly reads: boolean | null;
  /**
   * Whether a node takes writes, and this process may send them there; in the modes `approve` and `auto` only where a majority votes
   * for it.
   */
  readonly writes: boolean | null;
  /** Whether a session node, or mount, is read from, and one takes writes. */
  readonly sessions: boolean | null;
  /** What is missing, in words; empty when it is ready. */
  readonly because: readonly string[];
}

/**
 * What a service needs that does not say: reads, since one that is taken out whenever there is no primary makes an outage of reads
 * out of one of writes; without databases its sessions.
 */
export function needsOf(cluster: AnyCluster): readonly ClusterNeed[] {
  return lacks(cluster, 'reads') ? ['sessions'] : ['reads'];
}

/** Whether the cluster was made without what the need is about. */
export function lacks(cluster: AnyCluster, need: ClusterNeed): boolean {
  return partOf(() => (need === 'sessions' ? cluster.sessions : cluster.mysql)) === undefined;
}

/** Looks at what is known; asks no server. */
export function readinessOf(cluster: AnyCluster, needs: readonly ClusterNeed[]): Readiness {
  const mysql = partOf(() => cluster.mysql);
  const places = sessionPlaces(partOf(() => cluster.sessions));
  const isOpen = !cluster.closed;
  const noWrites = mysql === undefined ? undefined : whyNoWrites(mysql, failoverStateOf(cluster));
  const noSessions = places === null ? undefined : whyNoSessions(places);
  const state = {
    reads: mysql === undefined ? null : isOpen && mysql.readFitness().serves,
    writes: mysql === undefined ? null : isOpen && noWrites === undefined,
    sessions: places === null ? null : isOpen && noSessions === undefined,
  };
  // Its nodes may be well: this process does not ask them any more.
  if (!isOpen) return { ready: false, ...state, because: ['the cluster is closed'] };
  const words = {
    reads: 'no node serves reads',
    writes: noWrites ?? '',
    sessions: noSessions ?? '',
  };
  const because = needs.filter((need) => state[need] === false).map((need) => words[need]);
  return { ready: because.length === 0, ...state, because };
}

/** A part of a cluster; undefined when the cluster was made without it. */
export function partOf<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** What the failover manager of `cluster` knows; undefined without one. */
export function failoverStateOf(cluster: AnyCluster): ClusterSnapshot | undefined {
  return partOf(() => cluster.failover.state);
}

function whyNoWrites(mysql: MysqlCluster, state: ClusterSnapshot | undefined): string | undefined {
  const topology = mysql.topology();
  if (lacksVotes(topology, state)) return `this process may not write: ${noWriterWords(topology, state)}`;
  const writer = votedWriter(topology, state);
  if (writer === undefined) return 'no node takes writes';
  // A breaker that trips lets calls through again by itself, within moments.
  return mysql.breakerOf(writer) === 'isolated'
    ? `writes go to ${writer}, which is isolated in this process`
    : undefined;
}

function whyNoSessions(places: readonly SessionPlace[]): string | undefined {
  if (!places.some(({ reads }) => reads === 'closed')) return 'no session node answers';
  return places.some(({ writes }) => writes === 'closed') ? undefined : 'no session node takes writes';
}
