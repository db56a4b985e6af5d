/** Immutable facts about one database node, as the last probe saw them. */
import type { NodeAddress, NodeId } from '../common/node-address.js';
import type { ServerPeer } from './server-peers.js';

/** The family of the server. */
export type Flavor = 'mysql' | 'mariadb';

/** What the node is to the cluster. Observed, not configured: see `describeTopology`. */
export type NodeRole = 'primary' | 'replica' | 'unknown';

/** What the configuration says the node is; it only breaks ties. */
export type ConfiguredRole = 'primary' | 'replica' | 'any';

/** What the configuration says about a node. */
export interface NodeSeed {
  /** The name of the node everywhere. */
  readonly id: NodeId;
  /** Where it listens. */
  readonly address: NodeAddress;
  /** The role it was configured with. */
  readonly configuredRole: ConfiguredRole;
  /** Share of reads relative to the others; 0 takes none while others can. */
  readonly weight: number;
  /** The zone it stands in, to prefer near nodes. */
  readonly zone?: string | undefined;
}

/** One replication channel of a replica. */
export interface ReplicationChannel {
  /** Name of the channel or connection; '' for the default one. */
  readonly name: string;
  /** Host of the source, as the replica knows it. */
  readonly sourceHost: string;
  /** Port of the source, as the replica knows it. */
  readonly sourcePort: number;
  /** `server_id` of the source; 0 before the first connection. */
  readonly sourceServerId: number;
  /** State of the thread that receives. */
  readonly io: 'yes' | 'connecting' | 'no';
  /** Whether the thread that applies runs. */
  readonly sql: boolean;
  /** Lag in milliseconds as the server tells it; null is unknown, never zero. */
  readonly lagMs: number | null;
  /** Configured delay in milliseconds (`MASTER_DELAY`, `SOURCE_DELAY`). */
  readonly delayMs: number;
  /** Last error of either thread as the server tells it, '' when there is none. That of the applying one quotes statements and rows. */
  readonly error: string;
  /** Number of the applying thread's last error, which `error` then is; left out when there is none. */
  readonly applyErrno?: number | undefined;
  /** Whether it asks its source for everything that it lacks (`SOURCE_AUTO_POSITION` of MySQL), so that nothing stays missing. */
  readonly autoPosition?: boolean | undefined;
  /** Set where it follows by file and position: what it has of its own may then be as old as its first load. */
  readonly byPosition?: true | undefined;
  /** The replication filters of the channel, each as `name=value`; left out when there are none. */
  readonly filters?: readonly string[] | undefined;
  /** What the receiving thread shows of its source; undefined where the server does not tell. */
  readonly reception?: Reception | undefined;
}

/** What the receiving thread of a channel shows of its source: whatever changes here is a sign of life of the source. */
export interface Reception {
  /** How far it has received, in the server's own words; '' when that is unknown. */
  readonly position: string;
  /** Heartbeats received since the thread started; null when they cannot be counted. */
  readonly heartbeats: number | null;
  /** Milliseconds of silence after which the source sends a heartbeat; 0 never, null when that is unknown. */
  readonly heartbeatMs: number | null;
  /** Number of the thread's last error; 0 when there is none. */
  readonly errno: number;
}

/** How a primary stands with semi-synchronous replication. */
export interface SemiSync {
  /** Whether commits wait for an acknowledgement now. */
  readonly active: boolean;
  /** Replicas that acknowledge. */
  readonly acknowledgers: number;
  /** Sessions whose commit waits for an acknowledgement. */
  readonly waiting: number;
  /** Commits that were acknowledged since the server counts. */
  readonly acknowledged?: number | undefined;
  /** After so long without an acknowledgement commits do not wait any more, milliseconds. Told while `active` only. */
  readonly timeoutMs?: number | undefined;
  /** How many replicas must acknowledge. Told while `active` only. */
  readonly waitFor?: number | undefined;
  /** Whether nobody sees a commit before it is acknowledged (`AFTER_SYNC`). Told while `active` only. */
  readonly afterSync?: boolean | undefined;
  /**
   * Whether commits go on waiting when fewer replicas are connected than must acknowledge (`…_wait_no_slave`, `…_wait_no_replica`).
   * Told while `active` only.
   */
  readonly waitsAlone?: boolean | undefined;
}

/** A place in the order of all that a group writes. */
export interface GroupPosition {
  /** What is numbered: a cluster that begins anew has another one. */
  readonly history: string;
  /** The number of the last one. */
  readonly number: number;
}

/** What the other members of a group were seen to have. */
export interface GroupMark extends GroupPosition {
  /** Who has this number has all that the others had then, monotonic milliseconds. */
  readonly at: number;
}

/** What a server says about the group that it is a member of: every member has all data, and the group decides who writes. */
export interface GroupFacts {
  /** The kind of group. */
  readonly kind: 'group-replication' | 'galera';
  /** Where the member is in its life: only one that is `online` has the data of the group. */
  readonly state: 'online' | 'joining' | 'donor' | 'offline';
  /** Whether it is with the majority; without, it can neither write nor know what is new. */
  readonly hasQuorum: boolean;
  /** Who may write: the member, another one, or every one. */
  readonly writes: 'here' | 'elsewhere' | 'everywhere';
  /** Transactions of the group that it has received and not applied yet. */
  readonly queue: number;
  /** How far it has committed what the group has ordered (Galera only). */
  readonly committed?: GroupPosition | undefined;
  /** The members, as the group knows them. */
  readonly members: readonly ServerPeer[];
  /** What tells the member from all others (Galera only): there, `server_id` may be the same on every member. */
  readonly memberId?: string | undefined;
  /**
   * The replication domain in which all members number what the cluster commits alike (`wsrep_gtid_mode` of Galera); left out
   * when each member numbers it for itself.
   */
  readonly gtidDomain?: number | undefined;
}

/** What a probe read from a server that answered. */
export interface ServerFacts {
  /** The family of the server. */
  readonly flavor: Flavor;
  /** The version as the server writes it, without a replication prefix. */
  readonly version: string;
  /** `@@server_id`. */
  readonly serverId: number;
  /** `@@server_uuid` (MySQL only). */
  readonly serverUuid?: string | undefined;
  /**
   * What the server calls itself, `@@hostname:@@port`: two servers with one `server_id` or `server_uuid` differ in it, unless the
   * machine was copied, too; one server under two names does not.
   */
  readonly ownName?: string | undefined;
  /** Whether the server refuses the writes of ordinary users (`read_only`, `super_read_only` or `innodb_read_only`). */
  readonly readOnly: boolean;
  /** The sources that the server replicates from; empty when it has none. */
  readonly channels: readonly ReplicationChannel[];
  /** Executed GTID set (MySQL) or `gtid_current_pos` (MariaDB); '' when GTIDs are off. */
  readonly gtid: string;
  /** `gtid_slave_pos` (MariaDB only): what it has applied as a replica; there `gtid` also moves with its own writes. */
  readonly gtidApplied?: string | undefined;
  /** `gtid_binlog_state` (MariaDB only): proves, where `gtid` cannot, that one server has all that another one has. */
  readonly gtidState?: string | undefined;
  /** The heartbeats that the server has, by the `server_id` of their writer, in milliseconds of its clock; when there are any. */
  readonly heartbeats?: Readonly<Record<number, number>> | undefined;
  /** The replicas that are connected to it, as they report themselves; left out when that was not asked. */
  readonly peers?: readonly ServerPeer[] | undefined;
  /** What it says about the group that it belongs to (Group Replication, Galera). */
  readonly group?: GroupFacts | undefined;
  /** Whether replication status could be read with the monitor's privileges. */
  readonly replicationVisible: boolean;
  /** What the server leaves out of its binary log (`Binlog_Do_DB=…`, `Binlog_Ignore_DB=…`); undefined when that may not be seen. */
  readonly binlogFilters?: readonly string[] | undefined;
  /** Errors at which it passes over what it should apply as a replica (`slave_skip_errors=…`); left out when there are none. */
  readonly skippedErrors?: readonly string[] | undefined;
  /** Semi-synchronous replication, where the server is the source of it. */
  readonly semiSync?: SemiSync | undefined;
  /**
   * Sessions of a server without a source whose statement waits for the lock of the whole server (`FLUSH TABLES WITH READ LOCK`, a
   * backup's), of those that the monitor's account may see; left out when it may see none.
   */
  readonly blockedWrites?: number | undefined;
}

/**
 * Why a probe failed. `access-denied` and `too-many` prove that the server lives. `refused` and `reset` say that nobody answers
 * where it was looked for, which a proxy or a firewall in between may say of a server that lives.
 */
export type ProbeFailure =
  | 'refused'
  | 'reset'
  | 'timeout-connect'
  | 'timeout-query'
  | 'access-denied'
  | 'too-many'
  | 'server-shutdown'
  | 'protocol'
  | 'other';

/** Whether a failed probe still proves that the server lives. */
export function provesLife(failure: ProbeFailure): boolean {
  return failure === 'access-denied' || failure === 'too-many';
}

/** What one probe of one node found. `at` is in monotonic milliseconds. */
export type Observation =
  | {
      readonly node: NodeId;
      readonly at: number;
      readonly ok: true;
      readonly latencyMs: number;
      readonly facts: ServerFacts;
    }
  | {
      readonly node: NodeId;
      readonly at: number;
      readonly ok: false;
      readonly failure: ProbeFailure;
      readonly error: Error;
    };

/** The lag of a replica at the time of a measurement. */
export interface Lag {
  /** Milliseconds behind the source; null is unknown. */
  readonly ms: number | null;
  /** When it was measured, monotonic milliseconds. */
  readonly at: number;
}

/** What was known about a replica when its source went away. */
export interface SourceLost {
  /** How far behind it was at most, milliseconds. */
  readonly lagMs: number;
  /** When the loss was seen, monotonic milliseconds. */
  readonly at: number;
}

/** How long a writable node without a source has stood beside the cluster. */
export interface Alone {
  /** When it was last seen otherwise, monotonic milliseconds; `-Infinity` when it never was. */
  readonly notBefore: number;
  /** When it was first seen so, monotonic milliseconds. */
  readonly since: number;
  /** The primary that was seen alive after `since`: its death later does not promote this node. */
  readonly beside?: NodeId | undefined;
}

/** Transactions that a replica has and its primary lacks. */
export interface Errant {
  /** Those, in the notation of the flavor. */
  readonly gtids: string;
  /** Since when they are known, monotonic milliseconds. */
  readonly since: number;
  /**
   * `seen`: the primary was not looked at since then, and may have got them from where it has what is new. `proven`: it was, and
   * lacks them. `doubtful`: it lacks them, and may have done so all along: the replica was loaded with them, or the primary was.
   */
  readonly state: 'seen' | 'proven' | 'doubtful';
}

/** Why nothing new is known about a server that lives. */
export interface Blind {
  /** What the probes meet. */
  readonly failure: ProbeFailure;
  /** What the last probe failed with. */
  readonly error: Error;
  /** Since when. */
  readonly since: number;
}

/** The client's view of one node, the outcome of the last probes. */
export type NodeDescription =
  | (NodeSeed & { readonly state: 'new' })
  | (NodeSeed & {
      readonly state: 'up';
      /** Role derived from the facts of all nodes. */
      readonly role: NodeRole;
      /** What the last probe read. */
      readonly facts: ServerFacts;
      /** Lag; null for a node without a source. */
      readonly lag: Lag | null;
      /** Moving average of the probe's round trip. */
      readonly latencyMs: number;
      /** When the last probe answered. */
      readonly seenAt: number;
      /** When the first probe in a row answered; a node that just came back takes its share of reads gradually. */
      readonly upSince?: number | undefined;
      /** The known nodes that its data comes from, nearest first; empty when it has no source, or an unknown one. */
      readonly upstream?: readonly NodeId[] | undefined;
      /** Set while it is a member of a group that lacks what others were seen to have: that. */
      readonly lacks?: GroupMark | undefined;
      /** When its receiving threads last showed a sign of life of a source; undefined where they never did. */
      readonly heardAt?: number | undefined;
      /** Set while a replica that was in step lost its source: how far it was behind then. */
      readonly sourceLost?: SourceLost | undefined;
      /** Set while the server lives but lets the monitor read nothing (`too-many`, `access-denied`): the facts are old. */
      readonly blind?: Blind | undefined;
      /** The replication filters, and the errors passed over, for which it has only a part of the data, unless the options let it serve reads all the same. */
      readonly partial?: string | undefined;
      /** Set while it has transactions that its primary lacks; kept while that one cannot be looked at. */
      readonly errant?: Errant | undefined;
      /** Set while it is writable, once it was seen to become so. */
      readonly madeWritable?: boolean | undefined;
      /** Set while it takes writes of others without being the primary: writable, and without a source. */
      readonly alone?: Alone | undefined;
    })
  | (NodeSeed & {
      readonly state: 'down';
      /** Why the last probe failed. */
      readonly failure: ProbeFailure;
      /** What it failed with. */
      readonly error: Error;
      /** Failures in a row. */
      readonly failures: number;
      /** When the first failure in the row happened. */
      readonly downSince: number;
      /** When the last probe that it answered began, when it ever did. */
      readonly seenAt?: number | undefined;
      /** The last facts, when the node ever answered. */
      readonly lastFacts?: ServerFacts | undefined;
      /** The last role, when the node ever answered. */
      readonly lastRole?: NodeRole | undefined;
      /** What it had then that its primary lacks. */
      readonly lastErrant?: Errant | undefined;
    });

/** The role of a node now: only a node that answers has one. */
export function roleOf(node: NodeDescription): NodeRole {
  return node.state === 'up' ? node.role : 'unknown';
}

/**
 * Whether the server of a node lives and has not let the monitor see anything since it was last down, or ever: whether it
 * takes writes of others is not known.
 */
export function isHidden(node: NodeDescription): boolean {
  return node.state === 'down' && provesLife(node.failure);
}

/** Why a node that is down takes nothing, for messages. */
export function whyDown(node: Extract<NodeDescription, { state: 'down' }>): string {
  const what = isHidden(node) ? 'it lives, but shows the monitor nothing' : 'it is down';
  return `${what} (${node.failure}): ${node.error.message}`;
}

/** Lag in milliseconds with the age of its measurement added; null when unknown or when the node has no source. */
export function effectiveLagMs(node: NodeDescription, now: number): number | null {
  if (node.state !== 'up' || node.lag === null || node.lag.ms === null) return null;
  return node.lag.ms + Math.max(0, now - node.lag.at);
}
