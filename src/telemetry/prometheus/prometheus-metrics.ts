/** The metrics of a cluster for Prometheus: as text, or in a registry of prom-client. */
import { type AnyCluster, partOf } from '../../cluster-readiness.js';
import { invalidOption, rejectUnknownOptions } from '../../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { databaseMetrics } from '../database-metrics.js';
import { EventCounts } from '../event-counts.js';
import { Histogram } from '../histogram.js';
import { type Metric, samplesOf } from '../metric.js';
import { SessionCounts } from '../session-counts.js';
import { failureCode, isOwnStatement, observeStatements } from '../statement-observer.js';
import { storeMetrics } from '../store-metrics.js';
import { type ExposedMetric, expositionOf } from './text-exposition.js';

/** What is used of a `Registry` of prom-client. */
export interface PrometheusRegistry {
  /** Adds a metric. */
  // biome-ignore lint/suspicious/noExplicitAny: prom-client's own type of a metric is a union of its classes.
  registerMetric(metric: any): void;
  /** Takes a metric out. */
  removeSingleMetric(name: string): void;
}

/** Options of {@link prometheusMetrics}. */
export interface PrometheusOptions {
  /** A registry of prom-client that gets the metrics, beside those of the application. Default: none, use `text()`. */
  readonly register?: PrometheusRegistry | undefined;
}

/** The metrics of one cluster. */
export interface PrometheusMetrics extends Disposable {
  /** The content type of {@link PrometheusMetrics.text}. */
  readonly contentType: string;
  /** All metrics now, in Prometheus's text format. Asks no server. */
  text(): string;
  /** Stops to count, and takes the metrics out of the registry. */
  close(): void;
}

const DURATION = {
  name: 'stormlamp_statement_duration_seconds',
  help: 'How long statements took from the call to the answer, waits and repetitions included.',
  type: 'histogram',
} as const;

/**
 * Begins to count for Prometheus. Statements are timed from now on, which costs some microseconds each, until `close()`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, also for a registry that has the metrics of another cluster.
 */
export function prometheusMetrics(cluster: AnyCluster, options: PrometheusOptions = {}): PrometheusMetrics {
  rejectUnknownOptions('prometheus', options, ['register']);
  const { register } = options;
  if (register !== undefined && typeof register?.registerMetric !== 'function')
    throw invalidOption('prometheus.register', 'a Registry of prom-client', register);
  const durations = new Histogram();
  const stopObserving = observeStatements({
    onEnd: (trace, tookMs) => {
      if (!isOwnStatement(cluster, trace)) return;
      const { node = 'none', kind = 'unknown' } = trace;
      durations.observe({ node, kind, error: failureCode(trace) ?? '' }, tookMs / 1000);
    },
  });
  const events = new EventCounts(cluster);
  const sessions = new SessionCounts();
  const metrics: readonly Metric[] = [...databaseMetrics, ...storeMetrics, events.metric, sessions.metric];
  const exposed = (): readonly ExposedMetric[] => [
    ...metrics.map((metric) => ({ ...metric, samples: samplesOf(metric, cluster) })),
    { ...DURATION, samples: durationLines(cluster, durations) },
  ];
  const added: string[] = [];
  const close = (): void => {
    stopObserving();
    events.close();
    sessions.close();
    for (const name of added.splice(0)) register?.removeSingleMetric(name);
  };
  const add = (metric: Described, read: () => ExposedMetric['samples']): void => {
    register?.registerMetric(collectable(metric, read));
    added.push(metric.name);
  };
  try {
    for (const metric of metrics) add(metric, () => samplesOf(metric, cluster));
    add(DURATION, () => durationLines(cluster, durations));
  } catch (cause) {
    close();
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `The registry has a metric named like one of these already: ${describeError(cause)}; one registry takes the metrics of one cluster: close the others first, or give each cluster a Registry of its own and merge them with \`Registry.merge()\``,
      { cause },
    );
  }
  return {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    text: () => expositionOf(exposed()),
    close,
    [Symbol.dispose]: close,
  };
}

function durationLines(cluster: AnyCluster, durations: Histogram): ExposedMetric['samples'] {
  // Statements that succeed are foreseen; codes of errors are without number.
  for (const { node } of partOf(() => cluster.mysql.stats()) ?? [])
    for (const kind of ['read', 'write']) durations.begin({ node, kind, error: '' });
  return durations
    .samples()
    .map(({ suffix, labels, value }) => ({ name: `${DURATION.name}${suffix}`, labels, value }));
}

type Described = Pick<ExposedMetric, 'name' | 'help' | 'type'> & Pick<Metric, 'additive' | 'across'>;

/** A metric in the shape that a registry of prom-client asks. */
function collectable(
  { name, help, type, additive, across }: Described,
  read: () => ExposedMetric['samples'],
): object {
  return {
    name,
    help,
    type,
    get: async () => ({
      name,
      help,
      type,
      // What its AggregatorRegistry makes of the workers of a Node cluster.
      aggregator: type !== 'gauge' || additive === true ? 'sum' : (across ?? 'average'),
      values: read().map(({ name: metricName, labels, value }) => ({
        labels,
        value,
        ...(metricName === undefined ? {} : { metricName }),
      })),
    }),
    reset: () => undefined,
  };
}
