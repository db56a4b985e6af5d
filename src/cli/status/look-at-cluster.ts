/** Looks once at everything that is configured, without changing anything anywhere. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pause } from '../../common/backoff.js';
import { systemClock } from '../../common/clock.js';
import { nodeIdOf } from '../../common/node-address.js';
import { describeError, isStormlampError } from '../../common/stormlamp-error.js';
import type { FailoverManager } from '../../failover/failover-manager.js';
import { type FailoverMode, failoverDefaults } from '../../failover/failover-options.js';
import { begunAnewAt } from '../../memcached/copies/fill-marker.js';
import type { MemcachedObservation } from '../../memcached/memcached-monitor.js';
import { MONITOR_DEFAULTS } from '../../mysql/monitor-options.js';
import type { MysqlCluster } from '../../mysql/mysql-cluster.js';
import { type ObservedCluster, observeMysqlCluster } from '../../mysql/observe-mysql-cluster.js';
import { SessionNodes } from '../../session/session-nodes.js';
import { resolveStoreOptions } from '../../session/store-options.js';
import { type NodeDescription, type ReplicationChannel, roleOf } from '../../topology/node-description.js';
import { lacksVotes, noWriterWords } from '../../topology/voted-writer.js';
import type { ClusterConfig } from '../cluster-config.js';
import { type MountReader, mountsHere } from '../mounts/mount-reader.js';
import { lookingManager } from '../operator-failover.js';
import { lastChangeIn } from './last-change.js';
import { lookAtCache } from './look-at-cache.js';
import { breakersFrom } from './service-breakers.js';
import { sameDevices, sameServers } from './shared-fate.js';
import { problemsOf } from './status-problems.js';
import {
  type ChannelReport,
  type DatabaseReport,
  type FailedPart,
  isFailed,
  type MysqlReport,
  type SessionPlaceReport,
  type SessionsReport,
  type StatusReport,
  type TroubleReport,
} from './status-report.js';

/** So many looks a replica may need until its lag is known, and one more while they are under way. */
const LOOKS = 4;

type MysqlOptions = NonNullable<ClusterConfig['options']['mysql']>;
type SessionOptions = NonNullable<ClusterConfig['options']['sessions']>;

/**
 * Looks at the databases and at the session store at the same time, and asks the service whose live page `from` is. A part that
 * fails is told as such. `reader` looks at mounts.
 */
export async function lookAtCluster(
  { options, source }: ClusterConfig,
  from?: URL,
  reader: MountReader = mountsHere,
): Promise<StatusReport> {
  const { mysql, sessions, failover, cache } = options;
  const [told, databases, places, caches] = await Promise.all([
    from === undefined ? undefined : breakersFrom(from),
    mysql === undefined ? undefined : orFailed(lookAtMysql(mysql, failover)),
    sessions === undefined ? undefined : orFailed(lookAtSessions(sessions, reader)),
    cache === undefined ? undefined : lookAtCache(cache),
  ]);
  const parts = {
    ...(told === undefined ? {} : { service: told.service }),
    ...(databases === undefined ? {} : { mysql: withBreakers(databases, told?.phases) }),
    ...(places === undefined ? {} : { sessions: places }),
    ...(caches === undefined ? {} : { cache: caches }),
  };
  return { ok: problemsOf(parts).length === 0, config: source, ...parts };
}

function withBreakers(
  databases: MysqlReport | FailedPart,
  phases: ReadonlyMap<string, string> = new Map(),
): MysqlReport | FailedPart {
  if (isFailed(databases)) return databases;
  const nodes = databases.nodes.map((node) => ({ ...node, breaker: phases.get(node.node) ?? null }));
  return { ...databases, nodes };
}

async function orFailed<T>(work: Promise<T>): Promise<T | FailedPart> {
  try {
    return await work;
  } catch (error) {
    const failed = failedPart(error);
    if (failed === null) throw error;
    return failed;
  }
}

function failedPart(error: unknown): FailedPart | null {
  return isStormlampError(error) ? { code: error.code, message: error.message } : null;
}

async function lookAtMysql(
  options: MysqlOptions,
  failoverOptions: ClusterConfig['options']['failover'],
): Promise<MysqlReport> {
  const { mysql, refusals } = await observeMysqlCluster(options);
  const troubles: TroubleReport[] = [];
  const note = (event: TroubleReport['event'], node: string, error: Error): void => {
    const message = describeError(error);
    if (!troubles.some((one) => one.node === node && one.message === message))
      troubles.push({ event, node, message });
  };
  mysql.on('discovery-failed', ({ node, error }) => note('discovery-failed', node, error));
  mysql.on('lag-failed', ({ node, error }) => note('lag-failed', node, error));
  // What went wrong at the start is told to the first listener, in a turn of its own.
  await nextTurn();
  const mode = failoverOptions?.mode ?? failoverDefaults.mode;
  const manager = lookingManager(mysql, failoverOptions);
  try {
    await lagKnown(mysql, options.monitor?.intervalMs ?? MONITOR_DEFAULTS.intervalMs);
    return { ...(await describeMysql(mysql, manager, refusals, mode)), troubles };
  } finally {
    await manager.close();
    await mysql.close();
  }
}

/** Resolves when more looks tell nothing else about replicas whose lag is unknown: one look may show nothing of it. */
async function lagKnown(mysql: MysqlCluster, intervalMs: number): Promise<void> {
  const until = performance.now() + LOOKS * intervalMs;
  while (mysql.readFitness().mayChange && performance.now() < until) await pause(intervalMs / 10);
}

/** The databases as a running client sees them now; `mode` is that of the services. */
export async function describeMysql(
  mysql: MysqlCluster,
  manager: FailoverManager,
  refusals: ObservedCluster['refusals'],
  mode: FailoverMode = manager.state.mode,
): Promise<Omit<MysqlReport, 'troubles'>> {
  await manager.asked();
  const { serves, unfit } = mysql.readFitness();
  const lastChange = lastChangeIn(await manager.history());
  const topology = mysql.topology();
  const { writer, epoch, nodes, warnings } = topology;
  const { failure, because, voted } = manager.state;
  // Services that only follow need no votes.
  const votes = { failure, voted: mode === 'follow' ? undefined : voted };
  return {
    writer,
    servesReads: serves,
    noWrites: lacksVotes(topology, votes) ? noWriterWords(topology, votes) : null,
    epoch,
    nodes: nodes.map((node) => ({
      ...describeDatabase(node, systemClock.now()),
      refusal: failedPart(refusals.get(node.id)),
      unfit: unfit.find((each) => each.node === node.id)?.reason ?? null,
    })),
    warnings,
    failover: { mode, failure, because },
    lastChange,
  };
}

/** One database node. */
export function describeDatabase(
  node: NodeDescription,
  now: number,
): Omit<DatabaseReport, 'refusal' | 'unfit'> {
  const facts = node.state === 'up' ? node.facts : node.state === 'down' ? node.lastFacts : undefined;
  const lag = node.state === 'up' ? node.lag : null;
  return {
    node: node.id,
    role: node.state === 'down' ? (node.lastRole ?? 'unknown') : roleOf(node),
    up: node.state === 'up',
    version:
      facts === undefined ? null : `${facts.flavor} ${/^[\d.]+/.exec(facts.version)?.[0] ?? facts.version}`,
    readOnly: node.state === 'up' ? node.facts.readOnly : null,
    upstream: node.state === 'up' ? (node.upstream ?? []) : [],
    channels: node.state === 'up' ? node.facts.channels.map(describeChannel) : [],
    lagMs: lag?.ms ?? null,
    lagAgeMs: lag === null ? null : Math.max(0, Math.round(now - lag.at)),
    latencyMs: node.state === 'up' ? Math.round(node.latencyMs * 10) / 10 : null,
    breaker: null,
    failure: node.state === 'down' ? { kind: node.failure, message: describeError(node.error) } : null,
  };
}

/** Without the server's own words about an error, which may quote values. */
function describeChannel(channel: ReplicationChannel): ChannelReport {
  const { name, sourceHost, sourcePort, io, sql, lagMs } = channel;
  const source = nodeIdOf({ host: sourceHost, port: sourcePort });
  return { name, source, receiving: io, applying: sql, lagMs };
}

/** The nodes or mounts of a session store; `reader` looks at mounts. */
export async function lookAtSessions(
  given: SessionOptions,
  reader: MountReader = mountsHere,
): Promise<SessionsReport> {
  const resolved = resolveStoreOptions(given);
  if (resolved.kind === 'files') {
    // Nor is this one: it would mark mounts that nobody has opened yet, whatever is mounted there.
    const { mounts, operationTimeoutMs } = resolved.options;
    const seen = await reader.look(mounts, operationTimeoutMs);
    const places = seen.mounts.map(({ mount, up, standing, error }) => ({
      ...NO_NUMBERS,
      ...{ node: mount, up, standing, error },
    }));
    return { kind: 'files', copies: places.length, places, same: sameDevices(seen.mounts) };
  }
  // Not a whole store: that one would set about mending what it finds.
  const ignore = (): void => undefined;
  const nodes = new SessionNodes(resolved.options, ignore, ignore);
  try {
    const seen = await nodes.monitor.checkAll();
    return {
      kind: 'memcached',
      copies: resolved.options.copies,
      places: seen.map((one) => describePlace(one, seen)),
      same: await sameServers(
        resolved.options.nodes.map(({ id, address }, at) => {
          const one = seen[at];
          return { id, address, marker: one?.ok === true ? one.answer.marker : undefined };
        }),
      ),
    };
  } finally {
    await nodes.stop();
    await nodes.close();
  }
}

const NO_NUMBERS = { begunAnewAt: null, version: null, items: null, memory: null } as const;

/** One memcached node, judged by what it and the others tell. */
export function describePlace(
  seen: MemcachedObservation,
  all: readonly MemcachedObservation[],
): SessionPlaceReport {
  if (!seen.ok) {
    return { ...NO_NUMBERS, node: seen.node, up: false, standing: 'down', error: describeError(seen.error) };
  }
  const { version, marker, memory } = seen.answer;
  const isSuspect = all.some((other) => other.ok && other.answer.suspects.has(seen.node));
  return {
    node: seen.node,
    up: true,
    standing: marker === undefined ? 'warming' : isSuspect ? 'suspect' : 'filled',
    begunAnewAt: begunAnewAt(marker ?? '')?.toISOString() ?? null,
    version,
    items: memory.items,
    memory: { bytes: memory.bytes, limitBytes: memory.limitBytes, evictions: memory.evictions },
    error: null,
  };
}
