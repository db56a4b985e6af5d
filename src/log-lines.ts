/**
 * What the events of a cluster are in a log: the level, the sentence, and the fields. No line holds a password, a session's id or
 * contents, a key of the cache, or a value of a statement.
 */
import type { CacheEvents } from './cache/cache-calls.js';
import { describeWithoutValues } from './common/error-without-values.js';
import { describeError, isStormlampError } from './common/stormlamp-error.js';
import type { LogFields, LogLevel } from './diagnostics/logger.js';
import { sqlDigest } from './diagnostics/sql-digest.js';
import type { FailoverEvents } from './failover/failover-events.js';
import type { MysqlClusterEvents } from './mysql/mysql-events.js';
import type { FileSessionStoreEvents } from './session/file-session-events.js';

/** One line; undefined for what is not worth one. */
export type LogLine = readonly [level: LogLevel, message: string, fields: LogFields] | undefined;

/** The lines of one part's events. A rule that is not there means no line. */
export type LogRules<Events> = { readonly [E in keyof Events]?: (payload: Events[E]) => LogLine };

/** The failover manager has an event of its own for it. */
const TOLD_BY_FAILOVER = 'errant-transactions';

/** The lines of the MySQL client. */
export const mysqlLines: LogRules<MysqlClusterEvents> = {
  'primary-changed': ({ before, after, epoch }) => [
    after === null ? 'warn' : 'info',
    after === null ? 'no node takes writes' : `writes go to ${after}`,
    { before, after, epoch },
  ],
  'node-changed': ({ before, after }) => {
    if (after.state === 'down' && before.state !== 'down')
      return [
        'warn',
        `node ${after.id} is down: start its server, or correct its address`,
        { node: after.id, failure: after.failure, ...causeOf(after.error) },
      ];
    if (after.state === 'up' && before.state !== 'up')
      return ['info', `node ${after.id} is up`, { node: after.id, role: after.role }];
    return undefined;
  },
  'replica-fitness-changed': ({ node, after }) =>
    after.fit
      ? ['info', `replica ${node} is fit for reads again`, { node, lagMs: rounded(after.lagMs) }]
      : [
          'warn',
          `replica ${node} is unfit for reads: ${after.reason}`,
          { node, lagMs: rounded(after.lagMs) },
        ],
  'warning-began': ({ code, node, message }) =>
    code === TOLD_BY_FAILOVER ? undefined : ['warn', message, { code, node }],
  'warning-ended': ({ code, node }) => ['info', `no longer ${code}: ${node}`, { code, node }],
  'breaker-changed': ({ node, operation, before, after }) => [
    after.phase === 'open' ? 'warn' : after.phase === 'half-open' ? 'debug' : 'info',
    `breaker of ${node} for ${operation}: ${after.phase}`,
    { node, operation, before: before.phase, after: after.phase },
  ],
  'connect-failed': ({ node, error }) => ['warn', `cannot connect to ${node}`, { node, ...causeOf(error) }],
  'discovery-failed': ({ node, error }) => ['warn', `cannot use ${node}`, { node, ...causeOf(error) }],
  'lag-failed': ({ node, error }) => [
    'warn',
    `cannot measure the lag of ${node}`,
    { node, ...causeOf(error) },
  ],
  'kill-failed': ({ node, threadId, sql, error }) => [
    'warn',
    `a statement that was given up goes on on ${node}`,
    { node, threadId, sql: sqlDigest(sql), ...causeOf(error) },
  ],
  'heartbeat-failed': ({ node, error }) => [
    'warn',
    `cannot write the heartbeat on ${node}`,
    { node, ...causeOf(error) },
  ],
};

/** The line of a statement's route, for loggers that write the level `debug`. */
export function routeLine({
  sql,
  kind,
  node,
  role,
  because,
}: MysqlClusterEvents['route']): NonNullable<LogLine> {
  return ['debug', `${kind} to ${role} ${node}`, { sql: sqlDigest(sql), kind, node, role, because }];
}

/** The lines of session stores. */
export const sessionLines: LogRules<FileSessionStoreEvents> = {
  'copy-missed': ({ operation, node, error }) => [
    'warn',
    `a copy on ${node} was missed by a ${operation}`,
    { operation, node, ...codeOf(error) },
  ],
  'conflict-decided': ({ kept }) => ['debug', `two requests changed one session variable`, { kept }],
  'lock-lost': ({ node }) => ['warn', 'a session lock was lost before the session was saved', { node }],
  'lock-broken': ({ node, heldMs }) => [
    'warn',
    'a session lock that a killed process had left was removed',
    { node, heldMs },
  ],
  'breaker-changed': ({ node, operation, before, after }) => [
    after.phase === 'open' ? 'warn' : after.phase === 'half-open' ? 'debug' : 'info',
    `breaker of session node ${node} for ${operation}: ${after.phase}`,
    { node, operation, before: before.phase, after: after.phase },
  ],
  'save-failed': ({ error }) => ['error', 'a session could not be saved', codeOf(error)],
  'save-dropped': ({ error }) => ['info', 'a session was ended while a request changed it', codeOf(error)],
  'node-standing': ({ node, before, after }) => [
    after === 'filled' ? 'info' : 'warn',
    `session node ${node} is ${after}`,
    { node, before, after },
  ],
  'resync-started': ({ node, kind }) => [
    'info',
    `session node ${node} is brought up to date`,
    { node, kind },
  ],
  resynced: ({ node, kind, copied, elapsedMs }) => [
    'info',
    `session node ${node} is up to date`,
    { node, kind, copied, elapsedMs: Math.round(elapsedMs) },
  ],
  'resync-failed': ({ node, error }) => [
    'error',
    `session node ${node} could not be brought up to date`,
    { node, ...codeOf(error) },
  ],
  'sessions-lost': ({ node, cause, held, left, missedBy = [] }) => [
    'error',
    {
      emptied: `session node ${node} began anew: no node holds the sessions from before`,
      silent: `session node ${node} has been silent for too long: what only it holds is taken as gone`,
      unmended: `session node ${node} lost its memory, and with it changes and logouts that ${missedBy.join(', ')} missed`,
    }[cause],
    { node, cause, held, left, ...(missedBy.length === 0 ? {} : { missedBy }) },
  ],
  'recopy-skipped': ({ node, away, ...memory }) => [
    'error',
    `session node ${node} is too full to take the copies of ${away.join(', ')}: their sessions have one copy less`,
    { node, away, ...memory },
  ],
  'nodes-changed': ({ step, nodes }) => [
    'info',
    `session nodes: ${step}, ${nodes.join(', ')}`,
    { step, nodes },
  ],
  'memory-short': ({ node, ...memory }) => [
    'error',
    `session node ${node} has too little memory: sessions are lost`,
    { node, ...memory },
  ],
  'mount-changed': ({ mount, before, after }) => [
    after.phase === 'healthy' ? 'info' : 'warn',
    `mount ${mount} is ${after.phase}${'why' in after ? ` (${after.why})` : ''}`,
    { mount, before: before.phase, after: after.phase, ...('why' in after ? { why: after.why } : {}) },
  ],
  'mount-repaired': ({ mount, repaired, postponed }) => [
    'info',
    `mount ${mount} got what it had missed`,
    { mount, repaired, postponed },
  ],
  'repair-failed': ({ mount, error }) => [
    'error',
    `mount ${mount} could not be repaired`,
    { mount, ...codeOf(error) },
  ],
  'file-skipped': ({ file, error }) => [
    'error',
    `the session file ${file} cannot be used, and was passed over`,
    { file, ...codeOf(error) },
  ],
  'copies-differed': ({ mount, kept }) => ['warn', 'two mounts held different sessions', { mount, kept }],
};

/** The lines of the failover manager. */
export const failoverLines: LogRules<FailoverEvents> = {
  'primary-followed': ({ opId, from, to, epoch, outageMs }) => [
    'info',
    `followed the promotion of ${to}`,
    { opId, from, to, epoch, outageMs: Math.round(outageMs) },
  ],
  'primary-lost': ({ opId, node, kind, epoch }) => [
    'error',
    `primary ${node} is lost: ${kind}`,
    { opId, node, kind, epoch },
  ],
  'primary-returned': ({ opId, node, epoch, outageMs }) => [
    'info',
    `primary ${node} is back`,
    { opId, node, epoch, outageMs: Math.round(outageMs) },
  ],
  'split-brain': ({ opId, nodes, epoch }) => [
    'error',
    `several nodes claim to be the primary: ${nodes.join(', ')}`,
    { opId, nodes, epoch },
  ],
  'failure-detected': ({ opId, kind, node, because, warranted }) => [
    'warn',
    `${kind}: ${because}`,
    { opId, kind, node, warranted },
  ],
  'failure-cleared': ({ opId, kind, node }) => ['info', `no longer ${kind}`, { opId, kind, node }],
  'suspicion-changed': ({ node, before, after, because }) => [
    'debug',
    `${node} is ${after}`,
    { node, before, after, because },
  ],
  // A hook may have asked a database.
  'hook-failed': ({ hook, error }) => [
    'error',
    `the hook ${hook} failed`,
    { hook, ...codeOf(error), error: describeWithoutValues(error) },
  ],
  'lease-gained': ({ node }) => ['info', `this process may write to ${node}`, { node }],
  'lease-lost': ({ node, why }) => ['warn', `this process may not write to ${node}`, { node, why }],
  'change-started': ({ plan: { opId, kind, from, to } }) => [
    'warn',
    `${kind} to ${to} begins`,
    { opId, kind, from, to },
  ],
  'change-step': ({ opId, step, phase }) => [
    phase === 'failed' ? 'warn' : 'debug',
    `step ${step.id} ${phase}`,
    { opId, step: step.id, node: step.node, phase },
  ],
  'change-done': ({ plan: { opId, kind, from, to }, writeGapMs }) => [
    'info',
    `${kind} to ${to} is complete`,
    { opId, kind, from, to, writeGapMs: Math.round(writeGapMs) },
  ],
  'change-aborted': ({ plan: { opId, kind, to }, at, error, clusterState }) => [
    'error',
    `${kind} to ${to} was given up: the cluster is ${clusterState}`,
    { opId, kind, to, at, clusterState, ...causeOf(error) },
  ],
  'failover-blocked': ({ why, reason }) => ['error', `no failover: ${why}`, { reason }],
  'node-diverged': ({ node, gtids, transactions }) => [
    'error',
    `${node} has ${transactions} transactions that the primary lacks`,
    { node, gtids, transactions },
  ],
  'errant-transactions': ({ node, message }) => ['error', message, { node }],
  'rebuild-needed': ({ node, from, why, detail }) => [
    'error',
    `${node} cannot go on from where it is and serves nothing until it is rebuilt from ${from}`,
    { node, from, why, ...(detail === '' ? {} : { detail }) },
  ],
  'nodes-managed': ({ nodes, witnesses, strangers, message }) => [
    strangers.length === 0 ? 'info' : 'warn',
    message,
    { nodes, witnesses, strangers: strangers.map(({ node }) => node) },
  ],
  'leadership-changed': ({ leads }) => [
    'info',
    leads ? 'this process acts by itself now' : 'this process no longer acts by itself',
    { leads },
  ],
};

/** The lines of the cache. */
export const cacheLines: LogRules<CacheEvents> = {
  'node-failed': ({ node, error }) => ['warn', `cache node ${node} failed`, { node, ...codeOf(error) }],
  'refresh-failed': ({ error }) => ['warn', 'a value could not be made anew', codeOf(error)],
  'value-unreadable': ({ error }) => ['warn', 'a stored value cannot be read', codeOf(error)],
  'value-too-large': ({ bytes }) => ['warn', 'a value is too large for memcached', { bytes }],
};

/** What happened to a server: its text holds no data of users. */
function causeOf(error: unknown): LogFields {
  return { ...codeOf(error), error: describeError(error) };
}

/** For errors whose text may hold a session's id, a key or a value. */
function codeOf(error: unknown): LogFields {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const node = isStormlampError(error) && error.node !== undefined ? { node: error.node } : {};
  return { code: typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown', ...node };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
