/** Asks every database server that a client would use, each by itself, so that one that is down hides nothing about the others. */
import { Deadline } from '../../common/deadline.js';
import { isStormlampError } from '../../common/stormlamp-error.js';
import type { PreflightCheck } from '../../failover/preflight/preflight.js';
import { accountChecks } from '../../failover/preflight/privilege-checks.js';
import { createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from '../../mysql/connection-options.js';
import { lockSight } from '../../mysql/lock-sight.js';
import {
  type MysqlOptions,
  type ResolvedMysqlOptions,
  resolveMysqlOptions,
} from '../../mysql/mysql-options.js';
import { createReplicationProbe } from '../../mysql/replication-probe.js';
import { type Check, Checks } from './check.js';
import { type FoundDatabases, findDatabases } from './find-databases.js';
import { type DatabaseFacts, judgeDatabases } from './judge-databases.js';
import { SESSION_SETTINGS } from './judge-settings.js';
import { troubleOf } from './trouble-of.js';

const LIMIT_MS = 5_000;
const VARIABLES = [
  'log_bin',
  'gtid_mode',
  'max_connections',
  'log_slave_updates',
  'log_replica_updates',
  'slave_parallel_workers',
  'replica_parallel_workers',
  'slave_preserve_commit_order',
  'replica_preserve_commit_order',
] as const;

/** Checks the databases that `finding` leads to. */
export async function checkDatabases(
  given: MysqlOptions,
  signal: AbortSignal,
  finding: Promise<FoundDatabases> = findDatabases(given),
): Promise<readonly Check[]> {
  const { listed, found, writer, checks } = await finding;
  const nodes = [...listed, ...found];
  const options = { ...resolveMysqlOptions(given), nodes };
  const read = await Promise.all(nodes.map((config) => readOne(config, options, signal)));
  const servers = read.flatMap(({ facts }) => facts ?? []);
  const primaries = nodes.filter(({ seed }) => seed.configuredRole === 'primary').map(({ seed }) => seed.id);
  const { pool, reads } = options;
  const needs = {
    poolMax: pool.max,
    monitorsToo: options.monitor.credentials === undefined,
    primaries,
    writer,
    partialReplicas: reads.partialReplicas,
    errantReplicas: reads.errantReplicas,
  };
  const answers = read.flatMap((one) => one.checks);
  return [...checks, ...answers, ...judgeDatabases(servers, needs)];
}

async function readOne(
  config: MysqlNodeConfig,
  { nodes, monitor: { credentials } }: ResolvedMysqlOptions,
  signal: AbortSignal,
): Promise<{ readonly checks: readonly Check[]; readonly facts: DatabaseFacts | undefined }> {
  const node = config.seed.id;
  const rights: PreflightCheck[] = [];
  let accountLimit = 0;
  let settings: ReadonlyMap<string, string> = new Map();
  // At the same time: a server that says nothing is waited for once.
  const login = attempt(node, 'login of the application', async () => {
    const deadline = Deadline.of({ timeoutMs: LIMIT_MS, signal });
    const connection = await createConnectionFactory(config).connect(deadline);
    try {
      // Of a session it is what holds for its account, whichever of account and server sets it.
      const [row] = await connection.ask('SELECT @@SESSION.max_user_connections AS most', deadline);
      accountLimit = Number(row?.['most']);
      const names = SESSION_SETTINGS.map((name) => `'${name}'`).join(', ');
      settings = byName(
        await connection.ask(`SHOW SESSION VARIABLES WHERE Variable_name IN (${names})`, deadline),
      );
      if (nodes.length > 1) rights.push(...(await accountChecks(node, connection, deadline)));
    } finally {
      connection.destroy();
    }
    return `as ${config.connection.user ?? 'the account of `credentials`'}`;
  });
  const probe = createReplicationProbe({ config, credentials });
  let read: Omit<DatabaseFacts, 'accountLimit' | 'settings'> | undefined;
  const look = attempt(node, 'what the monitor may see', async () => {
    const facts = await probe.probe({ timeoutMs: LIMIT_MS, signal });
    const rest = await readVariables(forAdministration(config, credentials), signal);
    read = { node, facts, ...rest };
    return 'variables and replication';
  });
  try {
    const checks = (await Promise.all([login, look])).flat();
    const facts = read === undefined ? undefined : { ...(read as DatabaseFacts), accountLimit, settings };
    return { checks: [...checks, ...judgeRights(rights)], facts };
  } finally {
    probe.close();
  }
}

async function readVariables(
  config: MysqlNodeConfig,
  signal: AbortSignal,
): Promise<Pick<DatabaseFacts, 'variables' | 'clockAheadMs' | 'lockSightGrant'>> {
  const deadline = Deadline.of({ timeoutMs: LIMIT_MS, signal });
  const connection = await createConnectionFactory(config).connect(deadline);
  try {
    const names = VARIABLES.map((name) => `'${name}'`).join(', ');
    const rows = await connection.ask(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`, deadline);
    const before = Date.now();
    const [clock] = await connection.ask('SELECT UNIX_TIMESTAMP(NOW(6)) AS at', deadline);
    const here = (before + Date.now()) / 2;
    const { grant } = await lockSight(connection, deadline);
    return {
      variables: byName(rows),
      clockAheadMs: Number(clock?.['at']) * 1_000 - here,
      lockSightGrant: grant,
    };
  } finally {
    connection.destroy();
  }
}

function byName(rows: readonly Readonly<Record<string, unknown>>[]): ReadonlyMap<string, string> {
  return new Map(rows.map((row) => [String(row['Variable_name']).toLowerCase(), String(row['Value'])]));
}

/** Whether the application's account can make a replica differ from its primary by a mistake. */
function judgeRights(rights: readonly PreflightCheck[]): readonly Check[] {
  const checks = new Checks('mysql');
  for (const { node, result, detail } of rights)
    checks.expect(result === 'pass', 'warning', node, 'privileges of the application', {
      found: detail,
      expected: 'an account whose writes `read_only` stops',
      fix: 'take these privileges from it; give what administers the servers an account of its own',
    });
  return checks.list;
}

async function attempt(node: string, what: string, work: () => Promise<string>): Promise<readonly Check[]> {
  const checks = new Checks('mysql');
  try {
    checks.ok(node, what, await work());
  } catch (error) {
    const { found, fix } = troubleOf(error);
    checks.bad('failed', node, what, {
      found: isStormlampError(error) ? `${error.code}: ${found}` : found,
      expected: 'an answer',
      fix,
    });
  }
  return checks.list;
}
