import { expect, test } from 'vitest';
import type { AnyCluster } from '../../../../src/cluster-readiness.js';
import type { StatementTrace } from '../../../../src/diagnostics/statement-trace.js';
import { statementAttributes } from '../../../../src/telemetry/otel/statement-attributes.js';

const trace = (error?: unknown): StatementTrace => ({
  sql: 'SELECT 1',
  startedAt: 0,
  kind: 'read',
  node: undefined,
  role: undefined,
  because: undefined,
  attempts: 0,
  routedAt: undefined,
  ...(error === undefined ? {} : { error }),
});
const cluster = { mysql: { config: { database: 'shop' } } } as unknown as AnyCluster;
const of = (error?: unknown) =>
  statementAttributes(cluster, trace(error), { text: 'SELECT ?', summary: 'SELECT' });

test('a statement that went well has no error', () => {
  expect(of()).toEqual({
    'db.system.name': 'mysql',
    'db.namespace': 'shop',
    'db.query.summary': 'SELECT',
  });
});

test.each([
  ['the number of the server', Object.assign(new Error(), { code: 'ER_DUP_ENTRY', errno: 1062 }), '1062'],
  ['our code', Object.assign(new Error(), { code: 'ERR_OUTCOME_UNKNOWN' }), 'ERR_OUTCOME_UNKNOWN'],
  ["the system's code", Object.assign(new Error(), { code: 'ECONNRESET', errno: -104 }), 'ECONNRESET'],
  ['the name', new TypeError('no'), 'TypeError'],
  ['nothing known', 'no', '_OTHER'],
])('the type of an error is %s', (_, error, type) => {
  const attributes = of(error);
  expect(attributes['error.type']).toBe(type);
  expect(attributes['db.response.status_code']).toBe(/^\d+$/.test(type) ? type : undefined);
});
