/** What a cluster tells to loggers, Prometheus and OpenTelemetry while it works and while a node dies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import winston from 'winston';
import { isStatementTraced } from '../../src/diagnostics/statement-trace.js';
import { type Cluster, createCluster, type Logger } from '../../src/index.js';
import { openTelemetry } from '../../src/telemetry/otel/index.js';
import { prometheusMetrics } from '../../src/telemetry/prometheus/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT } from '../support/run-node.js';
import { eventually } from './eventually.js';

const SECRET = 'a-value-nobody-may-see';
let servers: LocalCluster;
const clusters: Cluster[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ php: false });
  await servers.primary.query('CREATE TABLE shop.note (id INT PRIMARY KEY, text VARCHAR(80))');
  await servers.waitForReplication();
});
// Each looks at all nodes until it is closed.
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});
afterAll(async () => {
  await servers?.close();
});

async function connect(logger?: Logger): Promise<Cluster> {
  const { mysql, sessions } = servers.options();
  // A machine that has more to do than it can lets a look wait for more than a second; a node that dies here refuses at once.
  const monitor = { ...mysql.monitor, timeoutMs: 5_000 };
  const options = {
    mysql: { ...mysql, monitor },
    sessions,
    ...(logger === undefined ? {} : { logger }),
  };
  const cluster = await createCluster(options);
  clusters.push(cluster);
  return cluster;
}

/** Reads, a write, a refused write with a secret in it, and a session. */
async function work(cluster: Cluster, id: number): Promise<string> {
  await cluster.mysql.query('SELECT 1');
  await cluster.mysql.execute('INSERT INTO note VALUES (?, ?)', [id, SECRET]);
  await cluster.mysql.query(`INSERT INTO note VALUES (${id}, '${SECRET}')`).catch(() => undefined);
  await cluster.mysql.transaction((connection) =>
    connection.query('UPDATE note SET text = ? WHERE id = ?', [SECRET, id]),
  );
  const session = cluster.sessions.create();
  session.data['user'] = SECRET;
  await cluster.sessions.save(session);
  await cluster.sessions.load(session.id);
  await cluster.sessions.load('absent0123456789abcdef012345');
  return session.id;
}

test('Prometheus: as text, and the same in a registry of prom-client', async () => {
  const cluster = await connect();
  const register = new Registry();
  const metrics = prometheusMetrics(cluster, { register });
  const first = metrics.text();
  await work(cluster, 1);
  const text = metrics.text();
  expect(text).toContain(`stormlamp_node_primary{node="${servers.primary.id}"} 1`);
  expect(text.match(/^stormlamp_node_up\{.*\} 1$/gm)).toHaveLength(3);
  expect(text.match(/^stormlamp_node_lag_seconds\{.*\} [\d.e-]+$/gm)).toHaveLength(2);
  expect(text).toMatch(/^stormlamp_statements_total\{node=".*",operation="write"\} [1-9]/m);
  expect(text).toContain(
    `stormlamp_statement_duration_seconds_count{node="${servers.primary.id}",kind="write",error="ER_DUP_ENTRY"} 1`,
  );
  expect(text).toContain('stormlamp_session_operations_total{operation="load",result="miss"} 1');
  expect(text.match(/^stormlamp_session_node_filled\{.*\} 1$/gm)).toHaveLength(2);
  expect(text).not.toContain(SECRET);
  // `increase()` sees the first of each: what grew was there before, at 0.
  const counts = (all: string): Map<string, number> =>
    new Map(
      [...all.matchAll(/^(stormlamp_\w+_(?:total|count)\S*) (\d+)$/gm)].map(([, key, n]) => [
        `${key}`,
        Number(n),
      ]),
    );
  const [before, after] = [counts(first), counts(text)];
  const sudden = [...after.keys()].filter((key) => !before.has(key));
  expect(sudden.filter((key) => !/error="[^"]|kind="(?:session|transaction|unknown)"/.test(key))).toEqual([]);
  const alerted = [
    ...['save-failed', 'memory-short', 'sessions-lost', 'recopy-skipped'],
    ...['split-brain', 'change-aborted', 'rebuild-needed'],
  ];
  for (const event of alerted)
    expect([event, [...before].some(([key, n]) => key.includes(`event="${event}"`) && n === 0)]).toEqual([
      event,
      true,
    ]);
  const counted = cluster.sessions as unknown as { publish(event: string, payload: object): void };
  const node = servers.memcached[0]?.id;
  counted.publish('sessions-lost', { node, cause: 'emptied', held: 1, left: 0 });
  const lost = `stormlamp_events_total{part="sessions",event="sessions-lost",node="${node}",cause="emptied"}`;
  expect([before.get(lost), counts(metrics.text()).get(lost)]).toEqual([0, 1]);
  const names = (all: string) =>
    [...all.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  // One registry has the metrics of one cluster; what was begun for another one is undone.
  expect(() => prometheusMetrics(cluster, { register })).toThrow(/Registry of its own/);
  const registered = await register.metrics();
  expect(names(registered)).toEqual(expect.arrayContaining(names(text)));
  expect(registered).toContain(`stormlamp_node_primary{node="${servers.primary.id}"} 1`);
  metrics.close();
  expect([await register.metrics(), isStatementTraced()]).toEqual(['\n', false]);
  // Every panel of the dashboard file shows a metric that exists.
  const dashboard = readFileSync(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8');
  const known = names(registered).map((line) => line.split(' ')[0]);
  const shown = [...dashboard.matchAll(/\bstormlamp_\w+?(?=_bucket\b|_count\b|_sum\b|[^\w])/g)].map(
    ([name]) => name,
  );
  expect(shown.length).toBeGreaterThan(10);
  expect([...new Set(shown)].filter((name) => !known.includes(name))).toEqual([]);
});

test('OpenTelemetry: spans under the span of the caller, metrics by the conventions, no values', async () => {
  const cluster = await connect();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = new InMemorySpanExporter();
  const sampled: unknown[] = [];
  const sampler: Sampler = {
    shouldSample: (_context, _traceId, name, _kind, attributes) => {
      if (name !== 'request') sampled.push([name, attributes]);
      return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    },
    toString: () => 'all',
  };
  const tracerProvider = new BasicTracerProvider({
    sampler,
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const telemetry = openTelemetry(cluster, { tracerProvider, meterProvider });
  const outer = tracerProvider.getTracer('test').startSpan('request');
  await context.with(trace.setSpan(context.active(), outer), () => work(cluster, 2));
  await reader.forceFlush();
  telemetry.close();
  await cluster.mysql.query('SELECT 3');
  const spans = exporter.getFinishedSpans();
  expect(spans.map(({ name }) => name)).toEqual([
    'SELECT',
    'INSERT note',
    'INSERT note',
    'START',
    'UPDATE note',
    'COMMIT',
  ]);
  // A sampler decides by what it is told at the beginning.
  expect(sampled).toEqual(spans.map(({ name, attributes }) => [name, attributes]));
  for (const span of spans) {
    expect(span.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
    expect(span.kind).toBe(SpanKind.CLIENT);
    const age = Date.now() - (span.startTime[0] * 1_000 + span.startTime[1] / 1e6);
    expect(Math.abs(age)).toBeLessThan(600_000);
  }
  const [host, port] = servers.primary.id.split(':');
  expect(spans[1]?.attributes).toMatchObject({
    'db.system.name': 'mariadb',
    'db.namespace': 'shop',
    'db.query.summary': 'INSERT note',
    'db.query.text': 'INSERT INTO note VALUES (?, …)',
    'server.address': host,
    'server.port': Number(port),
    'stormlamp.statement.kind': 'write',
    'stormlamp.route.role': 'primary',
    'stormlamp.route.attempts': 1,
  });
  expect(spans[2]?.status.code).toBe(SpanStatusCode.ERROR);
  expect(spans[2]?.attributes).toMatchObject({
    'error.type': '1062',
    'db.response.status_code': '1062',
  });
  const metrics =
    measured
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const metric = (name: string) => metrics.find(({ descriptor }) => descriptor.name === name);
  expect(metric('db.client.operation.duration')?.descriptor.unit).toBe('s');
  expect(
    metric('db.client.operation.duration')?.dataPoints.map(
      ({ attributes }) => attributes['db.query.summary'],
    ),
  ).toContain('UPDATE note');
  expect(metric('db.client.connection.count')?.dataPoints[0]?.attributes).toMatchObject({
    'db.client.connection.state': 'idle',
  });
  expect(metric('db.client.connection.max')?.dataPoints.map(({ value }) => value)).toEqual([10, 10, 10]);
  const zeros = metric('stormlamp.events')?.dataPoints.filter(({ value }) => value === 0);
  expect(zeros?.map(({ attributes }) => attributes['stormlamp.event'])).toEqual(
    expect.arrayContaining(['save-failed', 'change-aborted', 'sessions-lost', 'rebuild-needed']),
  );
  expect(metric('stormlamp.session.operations')?.dataPoints).toHaveLength(4);
  expect(metric('stormlamp.node.up')?.dataPoints.map(({ value }) => value)).toEqual([1, 1, 1]);
  expect(
    JSON.stringify([spans.map(({ attributes, status }) => [attributes, status]), metrics]),
  ).not.toContain(SECRET);
  context.disable();
  await meterProvider.shutdown();
});

test('of two clusters on the same servers each counts its own statements, those that got no node, too', async () => {
  const { mysql } = servers.options();
  const elsewhere = (url: string) => url.replace(/shop$/, 'information_schema');
  const one = await connect();
  const other = await createCluster({
    mysql: { ...mysql, primary: elsewhere(mysql.primary), replicas: mysql.replicas.map(elsewhere) },
  });
  clusters.push(other);
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const telemetry = [one, other].map((cluster) => openTelemetry(cluster, { tracerProvider }));
  const [ofOne, ofOther] = [prometheusMetrics(one), prometheusMetrics(other)];
  await one.mysql.query('SELECT 1');
  await one.mysql.transaction((connection) => connection.query('SELECT 2'));
  const aborted = one.mysql.query({ sql: 'SELECT 3', signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  const counted = ({ text }: { text(): string }) =>
    [...text().matchAll(/^stormlamp_statement_duration_seconds_count\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  expect([counted(ofOne), counted(ofOther)]).toEqual([5, 0]);
  const databases = exporter.getFinishedSpans().map(({ attributes }) => attributes['db.namespace']);
  expect(databases).toEqual(['shop', 'shop', 'shop', 'shop', 'shop']);
  for (const each of [...telemetry, ofOne, ofOther]) each.close();
});

test('pino, winston and console get the death and the return of nodes, and no secrets', async () => {
  const lines: Record<string, string[]> = { pino: [], winston: [], console: [] };
  const into = (name: string) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        lines[name]?.push(String(chunk));
        done();
      },
    });
  const { Console } = await import('node:console');
  const all = await Promise.all([
    connect(pino({ level: 'debug' }, into('pino'))),
    connect(
      winston.createLogger({
        level: 'info',
        format: winston.format.json(),
        transports: [new winston.transports.Stream({ stream: into('winston') })],
      }),
    ),
    connect(new Console(into('console'), into('console'))),
  ]);
  const ids = await Promise.all(all.map((cluster, at) => work(cluster, 10 + at)));
  const [replica] = servers.replicas;
  const [cache] = servers.memcached;
  if (replica === undefined || cache === undefined) throw new Error('the local cluster lacks a node');
  await Promise.all([replica.kill(), cache.kill()]);
  await Promise.all(
    all.map((cluster) =>
      eventually('the dead nodes are seen', async () => {
        await work(cluster, 1000 + Math.floor(Math.random() * 1e9)).catch(() => undefined);
        const down = cluster.topology().nodes.find(({ id }) => id === replica.id)?.state === 'down';
        return down && cluster.sessions.status().some(({ reads }) => reads === 'open');
      }),
    ),
  );
  await Promise.all([replica.start(), cache.start()]);
  const back = `node ${replica.id} is up`;
  for (const [name, written] of Object.entries(lines)) {
    await eventually(`${name} says ${back}`, () => written.some((line) => line.includes(back)));
    const text = written.join('');
    expect(text, name).toContain(`stormlamp: node ${replica.id} is down`);
    expect(text, name).toMatch(new RegExp(`breaker of session node ${cache.id} for [gs]et: open`));
    for (const secret of [SECRET, servers.accounts.app.password, ...ids])
      expect(text, name).not.toContain(secret);
    // An outage is a line, not a flood.
    expect(written.filter((line) => line.includes('a copy on')).length, name).toBeLessThan(20);
  }
  const down = lines['pino']?.map((line) => JSON.parse(line)).find(({ msg }) => msg.includes(' is down'));
  expect(down).toMatchObject({
    level: 40,
    event: 'node-changed',
    node: replica.id,
    error: expect.any(String),
  });
  const debug = lines['pino']?.map((line) => JSON.parse(line)).find(({ event }) => event === 'route');
  expect(debug).toMatchObject({ level: 20, kind: 'read', sql: 'SELECT ?' });
  expect(debug.msg).toMatch(/^stormlamp: read to /);
  // Every line can be found by its event.
  for (const line of lines['pino'] ?? []) expect(JSON.parse(line)).toHaveProperty('event');
  expect(lines['winston']?.map((line) => JSON.parse(line)).every(({ level }) => level !== 'debug')).toBe(
    true,
  );
  expect(lines['console']?.join('')).not.toContain('SELECT');
});
