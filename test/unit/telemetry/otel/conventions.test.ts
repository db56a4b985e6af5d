/** Every `db.…` name and value is one of OpenTelemetry's semantic conventions, and all others are in a namespace of our own. */
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { expect, test } from 'vitest';
import type { AnyCluster } from '../../../../src/cluster-readiness.js';
import { databaseMetrics } from '../../../../src/telemetry/database-metrics.js';
import { EventCounts } from '../../../../src/telemetry/event-counts.js';
import { statementAttributes } from '../../../../src/telemetry/otel/statement-attributes.js';
import { SessionCounts } from '../../../../src/telemetry/session-counts.js';
import { storeMetrics } from '../../../../src/telemetry/store-metrics.js';

const valuesOf = (prefix: string): readonly unknown[] =>
  Object.entries(conventions).flatMap(([name, value]) => (name.startsWith(prefix) ? [value] : []));
const METRICS = valuesOf('METRIC_');
const ATTRIBUTES = valuesOf('ATTR_');

test('metrics', () => {
  const cluster = {} as AnyCluster;
  const counted = [new EventCounts(cluster).metric, new SessionCounts().metric];
  const metrics = [...databaseMetrics, ...storeMetrics, ...counted];
  const foreign = metrics.filter(({ instrument }) => !instrument.startsWith('stormlamp.'));
  expect(foreign.length).toBeGreaterThan(1);
  for (const { instrument } of [...foreign, { instrument: 'db.client.operation.duration' }])
    expect(METRICS).toContain(instrument);
  for (const { attributes = {} } of metrics)
    for (const attribute of Object.values(attributes)) expect(ATTRIBUTES).toContain(attribute);
  // A unit is part of an instrument: the conventions give these.
  const units = Object.fromEntries(foreign.map(({ instrument, unit }) => [instrument, unit]));
  expect(units).toEqual({
    'db.client.connection.count': '{connection}',
    'db.client.connection.max': '{connection}',
    'db.client.connection.pending_requests': '{request}',
  });
});

test('attributes of statements, and their values', () => {
  const node = { id: 'db1:3306', address: { host: 'db1', port: 3306 }, state: 'up' };
  for (const flavor of ['mysql', 'mariadb']) {
    const cluster = {
      mysql: { config: { database: 'shop' } },
      topology: () => ({ nodes: [{ ...node, facts: { flavor } }] }),
    } as unknown as AnyCluster;
    const error = Object.assign(new Error(), { code: 'ER_DUP_ENTRY', errno: 1062 });
    const trace = { node: node.id, error } as unknown as Parameters<typeof statementAttributes>[1];
    const attributes = statementAttributes(cluster, trace, { text: '', summary: 'SELECT' });
    expect(Object.keys(attributes).sort()).toEqual([
      'db.namespace',
      'db.query.summary',
      'db.response.status_code',
      'db.system.name',
      'error.type',
      'server.address',
      'server.port',
    ]);
    for (const name of [...Object.keys(attributes), 'db.query.text']) expect(ATTRIBUTES).toContain(name);
    expect(valuesOf('DB_SYSTEM_NAME_VALUE_')).toContain(attributes['db.system.name']);
  }
  expect([...valuesOf('DB_CLIENT_CONNECTION_STATE_VALUE_')].sort()).toEqual(['idle', 'used']);
});
