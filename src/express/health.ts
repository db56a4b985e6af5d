/** Two endpoints for orchestrators: is the process alive, and can it do its work? */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnyCluster, type ClusterNeed, lacks, needsOf, readinessOf } from '../cluster-readiness.js';
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';

/** Options of {@link health}. */
export interface HealthOptions {
  /**
   * What the service cannot work without. Default `['reads']`, of a cluster without `mysql` `['sessions']`: a service that is taken
   * out whenever there is no primary makes an outage of reads out of one of writes.
   */
  readonly needs?: readonly ClusterNeed[] | undefined;
}

const NEEDS: readonly ClusterNeed[] = ['reads', 'writes', 'sessions'];

/**
 * Answers `/livez` (200 while the process answers at all) and `/readyz` (200, or 503 with what is missing, as JSON); everything
 * else is passed on. Asks no server: it tells what is known.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function health(
  cluster: AnyCluster,
  options: HealthOptions = {},
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  rejectUnknownOptions('health', options, ['needs']);
  const needs = options.needs ?? needsOf(cluster);
  if (!Array.isArray(needs) || !needs.every((need) => NEEDS.includes(need)))
    throw invalidOption('health.needs', `a list of ${NEEDS.join(', ')}`, needs);
  const lacking = options.needs?.find((need) => lacks(cluster, need));
  if (lacking !== undefined) {
    const part = lacking === 'sessions' ? 'sessions' : 'mysql';
    throw invalidOption(
      'health.needs',
      `what the cluster has, which was created without \`${part}\``,
      lacking,
    );
  }
  return (request, response, next) => {
    const path = (request.url ?? '').split('?')[0];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const readiness = path === '/readyz' && isRead ? readinessOf(cluster, needs) : undefined;
    if (readiness === undefined && !(path === '/livez' && isRead)) {
      if (next !== undefined) {
        next();
        return;
      }
      response.statusCode = 404;
      response.end();
      return;
    }
    response.statusCode = readiness?.ready === false ? 503 : 200;
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('cache-control', 'no-store');
    response.end(JSON.stringify(readiness ?? { alive: true }));
  };
}
