/** Whether the servers allow what may have to be done: every check with what was asked and what to do about it. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { type ConnectionFactory, createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from '../../mysql/connection-options.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { MaxLoss } from '../acting-options.js';
import type { FailoverHooks } from '../failover-hooks.js';
import { owesSemiSyncSql } from '../meta/owed-semi-sync.js';
import type { ReplicationTls } from '../plan/replication-tls.js';
import type { Stranger } from '../strangers.js';
import { type NodeSurvey, surveyNode } from '../survey/node-survey.js';
import type { Voter } from '../voters.js';
import { type ClockLook, clockChecks, lookAtClock } from './clock-checks.js';
import { eventChecks } from './event-checks.js';
import { fenceChecks } from './fence-checks.js';
import { historyChecks } from './history-checks.js';
import { lockChecks } from './lock-checks.js';
import { accountChecks, actingChecks, sightChecks } from './privilege-checks.js';
import { rebuildChecks } from './rebuild-checks.js';
import { settingsChecks, tlsChecks, tlsFileChecks } from './replication-checks.js';
import { restartChecks } from './restart-checks.js';
import { clusterChecks, nodeChecks } from './server-checks.js';
import { sourceChecks } from './source-checks.js';
import { spareCheck, voteChecks } from './voter-checks.js';

/** One check. */
export interface PreflightCheck {
  /** What was looked at. */
  readonly name: string;
  /** The node; null for what is about all of them. */
  readonly node: NodeId | null;
  /**
   * `fail`: mode `auto` does not start. `warn`: it is worse than it could be. `skip`: nobody knows, because servers could not be
   * looked at; `detail` names them.
   */
  readonly result: 'pass' | 'warn' | 'fail' | 'skip';
  /** What was found, and what to do. */
  readonly detail: string;
  /** The statement that was asked. */
  readonly sql: string;
}

/** All checks. */
export interface PreflightReport {
  /** Whether nothing failed. */
  readonly ok: boolean;
  /** The checks. */
  readonly checks: readonly PreflightCheck[];
}

/** What is checked. */
export interface PreflightParts {
  readonly voters: readonly Voter[];
  readonly nodes: readonly MysqlNodeConfig[];
  readonly cluster: string;
  readonly maxLoss: MaxLoss;
  /** How a former primary shall receive; undefined: as the replicas do. */
  readonly replicationTls: ReplicationTls | undefined;
  /** 0: no event. */
  readonly selfFenceMs: number;
  readonly sourceOf: (channel: ReplicationChannel) => NodeId | undefined;
  /** The hook that makes a node's data anew. */
  readonly rebuild?: FailoverHooks['rebuild'];
  /** Replicas that were only found. */
  readonly strangers?: readonly Stranger[] | undefined;
}

const TIMEOUT_MS = 3_000;
/** For all that is asked of one server, one question after the other: far away each of some thirty takes a while. */
const ALL_MS = 10_000;

/** Runs all checks. Never rejects. */
export async function preflight(parts: PreflightParts): Promise<PreflightReport> {
  const surveys: NodeSurvey[] = [];
  const clocks: ClockLook[] = [];
  const owing = new Set<NodeId>();
  const answered = new Set<NodeId>();
  const perVoter = await Promise.all(
    parts.voters.map(async (voter): Promise<readonly PreflightCheck[]> => {
      // What was found before the server fell silent is told all the same.
      const found: PreflightCheck[] = [];
      try {
        const connection = await voter.act.connect(Deadline.of({ timeoutMs: TIMEOUT_MS }));
        const deadline = Deadline.of({ timeoutMs: ALL_MS });
        answered.add(voter.id);
        try {
          const toAct = parts.selfFenceMs > 0 ? 'act-and-fence' : 'act';
          const use = voter.kind === 'witness' ? 'vote' : toAct;
          // First: an account that lacks them cannot look at the rest.
          const privileges = await actingChecks(voter.id, connection, deadline, use);
          found.push(...privileges);
          if (voter.kind === 'witness' || privileges.some(({ result }) => result === 'fail')) return found;
          const survey = await surveyNode(voter.id, connection.version, (sql) =>
            connection.ask(sql, deadline),
          );
          surveys.push(survey);
          found.push(...nodeChecks(survey, parts.sourceOf));
          const owed = await connection.ask(owesSemiSyncSql(parts.cluster), deadline).catch(() => []);
          if (owed.length > 0) owing.add(voter.id);
          if (parts.selfFenceMs > 0)
            found.push(...(await fenceChecks(survey, parts.cluster, connection, deadline)));
          found.push(...(await sourceChecks(survey, connection, deadline)));
          found.push(...(await settingsChecks(survey, connection, deadline)));
          found.push(...(await restartChecks(survey, connection, deadline)));
          clocks.push(await lookAtClock(voter.id, connection, deadline));
          const events = await withApplication(parts.nodes, voter.id, (application) =>
            eventChecks(survey, connection, application, deadline),
          );
          return [...found, ...events];
        } finally {
          connection.destroy();
        }
      } catch (error) {
        const isSilent = voter.kind === 'witness' && !answered.has(voter.id);
        const what = isSilent ? 'only votes, and did not answer' : 'cannot be checked';
        const detail = `${voter.id} ${what}: ${describeError(error)}`;
        return [...found, { name: 'reachable', node: voter.id, result: 'warn', detail, sql: '' }];
      }
    }),
  );
  const locks = await lockChecks(parts.voters, parts.cluster, TIMEOUT_MS);
  const [accounts, sights, rebuilds] = await Promise.all([
    Promise.all(parts.nodes.map((config) => applicationCheck(config))),
    Promise.all(parts.voters.map((voter) => monitorCheck(voter))),
    rebuildChecks(parts.rebuild, parts.voters, TIMEOUT_MS),
  ]);
  const unseen = (seen: readonly { readonly node: NodeId }[]): readonly NodeId[] =>
    parts.voters
      .filter(({ kind, id }) => kind === 'data' && !seen.some(({ node }) => node === id))
      .map(({ id }) => id);
  const checks = [
    ...locks,
    spareCheck(parts.voters, answered),
    ...voteChecks(parts.voters, answered, surveys),
    ...perVoter.flat(),
    ...accounts.flat(),
    ...sights.flat(),
    ...rebuilds,
    ...historyChecks(surveys),
    ...clusterChecks(surveys, parts.maxLoss, owing, unseen(surveys)),
    ...tlsChecks(surveys, parts.replicationTls),
    ...tlsFileChecks(surveys, parts.replicationTls),
    ...clockChecks(clocks, unseen(clocks)),
    ...strangerChecks(parts.strangers ?? []),
  ];
  return { ok: checks.every(({ result }) => result !== 'fail'), checks };
}

/** The error of a report in which something failed. */
export function refusalOf({ checks }: PreflightReport): StormlampError | undefined {
  const failed = checks.filter(({ result }) => result === 'fail');
  if (failed.length === 0) return undefined;
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `Mode 'auto' does not start: ${failed.map(({ detail }) => detail).join('; ')}`,
  );
}

/** What was only found is not looked at by any plan. */
function strangerChecks(strangers: readonly Stranger[]): readonly PreflightCheck[] {
  return strangers.map(({ node, source }) => ({
    name: 'every-replica-votes',
    node,
    result: 'warn',
    detail:
      `${node} replicates from ${source} and is none of the configured nodes: no failover makes it the primary, looks at what it has, or has ` +
      'it follow a new one. Name it in `mysql.replicas`, in all processes',
    sql: '',
  }));
}

/** Whoever may write on a read-only server cannot be kept from it by a change of the primary. */
async function applicationCheck(config: MysqlNodeConfig): Promise<readonly PreflightCheck[]> {
  return await checkAs(createConnectionFactory(forAdministration(config)), (connection, deadline) =>
    accountChecks(config.seed.id, connection, deadline),
  );
}

/** Lends a connection with the application's account, which may see what the account that acts may not; none where it cannot log in. */
async function withApplication<T>(
  nodes: readonly MysqlNodeConfig[],
  node: NodeId,
  use: (connection: PhysicalConnection | undefined) => Promise<T>,
): Promise<T> {
  const config = nodes.find(({ seed }) => seed.id === node);
  const opened =
    config === undefined
      ? undefined
      : await createConnectionFactory(forAdministration(config))
          .connect(Deadline.of({ timeoutMs: TIMEOUT_MS }))
          .catch(() => undefined);
  try {
    return await use(opened);
  } finally {
    opened?.destroy();
  }
}

/** A witness takes no writes that could wait. */
async function monitorCheck({ id, kind, watch }: Voter): Promise<readonly PreflightCheck[]> {
  if (kind === 'witness') return [];
  return await checkAs(watch, (connection, deadline) => sightChecks(id, connection, deadline));
}

async function checkAs(
  factory: ConnectionFactory,
  check: (connection: PhysicalConnection, deadline: Deadline) => Promise<readonly PreflightCheck[]>,
): Promise<readonly PreflightCheck[]> {
  const deadline = Deadline.of({ timeoutMs: TIMEOUT_MS });
  try {
    const connection = await factory.connect(deadline);
    try {
      return await check(connection, deadline);
    } finally {
      connection.destroy();
    }
  } catch {
    // A node that is down is told about already.
    return [];
  }
}
