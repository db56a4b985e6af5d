/** What everybody is told in mode `auto`: a primary only where a majority votes for it, however well it looks from here. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { readinessOf } from '../../src/cluster-readiness.js';
import { dashboardState } from '../../src/dashboard/dashboard-state.js';
import {
  type Cluster,
  createCluster,
  type HaproxyAgent,
  startHaproxyAgent,
  startTopologyFile,
  type TopologyDocument,
  type TopologyFile,
} from '../../src/index.js';
import { databaseMetrics } from '../../src/telemetry/database-metrics.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { stormlamp } from '../support/run-node.js';

const TIMEOUT = { timeout: 240_000 };

let servers: LocalCluster;
let cluster: Cluster;
let folder: string;
let file: string;
let keeper: TopologyFile;
let agent: HaproxyAgent;
const written: TopologyDocument[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  await servers.waitForReplication();
  cluster = await createCluster({
    mysql: servers.options().mysql,
    failover: failover(),
  });
  folder = await mkdtemp(join(tmpdir(), 'stormlamp-php-tier-'));
  file = join(folder, 'topology.json');
  keeper = await startTopologyFile(cluster, { file });
  keeper.on('file-written', (document) => written.push(document));
  agent = await startHaproxyAgent(cluster, { port: 0 });
}, 120_000);
afterAll(async () => {
  await agent?.close();
  await keeper?.close();
  await cluster?.close();
  await servers?.close();
  await rm(folder, { recursive: true, force: true });
});

function failover() {
  return {
    mode: 'auto',
    credentials: servers.accounts.admin,
    replication: servers.accounts.repl,
    leaseMs: 2_000,
    maxLoss: 'any',
  } as const;
}

async function inFile(): Promise<TopologyDocument> {
  return JSON.parse(await readFile(file, 'utf8')) as TopologyDocument;
}

/** What `stormlamp status` is configured with. */
function operator(): Parameters<typeof lookAtCluster>[0]['options'] {
  return { mysql: servers.options().mysql, failover: failover() };
}

/** What `stormlamp explain` says of a write, and its exit code. */
async function explained(): Promise<readonly [number | null, unknown]> {
  const config = join(folder, 'options.json');
  await writeFile(config, JSON.stringify(operator()));
  const words = ['explain', 'INSERT INTO t VALUES (1)', '--config', config, '--json'];
  const { code, stdout } = await stormlamp(words);
  return [code, JSON.parse(stdout)];
}

function primaries(): readonly number[] {
  const metric = databaseMetrics.find(({ name }) => name === 'stormlamp_node_primary');
  return metric?.read(cluster).map(({ value }) => value) ?? [];
}

function ask(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(agent.port, '127.0.0.1', () => socket.write(`${line}\n`));
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

test('a primary without a majority is none, and is one again when the voters are back', TIMEOUT, async () => {
  const { primary, replicas } = servers;
  const is = async (id: string | null): Promise<boolean> => ((await inFile()).primary?.id ?? null) === id;
  await eventually('it is the primary', () => is(primary.id));
  expect(await ask(`${primary.id} write`)).toBe('up ready 100%\n');
  for (const replica of replicas) await replica.pause();
  try {
    await eventually('it is none for PHP', () => is(null));
    // It takes writes, and everybody who looks only at it finds it well.
    const [row] = await primary.query('SELECT @@global.read_only AS closed');
    expect(Number(row?.['closed'])).toBe(0);
    expect(cluster.topology().writer).toEqual({ kind: 'primary', node: primary.id });
    expect(cluster.failover.state.voted).toBeNull();
    expect((await inFile()).failure).not.toBeNull();
    await eventually('nor for HAProxy', async () => /^ready down #/.test(await ask(`${primary.id} write`)));
    expect(readinessOf(cluster, ['writes'])).toMatchObject({
      ready: false,
      writes: false,
      because: [expect.stringContaining('this process may not write')],
    });
    const page = dashboardState(cluster, [], [], Date.now());
    expect(page.writer).toBeNull();
    expect(page.problems[0]).toMatchObject({ severity: 'critical' });
    expect(primaries()).toEqual([0, 0, 0]);
    const { node, because } = cluster.mysql.explain('INSERT INTO t VALUES (1)');
    expect([node, because]).toEqual([undefined, expect.stringContaining('no right to write')]);
    // The monitor sees the primary well, and so do others who look only at it.
    const told = await lookAtCluster({ options: operator(), source: 'this test' });
    expect(told.ok).toBe(false);
    expect(problemsOf(told)).toContainEqual(
      expect.stringContaining(`Nothing may be written to ${primary.id}`),
    );
    expect(await explained()).toMatchObject([1, { ok: false, node: null }]);
  } finally {
    for (const replica of replicas) await replica.resume();
  }
  await eventually('it is the primary again', () => is(primary.id));
  expect([readinessOf(cluster, ['writes']).ready, Math.max(...primaries())]).toEqual([true, 1]);
  expect(cluster.mysql.explain('INSERT INTO t VALUES (1)').node).toBe(primary.id);
  expect(await explained()).toMatchObject([0, { ok: true, node: primary.id, because: 'it writes' }]);
  await eventually('nothing is wrong for who looks', async () => {
    const { ok } = await lookAtCluster({ options: operator(), source: 'this test' });
    return ok;
  });
  expect(await ask(`${primary.id} write`)).toBe('up ready 100%\n');
});

test(
  'in a switchover PHP is told of the old primary, then of the new one, and of no third thing',
  TIMEOUT,
  async () => {
    const before = servers.primary.id;
    await eventually('the replicas are fit', async () => (await inFile()).replicas.length === 2);
    written.length = 0;
    const result = await cluster.failover.switchover();
    if (!result.ok) throw result.error;
    const { to } = result.plan;
    await eventually('it is in the file', async () => (await inFile()).primary?.id === to);
    await eventually(
      'it is the one for HAProxy',
      async () => (await ask(`${to} write`)) === 'up ready 100%\n',
    );
    const told = written.flatMap(({ primary }) => (primary === null ? [] : [primary.id]));
    expect(told.filter((id, index) => id !== told[index - 1]).filter((id) => id !== before)).toEqual([to]);
    console.log('without a primary in the file', written.filter(({ primary }) => primary === null).length);
  },
);
