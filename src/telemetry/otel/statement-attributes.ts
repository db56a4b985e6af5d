/** What OpenTelemetry's semantic conventions for database clients say about a statement (stable since version 1.33). */
import type { Attributes } from '@opentelemetry/api';
import { type AnyCluster, partOf } from '../../cluster-readiness.js';
import type { StatementTrace } from '../../diagnostics/statement-trace.js';
import { nodeIn } from '../../topology/topology-description.js';
import { failureCode } from '../statement-observer.js';
import type { StatementText } from './statement-texts.js';

/** The conventions that names and values follow. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.33.0';

/**
 * Attributes that metrics and spans share: few values each. `error.type` is the server's error number, like
 * `db.response.status_code`, or else the code of the error (`ERR_…`), or its name.
 */
export function statementAttributes(
  cluster: AnyCluster,
  trace: StatementTrace,
  { summary }: StatementText,
): Attributes {
  const attributes: Attributes = serverAttributes(cluster, trace.node);
  if (summary !== undefined) attributes['db.query.summary'] = summary;
  const database = partOf(() => cluster.mysql.config.database);
  if (database !== undefined) attributes['db.namespace'] = database;
  const failure = failureCode(trace);
  if (failure === undefined) return attributes;
  const errno = (trace.error as { readonly errno?: unknown }).errno;
  // Negative numbers are the system's, not the server's.
  const status = typeof errno === 'number' && errno > 0 ? String(errno) : undefined;
  attributes['error.type'] = status ?? failure;
  if (status !== undefined) attributes['db.response.status_code'] = status;
  return attributes;
}

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
