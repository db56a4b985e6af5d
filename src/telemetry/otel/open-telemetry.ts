/** Spans and metrics of a cluster for OpenTelemetry. */
import {
  type Attributes,
  type Context,
  context,
  type MeterProvider,
  metrics,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace as traces,
} from '@opentelemetry/api';
import type { AnyCluster } from '../../cluster-readiness.js';
import { invalidOption, readChoice, rejectUnknownOptions } from '../../common/option-reader.js';
import type { StatementTrace } from '../../diagnostics/statement-trace.js';
import { databaseMetrics } from '../database-metrics.js';
import { EventCounts } from '../event-counts.js';
import { DURATION_BUCKETS } from '../histogram.js';
import { type Metric, samplesOf } from '../metric.js';
import { SessionCounts } from '../session-counts.js';
import { isOwnStatement, observeStatements } from '../statement-observer.js';
import { storeMetrics } from '../store-metrics.js';
import { SCHEMA_URL, statementAttributes } from './statement-attributes.js';
import { StatementTexts } from './statement-texts.js';

/** What kind of span a statement gets. */
export type StatementSpans = 'client' | 'internal' | 'none';

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /**
   * The kind of the span that each statement gets. `internal` where an instrumentation of mysql2 makes the client spans;
   * `none` for metrics only. Default `client`.
   */
  readonly spans?: StatementSpans | undefined;
  /** Makes the tracer. Default: the global one at the time of the call. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Makes the meter. Default: the global one at the time of the call. */
  readonly meterProvider?: MeterProvider | undefined;
}

/** Ends what {@link openTelemetry} began. */
export interface OpenTelemetryHandle extends Disposable {
  /** Makes no more spans and measurements. */
  close(): void;
}

/**
 * Makes a span and a measurement (`db.client.operation.duration`) for every statement of `cluster`, and observes its nodes,
 * pools, breakers and stores whenever metrics are collected, until `close()`. A span holds the node, why that one, and the
 * text with every value replaced; nothing else of a statement is told to anybody.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function openTelemetry(cluster: AnyCluster, options: OpenTelemetryOptions = {}): OpenTelemetryHandle {
  rejectUnknownOptions('otel', options, ['spans', 'tracerProvider', 'meterProvider']);
  const spans = readChoice('otel.spans', options.spans, ['client', 'internal', 'none'], 'client');
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = traces.getTracerProvider() } = options;
  checkProvider('meterProvider', 'getMeter', meterProvider);
  checkProvider('tracerProvider', 'getTracer', tracerProvider);
  const texts = new StatementTexts();
  const stops: (() => void)[] = [];
  const close = (): void => {
    for (const stop of stops.splice(0).reverse()) stop();
  };
  try {
    startMetrics(cluster, meterProvider, texts, stops);
    if (spans !== 'none') {
      const kind = spans === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL;
      stops.push(startSpans(cluster, tracerProvider, kind, texts));
    }
  } catch (error) {
    // A provider of another version may fail at any of its instruments.
    close();
    throw error;
  }
  return { close, [Symbol.dispose]: close };
}

function checkProvider(option: string, method: string, provider: object): void {
  const { [method]: make } = (provider ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof make !== 'function')
    throw invalidOption(`otel.${option}`, `a provider of OpenTelemetry, with \`${method}\``, provider);
}

function startSpans(
  cluster: AnyCluster,
  provider: TracerProvider,
  kind: SpanKind,
  texts: StatementTexts,
): () => void {
  const tracer = provider.getTracer('stormlamp', undefined, { schemaUrl: SCHEMA_URL });
  const callers = new WeakMap<StatementTrace, Context>();
  return observeStatements({
    // The channel is synchronous with the call, so the caller's span is the active one.
    onStart: (trace) => callers.set(trace, context.active()),
    // Only now is it known whose statement it was, and a sampler is to see name and attributes when it decides.
    onEnd: (trace, tookMs) => {
      const caller = callers.get(trace);
      if (caller === undefined || !isOwnStatement(cluster, trace)) return;
      const text = texts.of(trace.sql);
      const shared = statementAttributes(cluster, trace, text);
      const { 'db.namespace': database, 'db.system.name': system } = shared;
      const attributes = { ...shared, 'db.query.text': text.text, ...routeAttributes(trace) };
      const name = text.summary ?? `${database ?? system}`;
      const span = tracer.startSpan(name, { kind, startTime: trace.startedAt, attributes }, caller);
      // The message of a server's error may hold values of the statement.
      if (trace.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(trace.startedAt + tookMs);
    },
  });
}

function routeAttributes(trace: StatementTrace): Attributes {
  const { kind, role, because, attempts, routedAt, startedAt } = trace;
  return {
    'stormlamp.route.attempts': attempts,
    ...(kind === undefined ? {} : { 'stormlamp.statement.kind': kind }),
    ...(role === undefined ? {} : { 'stormlamp.route.role': role }),
    ...(because === undefined || because === '' ? {} : { 'stormlamp.route.because': because }),
    ...(routedAt === undefined ? {} : { 'stormlamp.route.wait_ms': routedAt - startedAt }),
  };
}

/** Adds to `stops` what ends each part, as soon as the part has begun. */
function startMetrics(
  cluster: AnyCluster,
  provider: MeterProvider,
  texts: StatementTexts,
  stops: (() => void)[],
): void {
  const meter = provider.getMeter('stormlamp', undefined, { schemaUrl: SCHEMA_URL });
  const duration = meter.createHistogram('db.client.operation.duration', {
    description: 'Duration of database client operations, waits and repetitions included.',
    unit: 's',
    advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
  });
  stops.push(
    observeStatements({
      onEnd: (trace, tookMs) => {
        if (isOwnStatement(cluster, trace))
          duration.record(tookMs / 1000, statementAttributes(cluster, trace, texts.of(trace.sql)));
      },
    }),
  );
  const events = new EventCounts(cluster);
  stops.push(() => events.close());
  const sessions = new SessionCounts();
  stops.push(() => sessions.close());
  for (const metric of [...databaseMetrics, ...storeMetrics, events.metric, sessions.metric]) {
    const { instrument, help, unit } = metric;
    const observable = meter[creatorOf(metric)](instrument, { description: help, unit });
    const observe: Parameters<typeof observable.addCallback>[0] = (result) => {
      for (const { labels, value } of samplesOf(metric, cluster))
        result.observe(value, attributesOf(metric, labels));
    };
    observable.addCallback(observe);
    stops.push(() => observable.removeCallback(observe));
  }
}

function creatorOf({ type, additive }: Metric) {
  if (type === 'counter') return 'createObservableCounter';
  return additive === true ? 'createObservableUpDownCounter' : 'createObservableGauge';
}

function attributesOf({ attributes = {} }: Metric, labels: Readonly<Record<string, string>>): Attributes {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [attributes[label] ?? `stormlamp.${label}`, value]),
  );
}
