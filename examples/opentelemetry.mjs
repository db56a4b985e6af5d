// A span for every statement, under the span of the request, with the node and why it was chosen.

import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createCluster } from 'stormlamp';
import { openTelemetry } from 'stormlamp/otel';

// In an application the SDK does this, and an OTLP exporter takes the place of the one in memory.
const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);

const cluster = await createCluster();
const telemetry = openTelemetry(cluster);
await trace.getTracer('shop').startActiveSpan('GET /cart', async (request) => {
  await cluster.mysql.query('SELECT item FROM cart WHERE owner = ?', ['ada']);
  request.end();
});
telemetry.close();
await cluster.close();

for (const { name, attributes, parentSpanContext } of exporter.getFinishedSpans())
  console.log(
    parentSpanContext === undefined ? '' : '  under it:',
    name,
    attributes['db.query.text'] ?? '',
    attributes['stormlamp.route.role'] ?? '',
  );
