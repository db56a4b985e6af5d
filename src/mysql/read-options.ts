/** Where reads may go: the `reads` options of the MySQL client. */
import {
  invalidOption,
  readChoice,
  readMsOrInfinity,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { BalanceName } from '../topology/balance.js';
import { type ReadPreference, readPreferences } from '../topology/read-preference.js';

/** Options that decide where reads go. */
export interface ReadOptions {
  /**
   * Which roles may serve reads.
   *
   * @defaultValue `'replica-preferred'`
   */
  readonly preference?: ReadPreference | undefined;
  /**
   * How far behind a replica may be, the age of the measurement included, in milliseconds. `Infinity` asks nothing of it:
   * then a replica also serves while its lag is unknown.
   *
   * @defaultValue 5000
   */
  readonly maxLagMs?: number | undefined;
  /**
   * The same while no primary can be reached, when this is more. Nobody can tell then whether it is dead or takes the writes of
   * others, so what a replica may be behind grows with the time. `Infinity`: reads go on for as long as that lasts, and are as
   * old as that in the worst case. As much as `maxLagMs`: then they fail with `ERR_NO_REPLICA`.
   *
   * @defaultValue Infinity
   */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
  /**
   * How one of several fit nodes is chosen.
   *
   * @defaultValue `'least-in-flight'`
   */
  readonly balance?: BalanceName | undefined;
  /**
   * Nodes whose probes take longer than those of the fastest fit node by more than this, in milliseconds, serve only when no
   * other can. Default 15 with the preference `'nearest'`, else no limit.
   */
  readonly latencyWindowMs?: number | undefined;
  /** Nodes of this zone are preferred; a node tells its zone in its own options. Default: no preference. */
  readonly zone?: string | undefined;
  /** The id (`host:port`) of a node that serves all reads as long as it may, whatever its role. Default: none. */
  readonly affinity?: string | undefined;
  /**
   * The ids (`host:port`) of replicas that serve reads although replication filters (`replicate_*`, or `binlog_do_db` and
   * `binlog_ignore_db` of a source) or errors that they pass over (`slave_skip_errors`) keep a part of the data from them, or
   * `'all'`: nobody reads there what is left out, since it is missing or old without anybody's noticing. Other replicas of that
   * kind serve no reads.
   *
   * @defaultValue `[]`
   */
  readonly partialReplicas?: readonly string[] | 'all' | undefined;
  /**
   * The ids (`host:port`) of replicas that serve reads although they have transactions that their primary lacks (errant
   * transactions), or `'all'`: somebody has looked at them, and they change nothing that is read. Other replicas of which that
   * is proven serve no reads until they are rebuilt, or the primary has the same transactions.
   *
   * @defaultValue `[]`
   */
  readonly errantReplicas?: readonly string[] | 'all' | undefined;
  /** Share of reads by node id, relative to the others; a node with 0 serves only when no other can. Default 1 each. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  /**
   * Share of reads that may fall back to the primary when no replica is fit, 0 to 1, over about ten seconds. Above it
   * such reads fail with `ERR_NO_REPLICA`, which protects the primary when all replicas are gone. Reads that `affinity` sends
   * there are no fallback and do not count.
   *
   * @defaultValue 1
   */
  readonly primaryShareLimit?: number | undefined;
}

/** {@link ReadOptions} with the defaults filled in. */
export interface ResolvedReadOptions {
  /** See {@link ReadOptions.preference}. */
  readonly preference: ReadPreference;
  /** See {@link ReadOptions.maxLagMs}. */
  readonly maxLagMs: number;
  /** See {@link ReadOptions.maxLagWithoutPrimaryMs}. */
  readonly maxLagWithoutPrimaryMs: number;
  /** See {@link ReadOptions.balance}. */
  readonly balance: BalanceName;
  /** See {@link ReadOptions.latencyWindowMs}. */
  readonly latencyWindowMs: number | undefined;
  /** See {@link ReadOptions.zone}. */
  readonly zone: string | undefined;
  /** See {@link ReadOptions.affinity}. */
  readonly affinity: string | undefined;
  /** See {@link ReadOptions.partialReplicas}. */
  readonly partialReplicas: readonly string[] | 'all';
  /** See {@link ReadOptions.errantReplicas}. */
  readonly errantReplicas: readonly string[] | 'all';
  /** See {@link ReadOptions.weights}. */
  readonly weights: Readonly<Record<string, number>>;
  /** See {@link ReadOptions.primaryShareLimit}. */
  readonly primaryShareLimit: number;
}

/** The defaults of {@link ReadOptions}. */
export const READ_DEFAULTS: ResolvedReadOptions = Object.freeze({
  preference: 'replica-preferred',
  maxLagMs: 5_000,
  maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY,
  balance: 'least-in-flight',
  latencyWindowMs: undefined,
  zone: undefined,
  affinity: undefined,
  partialReplicas: Object.freeze([]),
  errantReplicas: Object.freeze([]),
  weights: Object.freeze({}),
  primaryShareLimit: 1,
});

/** The names that `reads.balance` takes. */
const BALANCES: readonly BalanceName[] = ['least-in-flight', 'round-robin', 'weighted', 'latency'];

/**
 * Reads the `reads` options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveReadOptions(options: ReadOptions = {}): ResolvedReadOptions {
  rejectUnknownOptions('mysql.reads', options, Object.keys(READ_DEFAULTS));
  const d = READ_DEFAULTS;
  return Object.freeze({
    preference: readChoice('mysql.reads.preference', options.preference, readPreferences, d.preference),
    maxLagMs: readMsOrInfinity('mysql.reads.maxLagMs', options.maxLagMs, d.maxLagMs),
    maxLagWithoutPrimaryMs: readMsOrInfinity(
      'mysql.reads.maxLagWithoutPrimaryMs',
      options.maxLagWithoutPrimaryMs,
      d.maxLagWithoutPrimaryMs,
    ),
    balance: readChoice('mysql.reads.balance', options.balance, BALANCES, d.balance),
    latencyWindowMs:
      options.latencyWindowMs === undefined
        ? undefined
        : readMsOrInfinity('mysql.reads.latencyWindowMs', options.latencyWindowMs, 0),
    zone: options.zone === undefined ? undefined : readString('mysql.reads.zone', options.zone, ''),
    affinity:
      options.affinity === undefined ? undefined : readString('mysql.reads.affinity', options.affinity, ''),
    partialReplicas: readExempt('partialReplicas', options),
    errantReplicas: readExempt('errantReplicas', options),
    weights: readWeights(options.weights),
    primaryShareLimit: readNumber(
      'mysql.reads.primaryShareLimit',
      options.primaryShareLimit,
      d.primaryShareLimit,
      { min: 0, max: 1 },
    ),
  });
}

function readExempt(
  name: 'partialReplicas' | 'errantReplicas',
  options: ReadOptions,
): readonly string[] | 'all' {
  const given = options[name];
  if (given === undefined) return READ_DEFAULTS[name];
  if (given === 'all') return given;
  const path = `mysql.reads.${name}`;
  if (!Array.isArray(given)) throw invalidOption(path, "a list of node ids, or 'all'", given);
  return Object.freeze(given.map((id, index) => readString(`${path}[${index}]`, id, '')));
}

function readWeights(weights: ReadOptions['weights']): Readonly<Record<string, number>> {
  if (weights === undefined) return READ_DEFAULTS.weights;
  if (typeof weights !== 'object' || weights === null || Array.isArray(weights)) {
    throw invalidOption('mysql.reads.weights', 'an object of numbers by node id', weights);
  }
  for (const [node, weight] of Object.entries(weights)) {
    readNumber(`mysql.reads.weights['${node}']`, weight, 1, { min: 0 });
  }
  return Object.freeze({ ...weights });
}
