import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { TopologyWatcher } from '../../../src/health/topology-watcher.js';
import type { NodeSeed } from '../../../src/topology/node-description.js';
import { gtids, master, orphan, seeds, slave } from '../../spec/topology/made-up-servers.js';
import { type Answer, ScriptedProbe } from './scripted-probe.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

let watcher: TopologyWatcher;
let probes: Map<string, ScriptedProbe>;
let told: string[];

function watch(answers: Readonly<Record<string, Answer>>, configured?: NodeSeed[]): TopologyWatcher {
  probes = new Map(Object.entries(answers).map(([id, answer]) => [id, new ScriptedProbe(answer)]));
  told = [];
  watcher = new TopologyWatcher({
    seeds: configured ?? seeds({ a: 'primary', b: 'replica', c: 'replica' }),
    createProbe: ({ id }) => {
      const probe = probes.get(id) ?? new ScriptedProbe(refused);
      probes.set(id, probe);
      return probe;
    },
    intervalMs: 1000,
    timeoutMs: 500,
  });
  watcher.on('primary-changed', ({ before, after, epoch }) =>
    told.push(`primary ${before}>${after} ${epoch}`),
  );
  watcher.on('node-changed', ({ before, after }) =>
    told.push(`node ${after.id} ${before.state}>${after.state}`),
  );
  return watcher;
}
const healthy = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') };
const answer = (id: string, what: Answer): void => {
  const probe = probes.get(id);
  if (probe === undefined) throw new Error(`no probe ${id}`);
  probe.answer = what;
};
const looks = (): number => [...probes.values()].reduce((sum, { starts }) => sum + starts.length, 0);
const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** The error that a promise rejects with. */
const errorOf = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not reject');
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  watcher.close();
  await wait(1000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('ready', () => {
  test('it resolves when every node was looked at once, also when one is silent', async () => {
    watch({ ...healthy, c: 'silence' }).start();
    const ready = watcher.ready(Deadline.of({ timeoutMs: 5_000 }));
    let done = false;
    void ready.then(() => {
      done = true;
    });
    await wait(490);
    expect(done).toBe(false);
    await wait(20);
    expect((await ready).nodes.map(({ state }) => state)).toEqual(['up', 'up', 'down']);
  });

  test('it rejects at its deadline', async () => {
    watch({ ...healthy, c: 'silence' }).start();
    const failed = errorOf(watcher.ready(Deadline.of({ timeoutMs: 100 })));
    await wait(101);
    expect(await failed).toMatchObject({ code: ErrorCode.TIMEOUT });
  });

  test('it rejects when the watcher is closed', async () => {
    watch({ ...healthy, c: 'silence' }).start();
    const failed = errorOf(watcher.ready(Deadline.of({ timeoutMs: 5_000 })));
    await wait(10);
    watcher.close();
    expect(await failed).toMatchObject({ code: ErrorCode.CLOSED });
  });
});

describe('what is told', () => {
  test('changes are told with before and after, lag and latency are not', async () => {
    watch(healthy).start();
    await wait(5_000);
    expect(told).toEqual([
      'node a new>up',
      'node b new>up',
      'node a up>up',
      'node c new>up',
      'primary null>a 1',
    ]);
  });

  test('each probe is told, before the change that it causes', async () => {
    watch(healthy).start();
    await wait(1_500);
    const order: string[] = [];
    watcher.on('node-observed', ({ node, ok }) => order.push(`${node} ${ok}`));
    watcher.on('topology-changed', ({ before, after }) => {
      order.push(`${before.writer.kind}>${after.writer.kind}`);
    });
    answer('a', refused);
    await watcherRefresh('a');
    expect(order.slice(0, 2)).toEqual(['a false', 'primary>no-primary']);
  });

  test('the diagnostics channel carries the change', async () => {
    const messages: unknown[] = [];
    const listen = (message: unknown): void => {
      messages.push(message);
    };
    diagnosticsChannel('stormlamp:topology').subscribe(listen);
    watch(healthy).start();
    await wait(100);
    diagnosticsChannel('stormlamp:topology').unsubscribe(listen);
    expect(messages.at(-1)).toMatchObject({ after: { writer: { kind: 'primary', node: 'a' } } });
  });

  test('a trouble is told when it begins and when it is over, once, and what is there at the start after the first look', async () => {
    const stopped = slave('b', 'a', { sql: false, lagMs: null });
    watch({ ...healthy, b: stopped });
    const troubles: string[] = [];
    watcher.on('warning-began', ({ code, node }) => troubles.push(`+${code} ${node}`));
    watcher.on('warning-ended', ({ code, node }) => troubles.push(`-${code} ${node}`));
    watcher.start();
    await wait(5_000);
    expect(troubles).toEqual(['+replication-stopped b']);
    answer('b', slave('b', 'a', { io: 'no', lagMs: null }, { readOnly: false }));
    await wait(2_000);
    answer('b', slave('b', 'a'));
    await wait(2_000);
    expect(troubles.slice(1)).toEqual([
      '+writable-replica b',
      '-writable-replica b',
      '-replication-stopped b',
    ]);
  });

  test('a listener that throws harms nobody', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    watch(healthy);
    for (const event of ['topology-changed', 'node-observed', 'node-changed', 'primary-changed'] as const) {
      watcher.on(event, () => {
        throw new Error('bug in a listener');
      });
    }
    watcher.start();
    await wait(1_500);
    expect(watcher.topology.writer).toEqual({ kind: 'primary', node: 'a' });
    expect(warned).toHaveBeenCalled();
    warned.mockRestore();
  });
});

async function watcherRefresh(node?: string): Promise<void> {
  const refreshed = watcher.refresh(node);
  await wait(60);
  await refreshed;
}

describe('looking at once', () => {
  test('refresh looks at one node, or at all', async () => {
    watch(healthy).start();
    await wait(200);
    const before = looks();
    await watcherRefresh('b');
    expect(looks()).toBe(before + 1);
    await watcherRefresh();
    expect(looks()).toBe(before + 4);
  });

  test('refreshing an unknown node resolves', async () => {
    watch(healthy);
    await watcher.refresh('nobody');
  });

  test('a change of the writer makes it look at all nodes at once', async () => {
    watch(healthy).start();
    await wait(200);
    answer('a', refused);
    answer('b', master('b'));
    answer('c', slave('c', 'b'));
    await watcherRefresh('a');
    await wait(100);
    expect(watcher.topology.writer).toEqual({ kind: 'primary', node: 'b' });
    expect(told.slice(-2)).toContainEqual('primary null>b 2');
  });

  test('it does so before the pace of the hurry would', async () => {
    watch(healthy).start();
    await wait(200);
    answer('a', refused);
    const asked = watcher.refresh('a');
    const before = looks();
    await wait(20);
    await asked;
    expect(looks() - before).toBe(3);
  });

  test('the hurry ends when there is a writer again', async () => {
    watch(healthy).start();
    await wait(200);
    answer('a', refused);
    await watcherRefresh('a');
    await wait(1_000);
    answer('a', master('a'));
    await wait(1_000);
    const before = looks();
    await wait(5_000);
    expect(looks() - before).toBeLessThanOrEqual(3 * 7);
  });

  test('while there is no writer it looks faster, for 30 seconds', async () => {
    watch(healthy).start();
    await wait(200);
    answer('a', refused);
    await watcherRefresh('a');
    let before = looks();
    await wait(5_000);
    expect(looks() - before).toBeGreaterThan(3 * 15);
    await wait(40_000);
    before = looks();
    await wait(5_000);
    expect(looks() - before).toBeLessThanOrEqual(3 * 7);
  });

  test('with a writer a hurry does nothing', async () => {
    watch(healthy).start();
    await wait(200);
    const before = looks();
    watcher.hurry();
    await wait(1_900);
    expect(looks() - before).toBeLessThanOrEqual(3 * 3);
  });
});

describe('waiting for a writer', () => {
  test('a known writer is given at once', async () => {
    watch(healthy).start();
    await wait(100);
    expect(await watcher.waitForWriter(Deadline.of({ timeoutMs: 1 }))).toBe('a');
  });

  test('it gives the promoted node soon after the promotion', async () => {
    watch({ a: refused, b: orphan('b', 'a'), c: orphan('c', 'a') }).start();
    await wait(100);
    const writer = watcher.waitForWriter(Deadline.of({ timeoutMs: 20_000 }));
    await wait(3_000);
    answer('b', master('b'));
    answer('c', slave('c', 'b'));
    let found = '';
    void writer.then((node) => {
      found = node;
    });
    await wait(400);
    expect(found).toBe('b');
  });

  test('at the deadline it names every node, why it is not the primary, and what to do', async () => {
    watch({ a: refused, b: orphan('b', 'a'), c: orphan('c', 'a') }).start();
    await wait(100);
    const failed = errorOf(watcher.waitForWriter(Deadline.of({ timeoutMs: 500 })));
    await wait(501);
    const error = await failed;
    // The probes go on: what the error has is the picture of its moment.
    expect(error).toMatchObject({
      code: ErrorCode.NO_PRIMARY,
      topology: {
        writer: { kind: 'no-primary' },
        nodes: [{ id: 'a', state: 'down' }, { id: 'b' }, { id: 'c' }],
      },
    });
    expect(error.message).toMatch(/a: it is down \(refused\).*b: it is a replica.*promote/);
  });

  test('a split brain that lasts is told with both names', async () => {
    const both = seeds({ a: 'primary', b: 'primary' });
    watch(
      { a: master('a', { gtid: gtids({ a: 1 }) }), b: master('b', { gtid: gtids({ b: 1 }) }) },
      both,
    ).start();
    await wait(100);
    const failed = errorOf(watcher.waitForWriter(Deadline.of({ timeoutMs: 500 })));
    await wait(501);
    expect(await failed).toMatchObject({
      code: ErrorCode.SPLIT_BRAIN,
      message: expect.stringContaining('a and b'),
    });
  });

  test('the caller can give up', async () => {
    watch({ a: refused, b: orphan('b', 'a'), c: orphan('c', 'a') }).start();
    await wait(100);
    const abort = new AbortController();
    const failed = errorOf(watcher.waitForWriter(Deadline.of({ signal: abort.signal })));
    await wait(10);
    abort.abort();
    expect(await failed).toMatchObject({ code: ErrorCode.ABORTED });
  });

  test('closing ends the wait', async () => {
    watch({ a: refused, b: orphan('b', 'a'), c: orphan('c', 'a') }).start();
    await wait(100);
    const failed = errorOf(watcher.waitForWriter(Deadline.of({ timeoutMs: 60_000 })));
    await wait(10);
    watcher.close();
    expect(await failed).toMatchObject({ code: ErrorCode.CLOSED });
    expect(await errorOf(watcher.waitForWriter(Deadline.of(undefined)))).toMatchObject({
      code: ErrorCode.CLOSED,
    });
  });
});

describe('the list of nodes', () => {
  test('a node that is added is watched, and the writer stays meanwhile', async () => {
    watch(healthy).start();
    await wait(200);
    probes.set('d', new ScriptedProbe(slave('d', 'a'), 300));
    const [added] = seeds({ d: 'any' });
    if (added === undefined) throw new Error('no seed');
    watcher.add(added);
    watcher.add(added);
    expect(watcher.topology.writer).toEqual({ kind: 'primary', node: 'a' });
    await wait(1_000);
    expect(watcher.topology.nodes.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'a up',
      'b up',
      'c up',
      'd up',
    ]);
  });

  test('closing closes every probe once and tells nothing any more', async () => {
    watch(healthy).start();
    await wait(200);
    watcher.close();
    watcher.close();
    told = [];
    const before = looks();
    await watcher.refresh();
    watcher.hurry();
    await wait(5_000);
    expect(told).toEqual([]);
    expect(looks()).toBe(before);
    expect([...probes.values()].map(({ closed }) => closed)).toEqual([1, 1, 1]);
  });
});
