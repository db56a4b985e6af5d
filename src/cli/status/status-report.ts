/** What `stormlamp status` found: plain values, as they stand in its JSON document. */
import type { ProbeFailure, TopologyWarning, WriterState } from '../../index.js';

/** One source of a replica. */
export interface ChannelReport {
  /** The channel's name; '' for the only one, or the first. */
  readonly name: string;
  /** Where its source is, as the server itself says. */
  readonly source: string;
  /** Whether it gets what the source writes: `yes`, `connecting`, `no`. */
  readonly receiving: string;
  /** Whether it applies what it got. */
  readonly applying: boolean;
  /** How far behind the server says that it is, in milliseconds; null when it does not say. */
  readonly lagMs: number | null;
}

/** A database node. */
export interface DatabaseReport {
  /** The node. */
  readonly node: string;
  /** Its role; what it was last when it is down. */
  readonly role: string;
  /** Whether it answers. */
  readonly up: boolean;
  /** Its server, like `mariadb 10.11.14`; null when it never answered. */
  readonly version: string | null;
  /** Whether it refuses writes of ordinary users; null when it does not answer. */
  readonly readOnly: boolean | null;
  /** The nodes that its data comes from, nearest first. */
  readonly upstream: readonly string[];
  /** Every source that it replicates from, by channel or connection; none of a primary, and of a node that does not answer. */
  readonly channels: readonly ChannelReport[];
  /** Lag in milliseconds as it was measured; null when unknown or when it has no source. */
  readonly lagMs: number | null;
  /** How old that measurement is, in milliseconds; null without one. */
  readonly lagAgeMs: number | null;
  /** The round trip of a look, in milliseconds; null when it is down. */
  readonly latencyMs: number | null;
  /** The phase of its breakers in the service that was asked (`--from`); null when none was, or it does not know the node. */
  readonly breaker: string | null;
  /** Why it is down; null when it is not. */
  readonly failure: { readonly kind: ProbeFailure; readonly message: string } | null;
  /** Why it lets the account of the statements not in although it answers the monitor; null when it does, or is down. */
  readonly refusal: FailedPart | null;
  /** Why it serves no reads, although it is a replica that answers; null when it does, or is none. */
  readonly unfit: string | null;
}

/** A place of session copies: a memcached node or a mount. */
export interface SessionPlaceReport {
  /** The node or the folder. */
  readonly node: string;
  /** Whether it serves. */
  readonly up: boolean;
  /** Its state in one word: `filled`, `suspect`, `warming`, `healthy`, `down`, …. */
  readonly standing: string;
  /** When a node began without what it had held before, because no other one had it any more; null when it did not. */
  readonly begunAnewAt: string | null;
  /** Its version; null for a mount, and when it does not answer. */
  readonly version: string | null;
  /** Items that it holds; null when that is not known. */
  readonly items: number | null;
  /** Bytes that it holds, and may hold, and items that it threw out before their time since it was started; null when not known. */
  readonly memory: { readonly bytes: number; readonly limitBytes: number; readonly evictions: number } | null;
  /** Why it does not serve; null when it does. */
  readonly error: string | null;
}

/** A part that could not be looked at. */
export interface FailedPart {
  /** The error's code. */
  readonly code: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** What could not be found out, though every node may answer. */
export interface TroubleReport {
  /** The event of the client that tells it. */
  readonly event: 'discovery-failed' | 'lag-failed';
  /** The node that was asked. */
  readonly node: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** The databases. */
export interface MysqlReport {
  /** Who takes writes. */
  readonly writer: WriterState;
  /** Why nothing may be written there all the same: it lacks the votes of a majority; null when it may, and where nobody votes. */
  readonly noWrites: string | null;
  /** Whether a node serves reads, with the configured preference. */
  readonly servesReads: boolean;
  /** Grows with every new primary. */
  readonly epoch: number;
  /** The nodes, in the order of the configuration. */
  readonly nodes: readonly DatabaseReport[];
  /** What deserves an operator's eye. */
  readonly warnings: readonly TopologyWarning[];
  /** Nodes that cannot be asked for others, lag that cannot be measured. */
  readonly troubles: readonly TroubleReport[];
  /** The failover manager: its mode, and what is wrong with the primary (null: nothing). */
  readonly failover: { readonly mode: string; readonly failure: string | null; readonly because: string };
  /** The last change of the primary that the journal tells of; null when it tells of none, or there is no account to read it. */
  readonly lastChange: { readonly at: string; readonly message: string } | null;
}

/** The session store. */
export interface SessionsReport {
  /** Where the sessions are. */
  readonly kind: 'memcached' | 'files';
  /** How many copies each session has. */
  readonly copies: number;
  /** The nodes or mounts. */
  readonly places: readonly SessionPlaceReport[];
  /** Groups of places that are one: a server under several names, mounts on one file system. */
  readonly same: readonly (readonly string[])[];
}

/** A node of the tiered cache. */
export interface CacheNodeReport {
  /** The node. */
  readonly node: string;
  /** Whether it answers. */
  readonly up: boolean;
  /** Its version; null when it does not answer. */
  readonly version: string | null;
  /** Why it does not; null when it does. */
  readonly error: string | null;
}

/** A running service that was asked for its breakers. */
export interface ServiceReport {
  /** Its live page. */
  readonly page: string;
  /** Why it did not tell; null when it did. */
  readonly error: string | null;
}

/** Everything. */
export interface StatusReport {
  /** Whether nothing is wrong: writes and reads have a node, all nodes answer, nothing warns. The exit code is 1 when it is false. */
  readonly ok: boolean;
  /** Where the configuration is from. */
  readonly config: string;
  /** The service whose breakers are told; left out when none was asked. */
  readonly service?: ServiceReport;
  /** The databases; left out when none are configured. */
  readonly mysql?: MysqlReport | FailedPart;
  /** The session store; left out when none is configured. */
  readonly sessions?: SessionsReport | FailedPart;
  /** The nodes of the cache; left out when none is configured. */
  readonly cache?: readonly CacheNodeReport[];
}

/** Whether a part could not be looked at. */
export function isFailed(part: object): part is FailedPart {
  return 'code' in part;
}
