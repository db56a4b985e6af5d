import { tracingChannel } from 'node:diagnostics_channel';
import { afterEach, expect, test, vi } from 'vitest';
import { SafeEmitter } from '../../../src/common/safe-emitter.js';
import { publish } from '../../../src/diagnostics/channels.js';
import {
  isStatementTraced,
  noteRoute,
  type StatementTrace,
  traceStatement,
} from '../../../src/diagnostics/statement-trace.js';
import { ClusterCore } from '../../../src/mysql/cluster-core.js';
import { resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';

const channel = tracingChannel<string, StatementTrace>('stormlamp:statement');
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function subscribed(steps: string[]): void {
  const note = (step: string) => (trace: StatementTrace) =>
    void steps.push(`${step} ${trace.node ?? '-'} ${trace.attempts} ${trace.error ?? ''}`.trim());
  const subscribers = {
    start: note('start'),
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  };
  channel.subscribe(subscribers);
  stops.push(() => channel.unsubscribe(subscribers));
}

test('nobody listens: nothing is built, and a statement is told to nobody', () => {
  expect(isStatementTraced()).toBe(false);
  const build = vi.fn();
  for (const name of ['route', 'topology', 'breaker', 'session'] as const) publish(name, build);
  expect(build).not.toHaveBeenCalled();
});

test('a client without listeners makes no payload for a route: it does not even look the node up', () => {
  const onRoute = vi.fn();
  const emitter = new SafeEmitter<{ route: unknown }>();
  const core = new ClusterCore(resolveMysqlOptions({ primary: 'mysql://app@127.0.0.1:1/shop' }), {
    wantsRoutes: () => emitter.listenerCount('route') > 0,
    onRoute,
    onBreakerChange: () => undefined,
    onConnectError: () => undefined,
    onDiscoveryFailure: () => undefined,
    onLagFailure: () => undefined,
    onHeartbeatFailure: () => undefined,
    onKillFailure: () => undefined,
    wantsConnections: () => false,
    onConnection: () => [],
  });
  const looked = vi.spyOn(core, 'topology', 'get');
  const classification = core.classify('SELECT 1', undefined);
  core.routed('SELECT 1', classification, '127.0.0.1:1', 'it is there');
  expect([looked.mock.calls.length, onRoute.mock.calls.length]).toEqual([0, 0]);
  emitter.on('route', () => undefined);
  core.routed('SELECT 1', classification, '127.0.0.1:1', 'it is there');
  expect([looked.mock.calls.length, onRoute.mock.calls.length]).toEqual([1, 1]);
  core.destroy();
});

test('a trace grows with every node that is tried, and is told at the start and at the end', async () => {
  const steps: string[] = [];
  subscribed(steps);
  expect(isStatementTraced()).toBe(true);
  const answer = await traceStatement({}, 'SELECT 1', async (trace) => {
    noteRoute(trace, { kind: 'read', node: 'db2', role: 'replica', because: 'fresh' });
    await undefined;
    noteRoute(trace, { kind: 'read', node: 'db3', role: 'replica', because: 'db2 is gone' });
    return trace;
  });
  expect(steps).toEqual(['start - 0', 'asyncEnd db3 2']);
  expect(answer).toMatchObject({ kind: 'read', role: 'replica', because: 'db2 is gone' });
  expect(answer.routedAt).toBeGreaterThanOrEqual(answer.startedAt);
});

test('a failed statement passes its error on, to the caller, too', async () => {
  const steps: string[] = [];
  subscribed(steps);
  const failing = traceStatement({}, 'SELECT 1', () => Promise.reject(new Error('gone')));
  await expect(failing).rejects.toThrow('gone');
  expect(steps).toEqual(['start - 0', 'error - 0 Error: gone', 'asyncEnd - 0 Error: gone']);
});
