/** When hooks are called in the modes that act, and how long they may hold a change up, on real servers. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverOptions, type FailoverPlan } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 240_000 };
let servers: LocalCluster;
const open: Cluster[] = [];
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()));
});
afterAll(async () => {
  await servers?.close();
});

async function begin(more: FailoverOptions): Promise<Cluster> {
  const { admin, repl } = servers.accounts;
  const failover: FailoverOptions = {
    mode: 'auto',
    credentials: admin,
    replication: repl,
    maxLoss: 'any',
    leaseMs: 3_000,
    ...more,
  };
  const cluster = await createCluster({ mysql: servers.options().mysql, failover });
  open.push(cluster);
  return cluster;
}

test('who gives a switchover up waits for no delay that a hook wants', TIMEOUT, async () => {
  const given = new AbortController();
  const attempts: number[] = [];
  const cluster = await begin({
    automatic: false,
    hooks: {
      beforeSwitchover: ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 2) given.abort(new Error('the operator goes home'));
        return { delayMs: attempt === 1 ? 1 : 60_000 };
      },
    },
  });
  const before = performance.now();
  const result = await cluster.failover.switchover({ signal: given.signal });
  expect(result).toMatchObject({
    ok: false,
    clusterState: 'unchanged',
    error: expect.objectContaining({ message: 'the operator goes home' }),
  });
  expect(attempts).toEqual([1, 2]);
  // A minute is what it would have waited.
  expect(performance.now() - before).toBeLessThan(50_000);
});

test(
  'a read-only primary is told to `onDetected` of the elected process, and of no other one',
  TIMEOUT,
  async () => {
    const told: string[] = [];
    const hooksOf = (name: string): FailoverOptions => ({
      host: name,
      hooks: {
        onDetected: ({ kind, opId }) => void told.push(`${name} ${kind} ${opId === '' ? 'nameless' : ''}`),
      },
    });
    const elected = await begin(hooksOf('elected'));
    const led: boolean[] = [];
    elected.failover.on('leadership-changed', ({ leads }) => void led.push(leads));
    await eventually('it is elected', () => led.at(-1));
    await begin(hooksOf('other'));
    await servers.primary.query('SET GLOBAL read_only=1');
    await eventually('it is told', () => told.length > 0).catch(async (error: unknown) => {
      throw new Error(
        `${String(error)}\n${JSON.stringify([led, elected.failover.state, await elected.failover.history(30)])}`,
      );
    });
    await servers.primary.query('SET GLOBAL read_only=0');
    await eventually('it is over', () => elected.failover.state.failure === null);
    expect(new Set(told)).toEqual(new Set(['elected read-only-primary ']));
  },
);

test(
  'mode `approve`: the elected process asks with its plan, and fails over once it is allowed',
  TIMEOUT,
  async () => {
    const { primary: old } = servers;
    const asked: FailoverPlan[] = [];
    const cluster = await begin({
      mode: 'approve',
      leaseMs: 1_200,
      detector: { downAfterMs: 1_000, downAfterFailures: 2 },
      hooks: {
        approve: async ({ plan }) => {
          // Nothing is done before it has answered.
          expect(await writableNodes(servers)).toEqual([]);
          asked.push(plan);
          return asked.length === 1 ? { veto: 'nobody is awake' } : 'allow';
        },
      },
    });
    const blocked: string[] = [];
    cluster.failover.on('failover-blocked', ({ why }) => void blocked.push(why));
    await old.kill();
    const [next] = await eventually('another node takes writes', async () => {
      const writable = await writableNodes(servers);
      return writable.length === 1 ? writable : undefined;
    });
    expect(blocked[0]).toBe('Not approved: nobody is awake');
    expect(asked).toHaveLength(2);
    for (const plan of asked) expect(plan).toMatchObject({ kind: 'failover', from: old.id, to: next?.id });
    expect(asked[0]?.opId).not.toBe(asked[1]?.opId);
  },
);
