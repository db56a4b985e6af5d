/** Whether a cluster can do its work now, for load balancers and orchestrators that ask. */
import type { Cluster } from './create-cluster.js';
import type { MysqlCluster } from './mysql/mysql-cluster.js';
import { sessionPlaces } from './session-places.js';

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
  /** Whether a node takes writes, and this process lets them go there. */
  readonly writes: boolean | null;
  /** Whether a session node answers. */
  readonly sessions: boolean | null;
  /** What is missing, in words; empty when it is ready. */
  readonly because: readonly string[];
}

/** Looks at what is known; asks no server. */
export function readinessOf(cluster: AnyCluster, needs: readonly ClusterNeed[]): Readiness {
  const mysql = partOf(() => cluster.mysql);
  const noWrites = mysql === undefined ? undefined : whyNoWrites(mysql);
  const state = {
    reads: mysql === undefined ? null : servesReads(mysql),
    writes: mysql === undefined ? null : noWrites === undefined,
    sessions: sessionsAnswer(cluster),
  };
  const words = {
    reads: 'no node serves reads',
    writes: noWrites ?? '',
    sessions: 'no session node answers',
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

function servesReads(mysql: MysqlCluster): boolean {
  return mysql.explain('SELECT 1').node !== undefined;
}

function whyNoWrites(mysql: MysqlCluster): string | undefined {
  const { writer } = mysql.topology();
  if (writer.kind !== 'primary') return 'no node takes writes';
  // A breaker that trips lets calls through again by itself, within moments.
  return mysql.breakerOf(writer.node) === 'isolated'
    ? `writes go to ${writer.node}, which is isolated in this process`
    : undefined;
}

function sessionsAnswer(cluster: AnyCluster): boolean | null {
  const places = sessionPlaces(partOf(() => cluster.sessions));
  return places?.some(({ reads }) => reads === 'closed') ?? null;
}
