/** The events that are counted, and the values that their labels can have, so that every count can begin at 0. */
import type { OperationClass } from '../breaker/node-breaker.js';
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import type { FailoverEvents } from '../failover/failover-events.js';
import type { FailoverHooks } from '../failover/failover-hooks.js';
import type { FailureKind } from '../failover/failure-kind.js';
import type { ResyncKind } from '../memcached/resync/resync-events.js';
import type { SessionStoreEvents } from '../session/session-events.js';
import type { ConflictDecision } from '../session/session-merge.js';
import { sessionPlaces } from '../session-places.js';
import type { TopologyWarningCode } from '../topology/topology-description.js';

/** Which values a label can have: those of a list, or the nodes of its part. */
type Values = readonly string[] | 'nodes';

/** The labels of one event, by the payload's fields that they are taken from. */
export type EventLabels = Readonly<Record<string, Values>>;

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

const NODE: EventLabels = { node: 'nodes' };

/** A part that tells events. */
export type CountedPart = 'mysql' | 'sessions' | 'failover';

/** By part and event. */
export const COUNTED_EVENTS: Readonly<Record<CountedPart, Readonly<Record<string, EventLabels>>>> = {
  mysql: {
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
  },
  sessions: {
    'copy-missed': { ...NODE, operation: SESSION_CALLS },
    'conflict-decided': { kept: DECISIONS },
    'lock-lost': NODE,
    'lock-broken': NODE,
    'save-failed': {},
    'save-dropped': {},
    resynced: { ...NODE, kind: RESYNCS },
    'resync-failed': NODE,
    'sessions-lost': { ...NODE, cause: LOSSES },
    'memory-short': NODE,
    'breaker-changed': { ...NODE, operation: STORE_CALLS },
  },
  failover: {
    'primary-lost': { kind: FAILURES },
    'primary-followed': {},
    'failure-detected': { kind: FAILURES },
    'change-done': {},
    'change-aborted': {},
    'failover-blocked': {},
    'hook-failed': { hook: HOOKS },
    'lease-lost': {},
    'node-diverged': NODE,
    'errant-transactions': NODE,
    'rebuild-needed': { ...NODE, why: REBUILDS },
  },
};

/** The labels of every count of an event, for the nodes that `cluster` knows now. */
export function labelsOf(
  cluster: AnyCluster,
  part: CountedPart,
  event: string,
  labels: EventLabels,
): readonly Readonly<Record<string, string>>[] {
  let found: readonly Readonly<Record<string, string>>[] = [{ part, event }];
  for (const [name, values] of Object.entries(labels)) {
    const each = values === 'nodes' ? nodesOf(cluster, part) : values;
    found = found.flatMap((before) => each.map((value) => ({ ...before, [name]: value })));
  }
  return found;
}

function nodesOf(cluster: AnyCluster, part: CountedPart): readonly string[] {
  if (part === 'sessions')
    return (sessionPlaces(partOf(() => cluster.sessions)) ?? []).map(({ node }) => node);
  return (partOf(() => cluster.topology().nodes) ?? []).map(({ id }) => id);
}
