/** What it costs to be watched: the same point SELECT with nobody listening and with each kind of listener. */
import { startLocalCluster } from '../../dist/testing/index.js';

const POINT = 'SELECT name FROM item WHERE id = ?';
const ITEMS = 1000;
const QUESTIONS = 10_000;
/** Two in turn, so that the engine cannot ask once for all. */
const CHANNELS = ['route', 'breaker'];

export const suite = {
  name: 'telemetry',
  title: 'Telemetry',
  works: ({ quick }) => [
    { name: 'point SELECT', ms: quick ? 200 : 400, warmMs: 1000, atOnce: quick ? [50] : [1, 50] },
    { name: `whether anybody listens, asked ${QUESTIONS} times`, ms: 200, atOnce: [1] },
  ],
  goals: [],
  setup: async () => {
    const servers = await startLocalCluster({ replicas: 0, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50))');
    const rows = Array.from({ length: ITEMS }, (_, id) => `(${id}, 'item ${id}')`);
    await servers.primary.query(`INSERT INTO shop.item VALUES ${rows.join(', ')}`);
    const { mysql } = servers.options();
    const [{ port, realPort }] = servers.databases;
    return {
      context: { mysql: { ...mysql, primary: mysql.primary.replace(`:${port}/`, `:${realPort}/`) } },
      notes: [
        `A statement asks twice whether anybody listens; ${QUESTIONS} such pairs are one call of the second work.`,
      ],
      close: () => servers.close(),
    };
  },
};

/** A client whose listeners `listen` attaches; it answers how to detach them. */
async function watched({ mysql }, listen) {
  const { createCluster } = await import('../../dist/index.js');
  const cluster = await createCluster({ mysql });
  const stop = await listen(cluster);
  return {
    works: { 'point SELECT': (number) => cluster.mysql.query(POINT, [number % ITEMS]) },
    close: async () => {
      await stop?.();
      await cluster.close();
    },
  };
}

export const peers = {
  'nobody listens': async (context) => {
    const { isObserved } = await import('../../dist/diagnostics/channels.js');
    const { isStatementTraced } = await import('../../dist/diagnostics/statement-trace.js');
    const peer = await watched(context, () => undefined);
    let heard = 0;
    peer.works[`whether anybody listens, asked ${QUESTIONS} times`] = () => {
      for (let index = 0; index < QUESTIONS; index += 1)
        if (isObserved(CHANNELS[index % 2]) || isStatementTraced()) heard += 1;
      if (heard > 0) throw new Error('somebody listens');
    };
    return peer;
  },

  'event `route`': (context) => watched(context, ({ mysql }) => void mysql.on('route', () => undefined)),

  'stormlamp/prometheus': (context) =>
    watched(context, async (cluster) => {
      const { prometheusMetrics } = await import('../../dist/telemetry/prometheus/index.js');
      return prometheusMetrics(cluster).close;
    }),

  'stormlamp/otel, metrics': (context) =>
    watched(context, async (cluster) => {
      const { openTelemetry } = await import('../../dist/telemetry/otel/index.js');
      const sdk = await import('@opentelemetry/sdk-metrics');
      const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
      const reader = new sdk.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
      const meterProvider = new sdk.MeterProvider({ readers: [reader] });
      return openTelemetry(cluster, { spans: 'none', meterProvider }).close;
    }),

  'stormlamp/otel, spans and metrics': (context) =>
    watched(context, async (cluster) => {
      const { openTelemetry } = await import('../../dist/telemetry/otel/index.js');
      const { BasicTracerProvider } = await import('@opentelemetry/sdk-trace-base');
      const sdk = await import('@opentelemetry/sdk-metrics');
      const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
      const reader = new sdk.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
      const meterProvider = new sdk.MeterProvider({ readers: [reader] });
      return openTelemetry(cluster, { tracerProvider: new BasicTracerProvider(), meterProvider }).close;
    }),
};
