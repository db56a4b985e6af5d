/** Whether the accounts of the failover manager may do what it may have to do, and the servers allow it. */
import { Deadline } from '../../common/deadline.js';
import { describeError, isStormlampError } from '../../common/stormlamp-error.js';
import { type ResolvedActingOptions, resolveActingOptions } from '../../failover/acting-options.js';
import type { FailoverOptions } from '../../failover/failover-options.js';
import { preflight } from '../../failover/preflight/preflight.js';
import { SIGHT_CHECK } from '../../failover/preflight/privilege-checks.js';
import { sourceFinder, votersOf } from '../../failover/voters.js';
import { createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from '../../mysql/connection-options.js';
import { type MysqlOptions, resolveMysqlOptions } from '../../mysql/mysql-options.js';
import { type Check, Checks } from './check.js';
import { type FoundDatabases, findDatabases } from './find-databases.js';

const LIMIT_MS = 5_000;
const STATES = { pass: 'ok', warn: 'warning', fail: 'failed', skip: 'skipped' } as const;

/** Checks what `stormlamp failover preflight` does, and whether replicas can log in; nothing without the accounts. */
export async function checkFailover(
  mysql: MysqlOptions,
  failover: FailoverOptions,
  signal: AbortSignal,
  finding: Promise<FoundDatabases> = findDatabases(mysql),
): Promise<readonly Check[]> {
  if (failover.credentials === undefined || failover.replication === undefined) return [];
  const checks = new Checks('failover');
  const { monitor } = resolveMysqlOptions(mysql);
  const { listed: nodes, strangers } = await finding;
  // What is wrong with their names is told with the databases.
  if (nodes.length === 0) return [];
  const options = resolveActingOptions('failover', failover);
  const voters = votersOf({
    nodes,
    witnesses: options.witnesses,
    watchAs: monitor.credentials,
    actAs: options.credentials,
    addresses: options.addresses,
  });
  const { cluster, maxLoss, selfFenceMs, replication } = options;
  const [replicationTls, sourceOf] = [replication.tls, sourceFinder(voters)];
  const rebuild = failover.hooks?.rebuild;
  const parts = {
    voters,
    nodes,
    cluster,
    maxLoss,
    replicationTls,
    selfFenceMs,
    sourceOf,
    rebuild,
    strangers,
  };
  const [report] = await Promise.all([
    preflight(parts),
    ...nodes.map((config) => checkReplication(checks, config, options, signal)),
  ]);
  for (const { name, node, result, detail } of report.checks) {
    // The databases are asked for it in every mode.
    if (name === SIGHT_CHECK) continue;
    // A server that answers and does not let the account in is no server that is down.
    const state = name === 'reachable' ? 'failed' : STATES[result];
    // What is about nothing but the check itself begins with its name.
    const [found = '', ...fix] = detail.replace(`${name}: `, '').split('; ');
    if (state === 'ok') checks.ok(node, name, found);
    else if (state === 'skipped') checks.skip(node, name, found);
    else
      checks.bad(state, node, name, {
        found,
        expected: 'to be able to change the primary',
        fix: fix.join('; ') || 'look at `stormlamp failover preflight`',
      });
  }
  return checks.list;
}

/** Replicas log in from their own machines, so that a refusal here proves nothing, but deserves a look. */
async function checkReplication(
  checks: Checks,
  config: MysqlNodeConfig,
  { replication }: ResolvedActingOptions,
  signal: AbortSignal,
): Promise<void> {
  const { id } = config.seed;
  const what = 'login of replicas';
  const { user, password } = replication;
  try {
    const factory = createConnectionFactory(
      forAdministration(config, { user, password }, 'failover.replication'),
    );
    const deadline = Deadline.of({ timeoutMs: LIMIT_MS, signal });
    const connection = await factory.connect(deadline);
    try {
      const grants = await connection.ask('SHOW GRANTS FOR CURRENT_USER()', deadline);
      const isAllowed = grants.some((row) =>
        /REPLICATION (SLAVE|REPLICA)\b|ALL PRIVILEGES/i.test(String(Object.values(row)[0])),
      );
      checks.expect(isAllowed, 'failed', id, what, {
        found: isAllowed ? `as ${user}` : `${user} may not replicate`,
        expected: 'the privilege REPLICATION SLAVE',
        fix: `GRANT REPLICATION SLAVE ON *.* TO the account of \`failover.replication\` on the primary`,
      });
    } finally {
      connection.destroy();
    }
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    const [found = ''] = describeError(error).split('; ');
    checks.bad('warning', id, what, {
      found: `not from this machine: ${found}`,
      expected: 'that replicas can log in from theirs',
      fix: 'correct `failover.replication`; if the account is for the machines of the replicas only, try it there',
    });
  }
}
