/** A provider that is none, or fails, leaves nothing behind. */
import { channel } from 'node:diagnostics_channel';
import { createNoopMeter, type MeterProvider, type TracerProvider } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { isStatementTraced } from '../../../../src/diagnostics/statement-trace.js';
import { openTelemetry } from '../../../../src/telemetry/otel/index.js';
import { fakeCluster } from '../../../../src/testing/index.js';

const broken = (): never => {
  throw new Error('of another version');
};
const observed = { addCallback: () => undefined, removeCallback: () => undefined };
/** Fails at the `count`th gauge. */
const failingMeter = (count: number): MeterProvider => {
  let left = count;
  const meter = Object.assign(Object.create(createNoopMeter()), {
    createObservableGauge: () => (left-- > 0 ? observed : broken()),
  });
  return { getMeter: () => meter } as unknown as MeterProvider;
};

test.each<[string, object, RegExp]>([
  ['no meter provider', { meterProvider: {} as MeterProvider }, /otel\.meterProvider/],
  ['null', { meterProvider: null }, /otel\.meterProvider/],
  ['no tracer provider', { tracerProvider: {} as TracerProvider }, /otel\.tracerProvider/],
  ['a meter that fails', { meterProvider: failingMeter(0) }, /another version/],
  ['a meter that fails later', { meterProvider: failingMeter(5) }, /another version/],
  ['a tracer that fails', { tracerProvider: { getTracer: broken } }, /another version/],
])('%s', async (_, options, message) => {
  const fake = await fakeCluster();
  const listeners = (): readonly unknown[] => [
    isStatementTraced(),
    channel('stormlamp:session').hasSubscribers,
    ...['breaker-changed', 'connect-failed'].map((event) =>
      fake.cluster.mysql.listenerCount(event as 'route'),
    ),
  ];
  const before = listeners();
  expect(() => openTelemetry(fake.cluster, options)).toThrow(message);
  expect(listeners()).toEqual(before);
  await fake.close();
});
