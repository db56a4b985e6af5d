/** The events that are counted, and the values that their labels can have, so that every count can begin at 0. */
import type { OperationClass } from '../breaker/node-breaker.js';
import type { CacheEvents } from '../cache/cache-calls.js';
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import type { FailoverEvents } from '../failover/failover-events.js';
import type { FailoverHooks } from '../failover/failover-hooks.js';
import type { FailureKind } from '../failover/failure-kind.js';
import type { ResyncKind } from '../memcached/resync/resync-events.js';
import type { MysqlClusterEvents } from '../mysql/mysql-events.js';
import type { FileSessionStoreEvents } from '../session/file-session-events.js';
import type { SessionStoreEvents } from '../session/session-events.js';
import type { ConflictDecision } from '../session/session-merge.js';
import { hasMounts, sessionPlaces } from '../session-places.js';
import type { TopologyWarningCode } from '../topology/topology-description.js';

/** Which values a label can have: those of a list, or the nodes of its part, or the mounts, which are called nodes, too. */
type Values = readonly string[] | 'nodes' | 'mounts';

/** The labels of one event, by the payload's fields that they are taken from. */
export type EventLabels = Readonly<Record<string, Values>>;

/** The labels that an event with this payload can have. */
type LabelsOf<Payload> = {
  readonly [Field in
    | (keyof Payload & string)
    | (Payload extends { readonly mount: string } ? 'node' : never)]?: Values;
};

/** Said of what is told with every statement, connection or look, or by another metric. */
const NOT_COUNTED = 'not counted';

/** Every event of a part: the compiler sees to it that none is missing. */
type Rules<Events> = { readonly [E in keyof Events]-?: LabelsOf<Events[E]> | typeof NOT_COUNTED };

/** The names of a union; the compiler sees to it that none is missing. */
function all<T extends string>(names: Readonly<Record<T, true>>): readonly string[] {
  return Object.keys(names);
}

const CODES = all<TopologyWarningCode>({
  'writable-replica': true,
  'read-only-primary': true,
  'unchecked-replication': true,
  'duplicate-server-id': true,
  'duplicate-server-uuid': true,
  'unfollowed-primary': true,
  'stale-primary': true,
  'stray-node': true,
  'blind-monitor': true,
  'errant-transactions': true,
  'replication-stopped': true,
  'no-source': true,
  'partial-replica': true,
  'unknown-node': true,
});
const FAILURES = all<FailureKind>({
  'dead-primary': true,
  'unreachable-primary': true,
  overloaded: true,
  'locked-semisync': true,
  locked: true,
  'read-only-primary': true,
  'split-brain': true,
  'no-primary': true,
  'all-replicas-broken': true,
  'majority-lost': true,
});
const HOOKS = all<keyof FailoverHooks>({
  onDetected: true,
  approve: true,
  beforeFailover: true,
  beforeSwitchover: true,
  fence: true,
  salvage: true,
  afterPromote: true,
  afterFailover: true,
  onAborted: true,
  rebuild: true,
});
const DATABASE_CALLS = all<Exclude<OperationClass, 'get' | 'set'>>({
  connect: true,
  read: true,
  write: true,
});
const STORE_CALLS = all<Extract<OperationClass, 'get' | 'set'>>({ get: true, set: true });
const SESSION_CALLS = all<SessionStoreEvents['copy-missed']['operation']>({
  load: true,
  save: true,
  touch: true,
  destroy: true,
});
const RESYNCS = all<ResyncKind>({ fill: true, mend: true, recopy: true, move: true, sweep: true });
const LOSSES = all<SessionStoreEvents['sessions-lost']['cause']>({
  emptied: true,
  silent: true,
  unmended: true,
});
const DECISIONS = all<ConflictDecision>({ ours: true, theirs: true });
const REBUILDS = all<FailoverEvents['rebuild-needed']['why']>({ errant: true, purged: true });

const MOUNT_KEPT = all<FileSessionStoreEvents['copies-differed']['kept']>({
  'its own': true,
  'the others': true,
  both: true,
});

const NODE = { node: 'nodes' } as const;
const MOUNT = { node: 'mounts' } as const;

const OF_MYSQL: Rules<MysqlClusterEvents> = {
  'primary-changed': {},
  'warning-began': { code: CODES, ...NODE },
  'warning-ended': { code: CODES, ...NODE },
  'connect-failed': NODE,
  'breaker-changed': { ...NODE, operation: DATABASE_CALLS },
  'replica-fitness-changed': NODE,
  'discovery-failed': NODE,
  'lag-failed': NODE,
  'heartbeat-failed': NODE,
  'kill-failed': NODE,
  'topology-changed': NOT_COUNTED,
  'node-changed': NOT_COUNTED,
  route: NOT_COUNTED,
  connection: NOT_COUNTED,
  acquire: NOT_COUNTED,
  release: NOT_COUNTED,
};

const OF_SESSIONS: Rules<SessionStoreEvents> = {
  'copy-missed': { ...NODE, operation: SESSION_CALLS },
  'conflict-decided': { kept: DECISIONS },
  'lock-lost': NODE,
  'lock-broken': NODE,
  'nodes-changed': {},
  'save-failed': {},
  'save-dropped': {},
  'node-standing': NODE,
  'resync-started': { ...NODE, kind: RESYNCS },
  resynced: { ...NODE, kind: RESYNCS },
  'resync-failed': NODE,
  'sessions-lost': { ...NODE, cause: LOSSES },
  'recopy-skipped': NODE,
  'memory-short': NODE,
  'breaker-changed': { ...NODE, operation: STORE_CALLS },
  'resync-progress': NOT_COUNTED,
};

const OF_MOUNTS: Rules<Omit<FileSessionStoreEvents, keyof SessionStoreEvents>> = {
  'mount-changed': MOUNT,
  'mount-repaired': MOUNT,
  'repair-failed': MOUNT,
  'file-skipped': {},
  'copies-differed': { ...MOUNT, kept: MOUNT_KEPT },
};

const OF_FAILOVER: Rules<FailoverEvents> = {
  'primary-followed': {},
  'primary-lost': { kind: FAILURES },
  'primary-returned': {},
  'split-brain': {},
  'failure-detected': { kind: FAILURES },
  'failure-cleared': { kind: FAILURES },
  'hook-failed': { hook: HOOKS },
  'lease-gained': NODE,
  'lease-lost': {},
  'change-started': {},
  'change-done': {},
  'change-aborted': {},
  'failover-blocked': {},
  'node-diverged': NODE,
  'errant-transactions': NODE,
  'rebuild-needed': { ...NODE, why: REBUILDS },
  'nodes-managed': {},
  'leadership-changed': {},
  'suspicion-changed': NOT_COUNTED,
  'change-step': NOT_COUNTED,
  statement: NOT_COUNTED,
};

const OF_CACHE: Rules<CacheEvents> = {
  'refresh-failed': {},
  'value-unreadable': {},
  'value-too-large': {},
  'node-failed': NOT_COUNTED,
};

/** A part that tells events. */
export type CountedPart = 'mysql' | 'sessions' | 'failover' | 'cache';

/** The parts. */
export const COUNTED_PARTS: readonly CountedPart[] = ['mysql', 'sessions', 'failover', 'cache'];

/** What is counted of a part of `cluster`: events with their labels. */
export function countedEvents(
  cluster: AnyCluster,
  part: CountedPart,
): readonly (readonly [event: string, labels: EventLabels])[] {
  const rules = {
    mysql: OF_MYSQL,
    sessions: hasMounts(partOf(() => cluster.sessions)) ? { ...OF_SESSIONS, ...OF_MOUNTS } : OF_SESSIONS,
    failover: OF_FAILOVER,
    cache: OF_CACHE,
  }[part];
  return Object.entries<EventLabels | typeof NOT_COUNTED>(rules).flatMap(([event, labels]) =>
    labels === NOT_COUNTED ? [] : [[event, labels] as const],
  );
}

/** The field of the payload that a label is taken from. */
export function fieldOf(label: string, values: Values): string {
  return values === 'mounts' ? 'mount' : label;
}

/** The labels of every count of an event, for the nodes that `cluster` knows now. */
export function labelsOf(
  cluster: AnyCluster,
  part: CountedPart,
  event: string,
  labels: EventLabels,
): readonly Readonly<Record<string, string>>[] {
  let found: readonly Readonly<Record<string, string>>[] = [{ part, event }];
  for (const [name, values] of Object.entries(labels)) {
    const each = typeof values === 'string' ? nodesOf(cluster, part) : values;
    found = found.flatMap((before) => each.map((value) => ({ ...before, [name]: value })));
  }
  return found;
}

function nodesOf(cluster: AnyCluster, part: CountedPart): readonly string[] {
  if (part === 'sessions')
    return (sessionPlaces(partOf(() => cluster.sessions)) ?? []).map(({ node }) => node);
  return (partOf(() => cluster.topology().nodes) ?? []).map(({ id }) => id);
}
