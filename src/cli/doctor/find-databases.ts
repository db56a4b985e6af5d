/** Which database servers the doctor looks at: those that a client of this configuration would use, whoever names them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Stranger, strangersOf } from '../../failover/strangers.js';
import type { MysqlNodeConfig } from '../../mysql/connection-options.js';
import { withAllNames } from '../../mysql/expand-nodes.js';
import { type MysqlOptions, resolveMysqlOptions } from '../../mysql/mysql-options.js';
import { observeMysqlCluster } from '../../mysql/observe-mysql-cluster.js';
import type { WriterState } from '../../topology/topology-description.js';
import { type Check, Checks } from './check.js';
import { troubleOf } from './trouble-of.js';

/** The servers, and what is wrong with how they are known. */
export interface FoundDatabases {
  /** Those that are listed, or that a listed name stands for, in the order of the options. */
  readonly listed: readonly MysqlNodeConfig[];
  /** Those that another server has named. */
  readonly found: readonly MysqlNodeConfig[];
  /** Those among `found` that replicate from a listed one, and have no vote. */
  readonly strangers: readonly Stranger[];
  /** Who takes writes; undefined where nobody could be looked at. */
  readonly writer: WriterState | undefined;
  /** What was found, and what could not be asked for. */
  readonly checks: readonly Check[];
}

/** Finds them as a client does. Never rejects for what a server, or the DNS, answers or not. */
export async function findDatabases(options: MysqlOptions): Promise<FoundDatabases> {
  const checks = new Checks('mysql');
  const bad = (state: 'failed' | 'warning', subject: string | null, what: string, error: unknown): void => {
    checks.bad(state, subject, what, {
      expected: 'to find every server that a client would use',
      ...troubleOf(error, 'list every server in `mysql`'),
    });
  };
  const resolved = resolveMysqlOptions(options);
  let listed: readonly MysqlNodeConfig[];
  try {
    listed = (await withAllNames(resolved)).nodes;
  } catch (error) {
    for (const { seed } of resolved.nodes) bad('failed', seed.id, 'servers of the service', error);
    return { listed: [], found: [], strangers: [], writer: undefined, checks: checks.list };
  }
  try {
    const { nodes, strangers, writer, failures } = await lookOnce(options);
    for (const [node, error] of failures) {
      if (stands(resolved.nodes, node) && !stands(nodes.listed, node))
        bad('failed', node, 'servers of the service', error);
      else bad('warning', node, 'servers that are not listed', error);
    }
    for (const { seed } of nodes.listed)
      if (!stands(resolved.nodes, seed.id))
        checks.ok(seed.id, 'how it is known', 'a name in the configuration stands for it');
    for (const { seed } of nodes.found)
      checks.ok(seed.id, 'how it is known', 'found: another server names it, the configuration does not');
    return { ...nodes, strangers, writer, checks: checks.list };
  } catch (error) {
    bad('warning', null, 'servers that are not listed', error);
    return { listed, found: [], strangers: [], writer: undefined, checks: checks.list };
  }
}

function stands(among: readonly MysqlNodeConfig[], node: string): boolean {
  return among.some(({ seed }) => seed.id === node);
}

interface Look {
  readonly nodes: Pick<FoundDatabases, 'listed' | 'found'>;
  readonly strangers: readonly Stranger[];
  readonly writer: WriterState;
  readonly failures: ReadonlyMap<string, Error>;
}

/** Without a heartbeat, which would be written, and by looks of its own, not by what others saw. */
async function lookOnce(options: MysqlOptions): Promise<Look> {
  const monitor = { ...options.monitor, lagSource: 'unchecked', share: false } as const;
  const { mysql, nodes } = await observeMysqlCluster({ ...options, monitor });
  try {
    const failures = new Map<string, Error>();
    mysql.on('discovery-failed', ({ node, error }) => failures.set(node, error));
    // What went wrong at the start is told to the first listener, in a turn of its own.
    await nextTurn();
    const all = nodes();
    const of = (found: boolean): readonly MysqlNodeConfig[] =>
      all.filter((node) => node.found === found).map(({ config }) => config);
    const parts = { listed: of(false), found: of(true) };
    const voters = new Set(parts.listed.map(({ seed }) => seed.id));
    const topology = mysql.topology();
    return { nodes: parts, strangers: strangersOf(topology, voters), writer: topology.writer, failures };
  } finally {
    await mysql.close();
  }
}
