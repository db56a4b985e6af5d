/** Options of the modes that change servers: accounts, voters, and the limits of what may be done. */
import type { NodeId } from '../common/node-address.js';
import {
  invalidOption,
  readBoolean,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type MysqlNodeConfig, type MysqlNodeOptions, parseMysqlNode } from '../mysql/connection-options.js';
import type { CredentialsSource, MysqlCredentials } from '../mysql/connection-settings.js';
import type { CandidateWishes } from './plan/candidate-choice.js';
import {
  type ReplicationOptions,
  type ResolvedReplicationOptions,
  readReplication,
} from './replication-options.js';

/**
 * How much a failover may lose. `'none'`: only what is proven to lose nothing, by semi-synchronous replication.
 * `{ transactions }`: at most so many that the primary was seen to have, its latest rate counted for the time after. `'any'`.
 */
export type MaxLoss =
  | 'none'
  | 'any'
  | {
      /** At most so many transactions. */
      readonly transactions: number;
    };

/** What the modes `approve` and `auto` need to be told. */
export interface ActingOptions {
  /** The cluster's name, the same in all processes: letters, digits, `_`, `.`, `-`; at most 32. Default `stormlamp`. */
  readonly cluster?: string | undefined;
  /** The account that changes servers. */
  readonly credentials?: MysqlCredentials | CredentialsSource | undefined;
  /** The account of replication. */
  readonly replication?: ReplicationOptions | undefined;
  /**
   * Servers that vote and hold no data: a small MySQL or MariaDB on a machine that runs none of the databases. An account in its
   * address is used there; without one, `credentials`.
   */
  readonly witness?: string | MysqlNodeOptions | readonly (string | MysqlNodeOptions)[] | undefined;
  /**
   * How long a right to write lasts, milliseconds; the same in all processes. Shorter makes a failover faster and stalls of a
   * process more harmful.
   *
   * @defaultValue 5000
   */
  readonly leaseMs?: number | undefined;
  /**
   * How long a right to write lasts while a switchover is prepared, milliseconds; the same in all processes. It is a part of the
   * write gap.
   *
   * @defaultValue 200
   */
  readonly handoverMs?: number | undefined;
  /** Which nodes shall become the primary. */
  readonly candidates?: Partial<CandidateWishes> | undefined;
  /**
   * How much a failover may lose.
   *
   * @defaultValue 'none'
   */
  readonly maxLoss?: MaxLoss | undefined;
  /**
   * How long after one automatic failover no other one is made, unless somebody acknowledges the first, milliseconds.
   *
   * @defaultValue 3600000
   */
  readonly blockMs?: number | undefined;
  /**
   * So long after the last sign of a process that sees a majority for it, the primary stops taking writes by itself, milliseconds:
   * those of PHP, too, which obeys no lease. An event on every server does it, for which `event_scheduler` must be on. Without any
   * living process that takes part, nobody can write then. The same in all processes; 3000 to 60000, or 0: never.
   *
   * @defaultValue 0
   */
  readonly selfFenceMs?: number | undefined;
  /** Whether a former primary that returns without transactions of its own is made a replica by itself. Default true. */
  readonly autoRejoin?: boolean | undefined;
  /**
   * Whether this process takes part in what is done automatically. False for tools and for processes that shall only write.
   *
   * @defaultValue true
   */
  readonly automatic?: boolean | undefined;
  /**
   * The name of this machine: of the processes of one machine only one takes part in changes, and another one while that one hangs.
   * Default: its host name.
   */
  readonly host?: string | undefined;
}

/** {@link ActingOptions} with everything filled in. */
export interface ResolvedActingOptions extends ResolvedReplicationOptions {
  readonly cluster: string;
  readonly credentials: MysqlCredentials | CredentialsSource;
  readonly witnesses: readonly MysqlNodeConfig[];
  readonly leaseMs: number;
  readonly handoverMs: number;
  readonly wishes: CandidateWishes;
  /** The zone that each node stands in, where that is known. */
  readonly zones?: ReadonlyMap<NodeId, string>;
  readonly maxLoss: MaxLoss;
  readonly blockMs: number;
  readonly selfFenceMs: number;
  readonly autoRejoin: boolean;
  readonly automatic: boolean;
  readonly host: string | undefined;
}

/** The defaults of {@link ActingOptions}. */
export const actingDefaults: {
  readonly cluster: string;
  readonly leaseMs: number;
  readonly handoverMs: number;
  readonly maxLoss: MaxLoss;
  readonly blockMs: number;
  readonly selfFenceMs: number;
} = Object.freeze({
  cluster: 'stormlamp',
  leaseMs: 5_000,
  handoverMs: 200,
  maxLoss: 'none',
  blockMs: 3_600_000,
  selfFenceMs: 0,
});

/** The names of {@link ActingOptions}. */
export const ACTING_NAMES: readonly (keyof ActingOptions)[] = Object.freeze([
  'cluster',
  'credentials',
  'replication',
  'witness',
  'leaseMs',
  'handoverMs',
  'candidates',
  'maxLoss',
  'blockMs',
  'selfFenceMs',
  'autoRejoin',
  'automatic',
  'host',
] as const);

/** A lock's name has at most 64 characters on MySQL. */
const CLUSTER_NAME = /^[A-Za-z0-9_.-]{1,32}$/;

/**
 * Reads the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveActingOptions(path: string, options: ActingOptions): ResolvedActingOptions {
  const d = actingDefaults;
  const cluster = readString(`${path}.cluster`, options.cluster, d.cluster);
  if (!CLUSTER_NAME.test(cluster)) {
    throw invalidOption(`${path}.cluster`, "1 to 32 letters, digits, '_', '.' or '-'", cluster);
  }
  const { credentials, replication } = options;
  if (credentials === undefined) {
    throw missing(`${path}.credentials`, 'the account that changes servers: `{ user, password }`');
  }
  if (replication === undefined) {
    throw missing(`${path}.replication`, 'the account that replicas log in with: `{ user, password }`');
  }
  const leaseMs = readNumber(`${path}.leaseMs`, options.leaseMs, d.leaseMs, { min: 1_200, max: 60_000 });
  return Object.freeze({
    cluster,
    credentials,
    ...readReplication(`${path}.replication`, replication),
    witnesses: readWitnesses(`${path}.witness`, options),
    leaseMs,
    handoverMs: readNumber(`${path}.handoverMs`, options.handoverMs, d.handoverMs, {
      min: 50,
      max: leaseMs / 2,
    }),
    wishes: readWishes(`${path}.candidates`, options.candidates),
    maxLoss: readMaxLoss(`${path}.maxLoss`, options.maxLoss),
    blockMs: readNumber(`${path}.blockMs`, options.blockMs, d.blockMs, { min: 0 }),
    selfFenceMs: readSelfFence(`${path}.selfFenceMs`, options.selfFenceMs),
    autoRejoin: readBoolean(`${path}.autoRejoin`, options.autoRejoin, true),
    automatic: readBoolean(`${path}.automatic`, options.automatic, true),
    host: options.host === undefined ? undefined : readString(`${path}.host`, options.host, ''),
  });
}

function readWitnesses(path: string, { witness, credentials }: ActingOptions): readonly MysqlNodeConfig[] {
  if (witness === undefined) return [];
  const list = Array.isArray(witness) ? witness : [witness];
  return list.map((input: string | MysqlNodeOptions, index) => {
    const config = parseMysqlNode(list.length === 1 ? path : `${path}[${index}]`, input, 'any');
    if (config.connection.user !== undefined || config.credentials !== undefined) return config;
    if (typeof credentials === 'function') return { ...config, credentials };
    return { ...config, connection: { ...config.connection, ...credentials } };
  });
}

function readWishes(path: string, wishes: Partial<CandidateWishes> | undefined): CandidateWishes {
  if (wishes !== undefined) rejectUnknownOptions(path, wishes, ['prefer', 'avoid', 'never']);
  return {
    prefer: readStrings(`${path}.prefer`, wishes?.prefer, []),
    avoid: readStrings(`${path}.avoid`, wishes?.avoid, []),
    never: readStrings(`${path}.never`, wishes?.never, []),
  };
}

/** Shorter, an election or a slow answer would close the primary. */
function readSelfFence(path: string, value: number | undefined): number {
  if (value === undefined || value === 0) return 0;
  if (Number.isInteger(value) && value >= 3_000 && value <= 60_000) return value;
  throw invalidOption(path, '0 (never), or an integer from 3000 to 60000', value);
}

function readMaxLoss(path: string, value: unknown): MaxLoss {
  if (value === undefined) return actingDefaults.maxLoss;
  if (value === 'none' || value === 'any') return value;
  if (typeof value === 'object' && value !== null) {
    rejectUnknownOptions(path, value, ['transactions']);
    const transactions = readNumber(
      `${path}.transactions`,
      (value as { transactions?: unknown }).transactions,
      -1,
      {
        min: 0,
        integer: true,
      },
    );
    return { transactions };
  }
  throw invalidOption(path, "'none', 'any' or { transactions: number }", value);
}

function missing(path: string, what: string): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `\`${path}\` is missing: the modes 'approve' and 'auto' need ${what}`,
  );
}
