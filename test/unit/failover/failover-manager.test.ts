import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import type { DetectedFailure } from '../../../src/failover/failover-hooks.js';
import {
  createFailoverManager,
  type FailoverManager,
  type FailoverManagerOptions,
} from '../../../src/failover/failover-manager.js';
import type { FailoverOptions } from '../../../src/failover/failover-options.js';
import { TopologyWatcher } from '../../../src/health/topology-watcher.js';
import { parseMysqlNode } from '../../../src/mysql/connection-options.js';
import type { ConfiguredRole } from '../../../src/topology/node-description.js';
import { master, orphan, seeds, slave } from '../../spec/topology/made-up-servers.js';
import { type Answer, ScriptedProbe } from '../health/scripted-probe.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const healthy = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') };
const dead = { a: refused, b: orphan('b', 'a'), c: orphan('c', 'a') };
const promoted = { a: refused, b: master('b'), c: slave('c', 'b') };

type Roles = Readonly<Record<string, ConfiguredRole>>;
const usual: Roles = { a: 'primary', b: 'replica', c: 'replica' };

let watcher: TopologyWatcher;
let manager: FailoverManager;
let probes: Map<string, ScriptedProbe>;
let told: { name: string; payload: Record<string, unknown> }[];
let isolated: string[];

const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
async function become(answers: Readonly<Record<string, Answer>>, ms = 2_500): Promise<void> {
  for (const [id, answer] of Object.entries(answers)) {
    const probe = probes.get(id);
    if (probe !== undefined) probe.answer = answer;
  }
  await wait(ms);
}
async function manage(options: FailoverOptions = {}, roles: Roles = usual): Promise<void> {
  probes = new Map(Object.entries(healthy).map(([id, facts]) => [id, new ScriptedProbe(facts)]));
  watcher = new TopologyWatcher({
    seeds: seeds(roles),
    createProbe: ({ id }) => probes.get(id) ?? new ScriptedProbe(refused),
    intervalMs: 1000,
    timeoutMs: 500,
  });
  told = [];
  isolated = [];
  manager = createFailoverManager({
    ...options,
    watcher,
    targets: {
      isolate(node, reason) {
        isolated.push(`${node} ${reason}`);
        return () => isolated.push(`${node} released`);
      },
      guardWrites: () => {},
    },
  });
  for (const name of [
    'primary-followed',
    'primary-lost',
    'primary-returned',
    'split-brain',
    'hook-failed',
    'errant-transactions',
  ] as const) {
    manager.on(name, (payload: object) => told.push({ name, payload: { ...payload } }));
  }
  watcher.start();
  await wait(100);
}
const names = (): string[] => told.map(({ name }) => name);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  const closing = manager.close();
  await wait(0);
  await closing;
  watcher.close();
  await wait(1000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('following', () => {
  test('the first primary is found without an alarm', async () => {
    await manage();
    expect(names()).toEqual([]);
    expect(await manager.history()).toMatchObject([{ kind: 'primary-found', nodes: ['a'], epoch: 1 }]);
  });

  test('a dead primary is told once, with the kind and the evidence', async () => {
    await manage();
    await become(dead, 10_000);
    expect(names()).toEqual(['primary-lost']);
    expect(told[0]?.payload).toMatchObject({ node: 'a', kind: 'dead-primary', epoch: 1 });
    expect(told[0]?.payload['evidence']).toContainEqual(
      expect.objectContaining({ node: 'a', kind: 'refused', detail: 'connect ECONNREFUSED' }),
    );
  });

  test('a promotion by somebody else is followed, with the time without a writer', async () => {
    await manage();
    await become(dead, 5_000);
    await become(promoted, 500);
    expect(names()).toEqual(['primary-lost', 'primary-followed']);
    const payload: Record<string, unknown> = told[1]?.payload ?? {};
    expect(payload).toMatchObject({
      from: 'a',
      to: 'b',
      epoch: 2,
      reason: 'dead-primary',
      cluster: 'stormlamp',
    });
    expect(payload['outageMs']).toBeGreaterThan(3_900);
    expect(payload['outageMs']).toBeLessThan(5_600);
    expect(payload['opId']).toBe(told[0]?.payload['opId']);
  });

  test('a primary that comes back is told as returned, in the same epoch', async () => {
    await manage();
    await become(dead);
    await become(healthy);
    expect(names()).toEqual(['primary-lost', 'primary-returned']);
    expect(told[1]?.payload).toMatchObject({ node: 'a', epoch: 1 });
  });

  test.each([
    ['a silent primary', { ...dead, a: 'silence' as const }, 'unreachable-primary'],
    ['a read-only primary', { a: master('a', { readOnly: true }) }, 'read-only-primary'],
    ['a demoted primary', { a: slave('a', 'z') }, 'no-primary'],
  ])('%s is told by its kind', async (_, answers, kind) => {
    await manage();
    await become(answers, 3_000);
    expect(told[0]).toMatchObject({ name: 'primary-lost', payload: { kind } });
  });

  test('a replica with transactions of its own is told once, and again when that was over', async () => {
    const log = { flavor: 'mariadb', gtidState: '0-1-5' } as const;
    const own = { b: slave('b', 'a', {}, { ...log, gtidState: '0-1-5,0-2-6' }) };
    await manage();
    await become({ a: master('a', log), ...own });
    await become({ b: slave('b', 'a', {}, { ...log, gtidState: '0-1-5,0-2-7' }) });
    expect(told).toMatchObject([
      { name: 'errant-transactions', payload: { node: 'b', message: expect.stringContaining('0-2-6') } },
    ]);
    await become({ a: refused });
    await become({ a: master('a', log) });
    expect(names().filter((name) => name === 'errant-transactions')).toHaveLength(1);
    await become({ a: master('a', { ...log, gtidState: '0-1-5,0-2-7' }) });
    await become({ a: master('a', log) });
    expect(names().filter((name) => name === 'errant-transactions')).toHaveLength(2);
    expect((await manager.history(1))[0]).toMatchObject({ kind: 'errant-transactions', nodes: ['b'] });
  });

  test('two claimants are told as a split brain with both names', async () => {
    await manage();
    await become({ b: master('b'), c: slave('c', 'b') });
    expect(names()).toContain('split-brain');
    expect(told.find(({ name }) => name === 'split-brain')?.payload).toMatchObject({ nodes: ['a', 'b'] });
    expect(manager.state).toMatchObject({ failure: 'split-brain', writer: { kind: 'split-brain' } });
  });

  test('one outage has one name and is told lost once, whatever it looks like meanwhile', async () => {
    await manage({}, { ...usual, b: 'primary' });
    await become(dead);
    await become({ b: master('b') });
    await become({ a: master('a') });
    await become({ a: refused });
    expect(names()).toEqual(['primary-lost', 'split-brain']);
    expect(new Set(told.map(({ payload }) => payload['opId'])).size).toBe(1);
  });

  test('each new outage has a name of its own', async () => {
    await manage();
    await become(dead);
    await become(healthy);
    await become(dead);
    const [first, , second] = told;
    expect(first?.payload['opId']).not.toBe(second?.payload['opId']);
  });
});

describe('the state', () => {
  test('it shows mode, writer, epoch and how far each node is believed to be down', async () => {
    await manage();
    expect(manager.state).toMatchObject({
      mode: 'follow',
      writer: { kind: 'primary', node: 'a' },
      epoch: 1,
      failure: null,
      because: '',
      failover: { warranted: false, because: 'nothing is wrong' },
      tilted: false,
      nodes: [
        { node: 'a', role: 'primary', suspicion: 'up' },
        { node: 'b', role: 'replica', suspicion: 'up' },
        { node: 'c', role: 'replica', suspicion: 'up' },
      ],
    });
  });

  test('a manager that is made later knows at once what was seen before', async () => {
    await manage();
    const later = createFailoverManager({
      watcher,
      targets: { isolate: () => () => undefined, guardWrites: () => undefined },
    });
    expect(later.state.nodes.map(({ suspicion }) => suspicion)).toEqual(['up', 'up', 'up']);
    const closing = later.close();
    await wait(0);
    await closing;
  });

  test('suspect, then objectively down when the replicas lost it too', async () => {
    await manage();
    await become(dead, 1_200);
    expect(manager.state.nodes[0]).toMatchObject({ suspicion: 'suspect' });
    await wait(4_000);
    expect(manager.state.nodes[0]).toMatchObject({ suspicion: 'objectively-down' });
    expect(manager.state.failure).toBe('dead-primary');
  });

  test('a process that stalled does not call a node down: it suspects its own eyes first', async () => {
    await manage();
    await become(dead, 6_000);
    expect(manager.state).toMatchObject({
      tilted: false,
      nodes: [{ suspicion: 'objectively-down' }, {}, {}],
    });
    const now = performance.now.bind(performance);
    const stall = vi.spyOn(performance, 'now').mockImplementation(() => now() + 1_000);
    expect(manager.state).toMatchObject({ tilted: true, nodes: [{ suspicion: 'suspect' }, {}, {}] });
    await wait(300);
    expect(manager.state.tilted).toBe(true);
    await wait(16_000);
    expect(manager.state).toMatchObject({
      tilted: false,
      nodes: [{ suspicion: 'objectively-down' }, {}, {}],
    });
    stall.mockRestore();
  });

  test('without a replica that answers nobody can confirm that it is down', async () => {
    await manage();
    await become({ a: refused, b: refused, c: refused }, 6_000);
    expect(manager.state.nodes[0]).toMatchObject({ suspicion: 'down' });
  });

  test('down only in our eyes while a replica still hears from it', async () => {
    await manage();
    await become({ a: refused }, 6_000);
    expect(manager.state.nodes[0]).toMatchObject({ suspicion: 'down' });
  });
});

describe('isolation', () => {
  test('it is forwarded, shown, journaled and ended by disposing, once', async () => {
    await manage();
    const hold = manager.isolate('b', { reason: 'kernel update' });
    expect(isolated).toEqual(['b kernel update']);
    expect(manager.state.nodes[1]).toMatchObject({ suspicion: 'isolated' });
    hold[Symbol.dispose]();
    hold[Symbol.dispose]();
    expect(isolated).toEqual(['b kernel update', 'b released']);
    expect((await manager.history(2)).map(({ kind }) => kind)).toEqual(['node-released', 'node-isolated']);
  });

  test('it ends by itself after its time', async () => {
    await manage();
    manager.isolate('b', { ttlMs: 1_000 });
    await wait(999);
    expect(isolated.length).toBe(1);
    await wait(1);
    expect(isolated).toEqual(['b isolated by an operator', 'b released']);
  });

  test('an unknown node is refused by name, with the known ones', async () => {
    await manage();
    expect(() => manager.isolate('x')).toThrow(/x; known are: a, b, c/);
    expect(() => manager.isolate('b', { ttl: 1 } as never)).toThrow(/did you mean `ttlMs`/);
  });

  test('closing lets all nodes in and refuses more', async () => {
    await manage();
    manager.isolate('b', { ttlMs: 60_000 });
    manager.isolate('c');
    await manager.close();
    expect(isolated.filter((entry) => entry.endsWith('released'))).toEqual(['b released', 'c released']);
    expect(() => manager.isolate('b')).toThrow(expect.objectContaining({ code: ErrorCode.CLOSED }));
  });
});

describe('hooks', () => {
  test('they are called in order, one after the other, with the change and a deadline', async () => {
    const calls: string[] = [];
    const slow = (name: string) => async (event: object) => {
      calls.push(`${name} begins`);
      expect(event).toMatchObject({ signal: expect.any(AbortSignal), deadline: expect.any(Number) });
      await new Promise((resolve) => setTimeout(resolve, 200));
      calls.push(`${name} ends`);
    };
    await manage({
      hooks: { onDetected: slow('detected'), afterPromote: slow('promote'), afterFailover: slow('failover') },
    });
    await become(dead, 1_200);
    await become(promoted, 2_000);
    expect(calls).toEqual(
      ['detected', 'promote', 'failover'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });

  test('a hook that throws or rejects is told and stops nothing', async () => {
    const called: string[] = [];
    await manage({
      hooks: {
        onDetected: () => {
          throw new Error('pager is off');
        },
        afterPromote: () => Promise.reject(new Error('consul is away')),
        afterFailover: ({ to }) => {
          called.push(to);
        },
      },
    });
    await become(dead);
    await become(promoted);
    expect(told.filter(({ name }) => name === 'hook-failed').map(({ payload }) => payload['hook'])).toEqual([
      'onDetected',
      'afterPromote',
    ]);
    expect(called).toEqual(['b']);
    expect((await manager.history()).map(({ message }) => message)).toContain(
      "Hook 'onDetected': pager is off",
    );
  });

  test('a hook that never ends is given up after its time, and its signal fires', async () => {
    let signal: AbortSignal | undefined;
    await manage({
      hooks: {
        onDetected: (event) => {
          signal = event.signal;
          return new Promise(() => {});
        },
      },
      hookPolicy: { timeoutMs: { onDetected: 1_000 } },
    });
    await become(dead, 3_000);
    expect(signal?.aborted).toBe(true);
    expect(told.at(-1)).toMatchObject({
      name: 'hook-failed',
      payload: { hook: 'onDetected', error: { message: expect.stringContaining('within 1000 ms') } },
    });
  });

  test('onDetected is called for a new trouble, and again when a failover is warranted, under one name', async () => {
    const calls: DetectedFailure[] = [];
    await manage({ hooks: { onDetected: (event) => void calls.push(event) } });
    await become(dead, 6_000);
    await become(healthy, 6_000);
    expect(calls.map(({ kind, node, warranted }) => [kind, node, warranted])).toEqual([
      ['dead-primary', 'a', false],
      ['dead-primary', 'a', true],
    ]);
    const opIds = new Set([...calls.map(({ opId }) => opId), told[0]?.payload['opId']]);
    expect(opIds.size).toBe(1);
    expect((await manager.history()).map(({ kind }) => kind)).toContain('failure-cleared');
  });

  test('what a hook logs is in the journal', async () => {
    await manage({ hooks: { onDetected: ({ log }) => log('paged the operator') } });
    await become(dead);
    expect((await manager.history())[0]).toMatchObject({
      kind: 'hook-logged',
      message: 'onDetected: paged the operator',
    });
  });

  test('no hook begins after closing, and the running one is aborted', async () => {
    let signal: AbortSignal | undefined;
    const late = vi.fn();
    await manage({
      hooks: {
        onDetected: (event) => {
          signal = event.signal;
          return new Promise(() => {});
        },
        afterPromote: late,
      },
    });
    await become(dead);
    await become(promoted);
    await manager.close();
    await wait(60_000);
    expect(signal?.aborted).toBe(true);
    expect(late).not.toHaveBeenCalled();
  });
});

describe('the end', () => {
  test('nothing is told after closing, and the watcher lives on', async () => {
    await manage();
    await manager.close();
    await manager.close();
    await become(dead);
    expect(names()).toEqual([]);
    expect(watcher.topology.writer.kind).toBe('no-primary');
  });
});

describe('options', () => {
  const parts = {
    watcher: undefined as unknown as TopologyWatcher,
    targets: { isolate: () => () => {}, guardWrites: () => {} },
  };
  const make = (options: object): unknown =>
    createFailoverManager({ ...parts, watcher, ...options } as FailoverManagerOptions);

  test.each([
    [{ mode: 'approve' }, 'failover.credentials'],
    [{ mode: 'approve', credentials: { user: 'u', password: 'p' } }, 'failover.replication'],
    [
      {
        mode: 'approve',
        credentials: { user: 'u', password: 'p' },
        replication: { user: 'r', password: 'p' },
      },
      'hooks.approve',
    ],
  ])('%j is refused because `%s` is missing', async (options, missing) => {
    await manage();
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code: ErrorCode.INVALID_OPTION, message: expect.stringContaining(missing) }),
    );
  });

  test('a node that shall never be the primary has a name that a node has', async () => {
    await manage();
    const nodes = [parseMysqlNode('node', 'mysql://app:s@db2/shop', 'replica')];
    const options = {
      mode: 'auto',
      credentials: { user: 'u', password: 'p' },
      replication: { user: 'r', password: 'p' },
      candidates: { never: ['db2'] },
    };
    expect(() => make({ ...options, nodes })).toThrow(
      "Expected `failover.candidates.never[0]` to be one of the nodes ('db2:3306'), got `db2`",
    );
  });

  test('whoever only follows is asked for no change', async () => {
    await manage();
    await expect(manager.switchover()).rejects.toMatchObject({ code: ErrorCode.UNSUPPORTED });
    await expect(manager.plan('switchover')).rejects.toMatchObject({ code: ErrorCode.UNSUPPORTED });
  });

  test.each([
    [{ mode: 'folow' }, /failover.mode/],
    [{ modes: 'follow' }, /did you mean `mode`/],
    [{ hooks: { onDetect: () => {} } }, /did you mean `onDetected`/],
    [{ hooks: { onDetected: 'x' } }, /failover.hooks.onDetected` to be a function/],
    [{ hookPolicy: { timeoutMs: { onDetected: 0 } } }, /failover.hookPolicy.timeoutMs.onDetected/],
    [{ detector: { downAfterMs: 1 } }, /failover.detector.downAfterMs/],
    [{ hookPolicy: { timeout: {} } }, /did you mean `timeoutMs`/],
  ])('%j is refused by name', async (options, message) => {
    await manage();
    expect(() => make(options)).toThrow(message);
  });
});
