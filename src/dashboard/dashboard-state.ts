/** What the live page shows, as one value: no SQL values, no session contents, no passwords are in it. */
import { type AnyCluster, failoverStateOf, partOf } from '../cluster-readiness.js';
import type { NodeId } from '../common/node-address.js';
import type { ClusterSnapshot } from '../failover/cluster-snapshot.js';
import type { JournalRecord } from '../failover/failover-journal.js';
import type { MysqlCluster } from '../mysql/mysql-cluster.js';
import { isSaid } from '../mysql/read-fitness.js';
import { type SessionPlace, sessionPlaces } from '../session-places.js';
import { effectiveLagMs } from '../topology/node-description.js';
import { lacksVotes, noWriterWords, votedWriter } from '../topology/voted-writer.js';
import type { Decision } from './decision-log.js';

/** Something that deserves an eye, the worst first. */
export interface Problem {
  readonly severity: 'critical' | 'warning';
  readonly node: NodeId | null;
  readonly text: string;
}

/** One database node. */
export interface DashboardNode {
  readonly id: NodeId;
  readonly role: string;
  readonly state: string;
  readonly suspicion: string;
  readonly because: string;
  readonly server: string;
  readonly readOnly: boolean | null;
  readonly sources: readonly NodeId[];
  readonly lagMs: number | null;
  readonly latencyMs: number | null;
  readonly breakers: Readonly<Record<'connect' | 'read' | 'write', string>>;
  readonly inFlight: number;
  readonly reads: number;
  readonly writes: number;
  readonly faults: number;
  readonly connections: number;
  readonly waiting: number;
}

/** One session node. */
export interface DashboardSessionNode {
  readonly node: NodeId;
  readonly reads: string;
  readonly writes: string;
  readonly standing: string;
  /** When it began anew, in milliseconds since 1970; null when it did not. */
  readonly begunAnewAt: number | null;
}

/** The whole state. */
export interface DashboardState {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether the cluster has databases; without them it has no primary, mode or nodes either. */
  readonly hasDatabases: boolean;
  readonly mode: string | null;
  /** The node that this process may write to. */
  readonly writer: NodeId | null;
  readonly epoch: number | null;
  readonly failure: string | null;
  readonly because: string;
  readonly warranted: boolean;
  readonly tilted: boolean;
  readonly problems: readonly Problem[];
  readonly nodes: readonly DashboardNode[];
  readonly sessions: readonly DashboardSessionNode[] | null;
  readonly decisions: readonly Decision[];
  readonly timeline: readonly JournalRecord[];
}

/** The state of `cluster` now. */
export function dashboardState(
  cluster: AnyCluster,
  decisions: readonly Decision[],
  timeline: readonly JournalRecord[],
  at: number,
): DashboardState {
  const mysql = partOf(() => cluster.mysql);
  const failover = mysql === undefined ? undefined : failoverStateOf(cluster);
  const nodes = nodesOf(cluster, failover);
  const sessions = sessionNodesOf(cluster);
  const topology = mysql?.topology();
  const writer = topology === undefined ? undefined : votedWriter(topology, failover);
  const problems: Problem[] = [];
  if (cluster.closed)
    problems.push({
      severity: 'critical',
      node: null,
      text: 'The cluster is closed: this process asks no server any more, and what is shown is what it saw last',
    });
  if (failover?.failure != null)
    problems.push({
      severity: writer === undefined ? 'critical' : 'warning',
      node: null,
      text: `${failover.failure}: ${failover.because}`,
    });
  if (topology !== undefined && lacksVotes(topology, failover))
    problems.push({
      severity: 'critical',
      node: null,
      text: `This process may not write (${noWriterWords(topology, failover)}): its writes wait, and fail`,
    });
  if (failover?.tilted === true)
    problems.push({
      severity: 'warning',
      node: null,
      text: 'This process stalled or its clock jumped: it does not trust what it sees',
    });
  for (const node of nodes) {
    // What the failure says of the primary need not be said twice.
    const isTold = node.because !== '' && failover?.because.includes(node.because) === true;
    if (!isTold) problems.push(...problemsOfNode(node, writer));
  }
  if (mysql !== undefined && !cluster.closed) problems.push(...problemsOfReads(mysql));
  for (const { node, message } of topology?.warnings ?? [])
    problems.push({ severity: 'warning', node, text: message });
  problems.push(...problemsOfSessions(sessionPlaces(partOf(() => cluster.sessions)) ?? []));
  return {
    at,
    hasDatabases: mysql !== undefined,
    mode: failover?.mode ?? null,
    writer: writer ?? null,
    epoch: failover?.epoch ?? null,
    failure: failover?.failure ?? null,
    because: failover?.because ?? '',
    warranted: failover?.failover.warranted ?? false,
    tilted: failover?.tilted ?? false,
    problems: problems.sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical')),
    nodes,
    sessions,
    decisions,
    timeline,
  };
}

function nodesOf(cluster: AnyCluster, failover: ClusterSnapshot | undefined): readonly DashboardNode[] {
  const mysql = partOf(() => cluster.mysql);
  if (mysql === undefined) return [];
  const judged = new Map(failover?.nodes.map((node) => [node.node, node]));
  const stats = new Map(mysql.stats().map((each) => [each.node, each]));
  return mysql.topology().nodes.map((node) => {
    const up = node.state === 'up' ? node : undefined;
    const own = stats.get(node.id);
    const verdict = judged.get(node.id);
    const lag = effectiveLagMs(node, performance.now());
    return {
      id: node.id,
      role:
        node.state === 'down' && node.lastRole !== undefined
          ? `was ${node.lastRole}`
          : (up?.role ?? 'unknown'),
      state: node.state,
      suspicion: verdict?.suspicion ?? 'unknown',
      because: verdict?.because ?? '',
      server: up === undefined ? '' : `${up.facts.flavor} ${up.facts.version.replace(/-.*$/, '')}`,
      readOnly: up?.facts.readOnly ?? null,
      sources: up?.upstream?.slice(0, 1) ?? [],
      lagMs: lag === null ? null : Math.round(lag),
      latencyMs: up === undefined ? null : Math.round(up.latencyMs * 10) / 10,
      breakers: {
        connect: own?.breakers.connect.phase ?? 'closed',
        read: own?.breakers.read.phase ?? 'closed',
        write: own?.breakers.write.phase ?? 'closed',
      },
      inFlight: own?.inFlight ?? 0,
      reads: own?.reads ?? 0,
      writes: own?.writes ?? 0,
      faults: own?.faults ?? 0,
      connections: own?.pool.total ?? 0,
      waiting: own?.pool.waiting ?? 0,
    };
  });
}

function problemsOfNode(
  { id, suspicion, because, breakers }: DashboardNode,
  writer: NodeId | undefined,
): readonly Problem[] {
  const found: Problem[] = [];
  if (breakers.write === 'isolated' && writer === id)
    found.push({
      severity: 'critical',
      node: id,
      text: `${id} is the primary and isolated: every write of this process fails`,
    });
  const isDown = suspicion === 'down' || suspicion === 'objectively-down';
  if (isDown) found.push({ severity: 'critical', node: id, text: `${id} is ${suspicion}: ${because}` });
  else if (suspicion !== 'up' && suspicion !== 'unknown')
    found.push({ severity: 'warning', node: id, text: `${id} is ${suspicion}: ${because}` });
  const open = Object.entries(breakers).filter(([, phase]) => phase !== 'closed' && phase !== 'isolated');
  if (open.length > 0 && !isDown)
    found.push({
      severity: 'warning',
      node: id,
      text: `${id}: the breaker for ${open.map(([name]) => name).join(', ')} is ${open[0]?.[1]}`,
    });
  return found;
}

function problemsOfReads(mysql: MysqlCluster): readonly Problem[] {
  const { serves, unfit } = mysql.readFitness();
  const topology = mysql.topology();
  const found = unfit
    .filter(({ node }) => !isSaid(topology, node))
    .map(
      ({ node, reason }): Problem => ({
        severity: 'warning',
        node,
        text: `${node} serves no reads: ${reason}`,
      }),
    );
  if (serves) return found;
  return [{ severity: 'critical', node: null, text: 'No node serves reads: every read fails' }, ...found];
}

function problemsOfSessions(places: readonly SessionPlace[]): readonly Problem[] {
  const isSavedNowhere = places.every(({ writes }) => writes !== 'closed');
  const isReadNowhere = places.every(({ reads }) => reads !== 'closed');
  return places.flatMap(({ node, reads, writes, standing, why }): readonly Problem[] => {
    const phaseOr = (phase: string): string => why ?? `breaker ${phase}`;
    if (why === 'filling')
      return [
        {
          severity: isReadNowhere || isSavedNowhere ? 'critical' : 'warning',
          node,
          text: isReadNowhere
            ? `Session node ${node} is being filled and answers no reads until then, nor does another one: no session can be loaded or saved`
            : `Session node ${node} is being filled: it answers no reads until it has the sessions of the others`,
        },
      ];
    if (reads !== 'closed')
      return [
        {
          severity: 'critical',
          node,
          text: `Session node ${node} does not answer (${phaseOr(reads)})`,
        },
      ];
    const found: Problem[] = [];
    if (writes !== 'closed')
      found.push({
        severity: isSavedNowhere ? 'critical' : 'warning',
        node,
        text: isSavedNowhere
          ? `Session node ${node} takes no writes (${phaseOr(writes)}), nor does another one: no session can be saved`
          : `Session node ${node} takes no writes (${phaseOr(writes)}): sessions have a copy less`,
      });
    if (standing !== 'filled')
      found.push({
        severity: 'warning',
        node,
        text: `Session node ${node} is ${standing}: its misses are not believed`,
      });
    return found;
  });
}

function sessionNodesOf(cluster: AnyCluster): readonly DashboardSessionNode[] | null {
  const places = sessionPlaces(partOf(() => cluster.sessions));
  return (
    places?.map(({ node, reads, writes, standing, begunAnewAt }) => ({
      node,
      reads,
      writes,
      standing,
      begunAnewAt: begunAnewAt?.getTime() ?? null,
    })) ?? null
  );
}
