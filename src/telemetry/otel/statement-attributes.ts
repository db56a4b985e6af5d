/** What OpenTelemetry's semantic conventions for database clients say about a statement (stable since version 1.33). */
import type { Attributes } from '@opentelemetry/api';
import { type AnyCluster, partOf } from '../../cluster-readiness.js';
import type { StatementTrace } from '../../diagnostics/statement-trace.js';
import { nodeIn } from '../../topology/topology-description.js';
import { failureCode } from '../statement-observer.js';

/** Attributes that metrics and spans share: few values each. */
export function statementAttributes(cluster: AnyCluster, trace: StatementTrace): Attributes {
  const attributes: Attributes = {
    ...serverAttributes(cluster, trace.node),
    'db.operation.name': operationOf(trace.sql),
  };
  const database = partOf(() => cluster.mysql.config.database);
  if (database !== undefined) attributes['db.namespace'] = database;
  const failure = failureCode(trace);
  if (failure !== undefined) attributes['error.type'] = failure;
  const errno = (trace.error as { readonly errno?: unknown } | undefined)?.errno;
  // Negative numbers are the system's, not the server's.
  if (typeof errno === 'number' && errno > 0) attributes['db.response.status_code'] = String(errno);
  return attributes;
}

/** The first word of a text, when it is one that texts begin with. */
export function operationOf(sql: string): string {
  const word = /^[\s(]*(?:\/\*.*?\*\/[\s(]*)*([A-Za-z]+)/s.exec(sql.slice(0, 200))?.[1]?.toUpperCase() ?? '';
  return OPERATIONS.has(word) ? word : '_OTHER';
}

const OPERATIONS: ReadonlySet<string> = new Set(
  (
    'ALTER ANALYZE BEGIN CALL CHECK COMMIT CREATE DELETE DESCRIBE DO DROP EXECUTE EXPLAIN FLUSH GRANT INSERT KILL LOAD LOCK ' +
    'OPTIMIZE PREPARE RELEASE RENAME REPLACE REVOKE ROLLBACK SAVEPOINT SELECT SET SHOW START TRUNCATE UNLOCK UPDATE USE VALUES WITH XA'
  ).split(' '),
);

function serverAttributes(cluster: AnyCluster, id: string | undefined): Attributes {
  const topology = partOf(() => cluster.topology());
  const node = id === undefined || topology === undefined ? undefined : nodeIn(topology, id);
  const known = node ?? topology?.nodes.find(({ state }) => state === 'up');
  const flavor = known?.state === 'up' ? known.facts.flavor : 'mysql';
  if (node === undefined) return { 'db.system.name': flavor };
  const { host, port, socketPath } = node.address;
  return {
    'db.system.name': flavor,
    'server.address': host ?? socketPath,
    ...(port === undefined ? {} : { 'server.port': port }),
  };
}
