/** What is wrong with a cluster, in words. Whatever has none is well: the exit code and the headline go by the same list. */
import { isSaid } from '../../mysql/read-fitness.js';
import {
  type DatabaseReport,
  isFailed,
  type MysqlReport,
  type SessionPlaceReport,
  type SessionsReport,
  type StatusReport,
} from './status-report.js';

/** What is wrong, one sentence each; empty when nothing is. */
export function problemsOf({
  mysql,
  sessions,
  service,
  cache = [],
}: Omit<StatusReport, 'ok' | 'config'>): readonly string[] {
  const problems: string[] = [];
  if (service?.error != null)
    problems.push(`The live page ${service.page} does not tell its breakers: ${service.error}`);
  if (mysql !== undefined)
    problems.push(
      ...(isFailed(mysql) ? [`MySQL: ${mysql.message} (${mysql.code})`] : ofMysql(mysql, service?.page)),
    );
  if (sessions !== undefined)
    problems.push(
      ...(isFailed(sessions) ? [`Sessions: ${sessions.message} (${sessions.code})`] : ofSessions(sessions)),
    );
  for (const { node, error } of cache.filter(({ up }) => !up))
    problems.push(`${node} holds no cached values: ${error}`);
  return problems;
}

function ofMysql(
  { writer, noWrites, servesReads, nodes, warnings, troubles, failover }: MysqlReport,
  page: string | undefined,
): readonly string[] {
  const problems: string[] = [];
  if (writer.kind === 'no-primary') problems.push('No primary: writes have nowhere to go');
  else if (writer.kind === 'split-brain')
    problems.push(`Split brain: ${writer.nodes.join(' and ')} both take writes; writes are refused`);
  // Without a writer it is that one, said by another.
  else if (failover.failure !== null) problems.push(`${failover.failure}: ${failover.because}`);
  if (noWrites !== null && writer.kind === 'primary')
    problems.push(`Nothing may be written to ${writer.node}: ${noWrites}`);
  if (!servesReads) problems.push('No node serves reads: every read fails');
  for (const node of nodes) {
    problems.push(...ofDatabase(node, writer.kind === 'primary' && writer.node === node.node, page));
    if (node.unfit !== null && node.refusal === null && !isSaid({ warnings }, node.node))
      problems.push(`${node.node} serves no reads: ${node.unfit}`);
  }
  for (const { code, message } of warnings) problems.push(`${message} (${code})`);
  for (const { event, node, message } of troubles)
    problems.push(`${message.includes(node) ? '' : `${node}: `}${message} (${event})`);
  return problems;
}

function ofDatabase(
  { node, up, failure, refusal, breaker }: DatabaseReport,
  isPrimary: boolean,
  page: string | undefined,
): readonly string[] {
  const problems: string[] = [];
  if (failure !== null) problems.push(`${node} is down (${failure.kind}): ${failure.message}`);
  else if (!up) problems.push(`${node} has not answered yet`);
  if (refusal !== null) problems.push(`${refusal.message} (${refusal.code})`);
  const where = `in the service at ${page ?? 'the live page'}`;
  // Others are isolated on purpose. The breaker of a node that is down says nothing more.
  if (breaker === 'isolated' && isPrimary)
    problems.push(`${node} is the primary and isolated ${where}: every write of that process fails`);
  else if (up && breaker !== null && breaker !== 'closed' && breaker !== 'isolated')
    problems.push(`${node}: its breaker is ${breaker} ${where}`);
  return problems;
}

function ofSessions(sessions: SessionsReport): readonly string[] {
  const problems = sessions.places.flatMap(ofPlace);
  if (isOneServer(sessions))
    for (const names of sessions.same)
      problems.push(
        `${names.join(' and ')} are one server: it holds one copy of a session, not ${names.length}`,
      );
  return problems;
}

function ofPlace({ node, up, standing, error }: SessionPlaceReport): readonly string[] {
  const because = error === null ? '' : `: ${error}`;
  if (!up) return [`${node} holds no sessions (${standing})${because}`];
  if (standing === 'filled' || standing === 'healthy') return [];
  if (standing === 'warming')
    return [`${node} is warming: nobody filled it since it started; a service with stormlamp that runs does`];
  if (standing === 'suspect') return [`${node} is suspect: writes missed it`];
  if (standing === 'filling')
    return [`${node} is filling: it takes sessions and answers no reads until it has those of the others`];
  if (standing.startsWith('impaired')) return [`${node} takes no sessions (${standing})${because}`];
  return [`${node} is ${standing}${because}`];
}

/** Whether nodes for several copies are one server; folders of one file system are for trying things out. */
function isOneServer({ kind, same }: SessionsReport): boolean {
  return kind === 'memcached' && same.length > 0;
}
