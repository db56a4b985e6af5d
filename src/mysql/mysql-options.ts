/** What `createMysqlCluster` takes, checked and with every default filled in. */
import {
  invalidOption,
  readChoice,
  readNumber,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { ConfiguredRole } from '../topology/node-description.js';
import type { AddressMap } from './address-map.js';
import type { FunctionOptions, VariableOptions } from './classifier/classification.js';
import { type MysqlNodeConfig, type MysqlNodeOptions, parseMysqlNode } from './connection-options.js';
import { type DiscoveryOptions, type ResolvedDiscovery, resolveDiscovery } from './discovery-options.js';
import {
  type MonitorOptions,
  type ResolvedMonitorOptions,
  resolveMonitorOptions,
} from './monitor-options.js';
import { type PoolOptions, type ResolvedPoolOptions, resolvePoolOptions } from './pool-options.js';
import { type ReadOptions, type ResolvedReadOptions, resolveReadOptions } from './read-options.js';
import { CONSISTENCIES, type Consistency, type ScopeDefaults } from './scope.js';

/** A node as a URL, or as an object. */
export type MysqlNodeInput = string | MysqlNodeOptions;

/** What scopes are like unless they say otherwise. */
export interface ScopeOptions {
  /**
   * `'session'`: a scope that wrote sees its own writes. `'eventual'`: it need not.
   *
   * @defaultValue `'session'`
   */
  readonly consistency?: Consistency | undefined;
  /**
   * How long a read in a scope that wrote waits on a replica for that write, in milliseconds, before it goes to the primary.
   * 0 means not to wait.
   *
   * @defaultValue 1000
   */
  readonly waitMs?: number | undefined;
}

/** Options of `createMysqlCluster`. */
export interface MysqlOptions {
  /** The node that is the primary as far as you know. What the servers say about themselves counts more. */
  readonly primary?: MysqlNodeInput | undefined;
  /** The nodes that are replicas as far as you know. */
  readonly replicas?: readonly MysqlNodeInput[] | undefined;
  /** Nodes about whose role nothing is said. */
  readonly nodes?: readonly MysqlNodeInput[] | undefined;
  /**
   * Whether nodes that are not listed are found: the source and the replicas of every node, the members of its group, and the
   * servers of a name with several addresses or of a service (`mysql+srv:`). One listed node is enough then.
   *
   * @defaultValue true
   */
  readonly discover?: boolean | DiscoveryOptions | undefined;
  /**
   * Where this process reaches servers that call each other by other addresses, both as `host:port`: an object, or a function
   * that gives undefined for an address that is right as it is.
   */
  readonly addressMap?: AddressMap | undefined;
  /** Connections per node. */
  readonly pool?: PoolOptions | undefined;
  /** Where reads go. */
  readonly reads?: ReadOptions | undefined;
  /** What scopes (`run`) are like. */
  readonly scope?: ScopeOptions | undefined;
  /** How nodes are watched. */
  readonly monitor?: MonitorOptions | undefined;
  /**
   * Limit of every call in milliseconds, over queue, connect, wait and query; a call's own `timeoutMs` replaces it.
   * 0 means no limit.
   *
   * @defaultValue 0
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long a write waits for a primary when there is none, in milliseconds; a sooner deadline of the call wins.
   *
   * @defaultValue 10000
   */
  readonly blockMs?: number | undefined;
  /**
   * Limit of the start, in milliseconds.
   *
   * @defaultValue 15000
   */
  readonly startTimeoutMs?: number | undefined;
  /** What is known about stored functions. */
  readonly functions?: FunctionOptions | undefined;
  /** What is known about session variables. */
  readonly variables?: VariableOptions | undefined;
}

/** {@link MysqlOptions} with every default filled in. */
export interface ResolvedMysqlOptions {
  /** The nodes, primary first. */
  readonly nodes: readonly MysqlNodeConfig[];
  /** The nodes as they were configured, when names among them stand for several; otherwise left out. */
  readonly origins?: readonly MysqlNodeConfig[] | undefined;
  /** Whether the client leaves nothing on any server: it writes no heartbeat, and tells nobody what it sees. Default: it does. */
  readonly looksOnly?: boolean | undefined;
  /** See {@link MysqlOptions.discover}; undefined when nothing is discovered. */
  readonly discovery: ResolvedDiscovery | undefined;
  /** See {@link MysqlOptions.pool}. */
  readonly pool: ResolvedPoolOptions;
  /** See {@link MysqlOptions.reads}. */
  readonly reads: ResolvedReadOptions;
  /** See {@link MysqlOptions.scope}. */
  readonly scope: ScopeDefaults;
  /** See {@link MysqlOptions.monitor}. */
  readonly monitor: ResolvedMonitorOptions;
  /** See {@link MysqlOptions.timeoutMs}. */
  readonly timeoutMs: number;
  /** See {@link MysqlOptions.blockMs}. */
  readonly blockMs: number;
  /** See {@link MysqlOptions.startTimeoutMs}. */
  readonly startTimeoutMs: number;
  /** See {@link MysqlOptions.functions}. */
  readonly functions: FunctionOptions;
  /** See {@link MysqlOptions.variables}. */
  readonly variables: VariableOptions;
}

/** The defaults of the scalar options of {@link MysqlOptions}. */
export const MYSQL_DEFAULTS: {
  readonly timeoutMs: number;
  readonly blockMs: number;
  readonly startTimeoutMs: number;
  readonly scope: ScopeDefaults;
} = Object.freeze({
  timeoutMs: 0,
  blockMs: 10_000,
  startTimeoutMs: 15_000,
  scope: Object.freeze({ consistency: 'session', waitMs: 1_000 }),
});

const NAMES: readonly (keyof MysqlOptions)[] = [
  'primary',
  'replicas',
  'nodes',
  'discover',
  'addressMap',
  'pool',
  'reads',
  'scope',
  'monitor',
  'timeoutMs',
  'blockMs',
  'startTimeoutMs',
  'functions',
  'variables',
];

/**
 * Reads the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveMysqlOptions(options: MysqlOptions): ResolvedMysqlOptions {
  rejectUnknownOptions('mysql', options, NAMES);
  const d = MYSQL_DEFAULTS;
  const reads = resolveReadOptions(options.reads);
  const { scope = {}, functions = {}, variables = {} } = options;
  rejectUnknownOptions('mysql.scope', scope, Object.keys(d.scope));
  rejectUnknownOptions('mysql.functions', functions, ['readOnly']);
  rejectUnknownOptions('mysql.variables', variables, ['replayed']);
  const milliseconds = (name: 'timeoutMs' | 'blockMs' | 'startTimeoutMs', min: number): number =>
    readNumber(`mysql.${name}`, options[name], d[name], { min });
  return Object.freeze({
    nodes: readNodes(options, reads),
    discovery: resolveDiscovery(options.discover, options.addressMap),
    pool: resolvePoolOptions('mysql.pool', options.pool),
    reads,
    scope: Object.freeze({
      consistency: readChoice(
        'mysql.scope.consistency',
        scope.consistency,
        CONSISTENCIES,
        d.scope.consistency,
      ),
      waitMs: readNumber('mysql.scope.waitMs', scope.waitMs, d.scope.waitMs, { min: 0 }),
    }),
    monitor: resolveMonitorOptions(options.monitor),
    timeoutMs: milliseconds('timeoutMs', 0),
    blockMs: milliseconds('blockMs', 0),
    startTimeoutMs: milliseconds('startTimeoutMs', 1),
    functions: { readOnly: readStrings('mysql.functions.readOnly', functions.readOnly, []) },
    variables: { replayed: readStrings('mysql.variables.replayed', variables.replayed, []) },
  });
}

function readNodes(options: MysqlOptions, reads: ResolvedReadOptions): readonly MysqlNodeConfig[] {
  const { primary } = options;
  const nodes: MysqlNodeConfig[] = [];
  if (primary !== undefined) nodes.push(parseMysqlNode('mysql.primary', primary, 'primary'));
  nodes.push(...readList('mysql.replicas', options.replicas, 'replica'));
  nodes.push(...readList('mysql.nodes', options.nodes, 'any'));
  if (nodes.length === 0) {
    throw invalidOption('mysql.primary', "a URL like 'mysql://user:password@host:3306/database'", primary);
  }
  const byId = new Map<string, MysqlNodeConfig>();
  for (const node of nodes) {
    const { id } = node.seed;
    if (byId.has(id)) throw invalidOption('mysql', 'a list of different nodes', `${id} twice`);
    byId.set(id, node);
  }
  for (const id of namesIn(reads)) {
    // A node that is found later may be the one.
    if (!byId.has(id) && options.discover === false) {
      throw invalidOption('mysql.reads', `about the nodes ${[...byId.keys()].join(', ')}`, id);
    }
  }
  return nodes.map((node) => weighted(node, reads.weights[node.seed.id]));
}

/** The nodes that `reads` gives a part to. */
export function namesIn(reads: ResolvedReadOptions): readonly string[] {
  const { weights, affinity, partialReplicas, errantReplicas } = reads;
  const exempt = [partialReplicas, errantReplicas].flatMap((named) => (named === 'all' ? [] : named));
  return [...Object.keys(weights), ...(affinity === undefined ? [] : [affinity]), ...exempt];
}

function readList(
  path: string,
  inputs: readonly MysqlNodeInput[] | undefined,
  role: ConfiguredRole,
): readonly MysqlNodeConfig[] {
  if (inputs === undefined) return [];
  if (!Array.isArray(inputs)) throw invalidOption(path, 'an array of nodes', inputs);
  return inputs.map((input: MysqlNodeInput, index) => parseMysqlNode(`${path}[${index}]`, input, role));
}

/** The node with the weight that `reads.weights` gives it. */
export function weighted(node: MysqlNodeConfig, weight: number | undefined): MysqlNodeConfig {
  return weight === undefined ? node : { ...node, seed: Object.freeze({ ...node.seed, weight }) };
}
