/** Processes that share a memcached: one looks at the databases, the others know what it saw, and go on when it is gone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterOptions } from '../../src/cluster-options.js';
import { type Cluster, createCluster } from '../../src/create-cluster.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { killSessions } from '../support/kill-sessions.js';
import { startNode } from '../support/run-node.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
const clusters: Cluster[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({
    ...ONE_CLIENT_DATABASE.options,
    replicas: 2,
    memcached: 1,
    php: false,
  });
  for (let count = 0; count < 4; count += 1) {
    const { mysql, sessions } = optionsOfTwo();
    // On a busy machine a server is slow and not down.
    const monitor = { ...mysql.monitor, intervalMs: 300, timeoutMs: 10_000, share: true };
    clusters.push(
      await createCluster({
        mysql: { ...mysql, monitor, discover: false, startTimeoutMs: 60_000 },
        sessions: { ...sessions, copies: 1 },
      }),
    );
  }
});
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.close()));
  await servers?.close();
});

/** The options for the primary and one replica; the other one belongs to nobody. */
function optionsOfTwo(): ReturnType<LocalCluster['options']> {
  const { mysql, ...others } = servers.options();
  return { ...others, mysql: { ...mysql, replicas: mysql.replicas.slice(0, 1) } };
}
const watcherOf = (cluster: Cluster) => cluster.mysql.failoverPorts().watcher;
const leaders = (): Cluster[] => clusters.filter((cluster) => watcherOf(cluster).leads);
const ageOf = (cluster: Cluster): number =>
  Math.max(
    ...cluster
      .topology()
      .nodes.map((node) =>
        node.state === 'up' ? performance.now() - node.seenAt : Number.POSITIVE_INFINITY,
      ),
  );
/** The statements that the replica was asked by the monitors. */
async function questions(): Promise<number> {
  const [row] = (await servers.replicas[0]?.query("SHOW GLOBAL STATUS LIKE 'Com_show_slave_status'")) ?? [];
  return Number(row?.['Value']);
}

test('one of them looks, and all know', async () => {
  await eventually('one leads', () => leaders().length === 1);
  // The others have to read twice before they stop to look.
  await eventually('only one asks', async () => {
    const before = await questions();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // Four processes would ask sixteen to twenty times.
    return (await questions()) - before <= 8;
  });
  for (const cluster of clusters) {
    expect(cluster.topology().writer).toEqual({ kind: 'primary', node: servers.primary.id });
    expect(ageOf(cluster)).toBeLessThan(10_000);
  }
});

test('what the one sees, the others see: a replica that stops is left out by all', async () => {
  const [replica] = servers.replicas;
  await replica?.query('STOP SLAVE SQL_THREAD');
  for (const cluster of clusters) {
    await eventually(
      'the replica is left out',
      () => cluster.mysql.explain('SELECT 1').node === servers.primary.id,
    );
  }
  await replica?.query('START SLAVE SQL_THREAD');
  for (const cluster of clusters) {
    await eventually(
      'the replica serves again',
      () => cluster.mysql.explain('SELECT 1').node === replica?.id,
    );
  }
});

/** A process whose connections to one port lead to another one; it reads all the time, and tells over and over what it sees. */
const ELSEWHERE = `
  import net from 'node:net';
  const [options, from, to] = JSON.parse(process.argv[1]);
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...args) {
    const [options] = [args[0]].flat();
    if (options.port === from) options.port = to;
    return connect.apply(this, args);
  };
  const { createCluster } = await import('./dist/index.js');
  const { mysql } = await createCluster(options);
  let looks = 0;
  const seen = new Set();
  mysql.failoverPorts().watcher.on('node-observed', ({ node, ok, facts }) => {
    if (!node.endsWith(String(from)) || !ok) return;
    looks += 1;
    seen.add(facts.serverId);
  });
  let read = 0;
  let waiting = 0;
  setInterval(async () => {
    waiting += 1;
    await mysql.query('SELECT 1');
    waiting -= 1;
    read += 1;
  }, 50);
  setInterval(() => {
    const { leads } = mysql.failoverPorts().watcher;
    const states = mysql.topology().nodes.map(({ state }) => state).join();
    const reader = mysql.explain('SELECT 1').node;
    console.log(JSON.stringify({ leads, states, reader, looks, seen: [...seen], read, waiting }));
  }, 100);
`;

/** Two nodes for processes that share in a group of their own: only those with the same source of lag do. */
function sharedOptions(intervalMs: number, timeoutMs: number): ClusterOptions {
  const { mysql, sessions } = optionsOfTwo();
  const monitor = { ...mysql.monitor, intervalMs, timeoutMs, share: true, lagSource: 'gtid' as const };
  return {
    mysql: { ...mysql, monitor, discover: false, startTimeoutMs: 60_000 },
    sessions: { ...sessions, copies: 1 },
  };
}

interface Told {
  readonly leads: boolean;
  readonly states: string;
  readonly reader: string | null;
  /** Looks at the node whose port leads elsewhere, and the servers that answered them. */
  readonly looks: number;
  readonly seen: readonly number[];
  /** Reads that were answered, and that wait. */
  readonly read: number;
  readonly waiting: number;
}

/** Such a process, for which the way to `from` leads to `to`. */
function startElsewhere(options: ClusterOptions, from: number, to: number) {
  const args = ['--input-type=module', '-e', ELSEWHERE, JSON.stringify([options, from, to])];
  const { child, finished, output } = startNode(args);
  return {
    /** What it told last; undefined before it told anything. */
    told: (): Told | undefined => {
      const line = output().trimEnd().split('\n').at(-1) ?? '';
      return line.startsWith('{') ? (JSON.parse(line) as Told) : undefined;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await finished;
    },
  };
}

test('a replica that only the one who looks cannot reach serves all others', async () => {
  const replica = servers.replicas[0] as LocalDatabaseNode;
  const options = sharedOptions(100, 10_000);
  await using odd = startElsewhere(options, replica.port, 1);
  await eventually('it leads', () => odd.told()?.leads === true && odd.told()?.states === 'up,down');
  await using sound = await createCluster(options);
  const states: string[] = [];
  let looks = 0;
  sound.mysql.on('node-changed', ({ after }) => states.push(after.state));
  watcherOf(sound).on('node-observed', ({ node }) => {
    if (node === replica.id) looks += 1;
  });
  // What was published is believed from the second look at it on.
  await eventually('the other has followed for a while', () => looks >= 20);
  expect(states).not.toContain('down');
  await eventually('the replica serves', () => sound.mysql.explain('SELECT 1').node === replica.id);
});

test('a replica that only one of the others cannot reach, in silence, is left out by that one alone', async () => {
  const replica = servers.replicas[0] as LocalDatabaseNode;
  const way = await FaultProxy.open(() => replica.port);
  try {
    const options = sharedOptions(300, 1_000);
    await using sound = await createCluster(options);
    await eventually('the one leads', () => watcherOf(sound).leads);
    await using odd = startElsewhere(options, replica.port, way.port);
    await eventually('the other one follows, and reads', () => {
      const told = odd.told();
      return told?.leads === false && told.states === 'up,up' && told.read > 100;
    });
    const cut = way.partition();
    await eventually('it knows', () => odd.told()?.states === 'up,down');
    await eventually('nothing waits there any more', () => (odd.told()?.waiting ?? 99) <= 1);
    const { read = 0 } = odd.told() ?? {};
    const seen: string[] = [];
    await eventually('it reads on', () => {
      const told = odd.told();
      if (told !== undefined) seen.push(told.states);
      return (told?.read ?? 0) > read + 100;
    });
    expect(new Set(seen)).toEqual(new Set(['up,down']));
    expect(sound.topology().nodes.map(({ state }) => state)).toEqual(['up', 'up']);
    cut.heal();
    await eventually('it is back', () => odd.told()?.states === 'up,up');
  } finally {
    way.destroy();
  }
});

test('an account that is refused costs only the one who looks with it: the others read and write on', async () => {
  const { primary } = servers;
  const [replica] = servers.replicas;
  const nodes = [primary, ...servers.replicas];
  await primary.query("CREATE USER 'looker'@'%' IDENTIFIED BY 'before'");
  await primary.query("GRANT ALL ON *.* TO 'looker'@'%'");
  await primary.query('CREATE TABLE shop.counted (id INT PRIMARY KEY, v INT)');
  await primary.query('INSERT INTO shop.counted VALUES (1, 0)');
  await servers.waitForReplication();
  const optionsWith = (credentials: object = {}): ClusterOptions => {
    const { mysql, ...others } = sharedOptions(300, 10_000);
    return {
      ...others,
      mysql: { ...mysql, monitor: { ...mysql?.monitor, ...credentials } },
    } as ClusterOptions;
  };
  await using culprit = await createCluster(
    optionsWith({ credentials: { user: 'looker', password: 'before' } }),
  );
  await eventually('it leads', () => watcherOf(culprit).leads);
  await using sound = await createCluster(optionsWith());
  const told: string[] = [];
  let looks = 0;
  sound.mysql.on('breaker-changed', (change) => told.push(JSON.stringify(change)));
  watcherOf(sound).on('node-observed', (observation) => {
    looks += 1;
    if (!observation.ok) told.push(`${observation.node} ${observation.failure}`);
  });
  const refusals = new Set<string>();
  watcherOf(culprit).on('node-observed', (observation) => {
    if (!observation.ok && observation.failure === 'access-denied') refusals.add(observation.node);
  });
  await eventually('the other follows', () => looks >= 10);
  await primary.query("ALTER USER 'looker'@'%' IDENTIFIED BY 'after'");
  await servers.waitForReplication();
  for (const node of nodes) await killSessions(node, "USER = 'looker'");
  await eventually('both nodes refuse it', () => refusals.size === 2);
  looks = 0;
  let writes = 0;
  await eventually('the other has read and written on for a while', async () => {
    await sound.mysql.execute('UPDATE counted SET v = v + 1 WHERE id = 1');
    writes += 1;
    await sound.mysql.query('SELECT v FROM counted');
    return looks >= 30;
  });
  expect(told).toEqual([]);
  expect(sound.mysql.topology().nodes.map(({ breaker }) => breaker)).toEqual(['closed', 'closed']);
  expect(await primary.query('SELECT v FROM shop.counted')).toMatchObject([{ v: writes }]);
  await eventually('the replica serves', () => sound.mysql.explain('SELECT 1').node === replica?.id);
  await eventually('the other one looks for all', () => watcherOf(sound).leads && !watcherOf(culprit).leads);
});

test('an address that leads to another server elsewhere is looked at there', async () => {
  const [replica, other] = servers.replicas as [LocalDatabaseNode, LocalDatabaseNode];
  await other.query('STOP SLAVE SQL_THREAD');
  const { mysql, sessions } = optionsOfTwo();
  const monitor = { ...mysql.monitor, intervalMs: 150, timeoutMs: 10_000, share: true };
  const options = {
    mysql: { ...mysql, monitor, discover: false, startTimeoutMs: 60_000 },
    sessions: { ...sessions, copies: 1 },
  };
  await eventually('one leads', () => leaders().length === 1);
  try {
    await using elsewhere = startElsewhere(options as ClusterOptions, replica.port, other.port);
    await eventually('it has followed for a while', () => (elsewhere.told()?.looks ?? 0) >= 25);
    expect(elsewhere.told()).toMatchObject({
      leads: false,
      seen: [other.serverId],
      reader: servers.primary.id,
    });
  } finally {
    await other.query('START SLAVE SQL_THREAD');
  }
});

if (process.env['STORMLAMP_CHAOS'] === '1')
  test('a memcached that hangs makes no call wait and no picture old: reads stay on the replica', async () => {
    const [memcached] = servers.memcached;
    const [replica] = servers.replicas;
    let oldest = 0;
    let slowest = 0;
    await memcached?.pause();
    try {
      // Longer than the default `maxLagMs`: without looks of their own nobody could know the replica to be fresh.
      const until = performance.now() + 8_000;
      while (performance.now() < until) {
        for (const cluster of clusters) {
          const begun = performance.now();
          const [rows] = await cluster.mysql.query<never>({
            sql: 'SELECT @@server_id AS id',
            timeoutMs: 1_000,
          });
          slowest = Math.max(slowest, performance.now() - begun);
          expect(rows).toEqual([{ id: replica?.serverId }]);
          oldest = Math.max(oldest, ageOf(cluster));
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(leaders()).toEqual([]);
    } finally {
      await memcached?.resume();
    }
    console.log(
      `memcached hung: oldest look ${Math.round(oldest)} ms, slowest read ${Math.round(slowest)} ms`,
    );
    await eventually('one leads again', () => leaders().length === 1);
  });

test('another one looks when the one is closed, and all do when memcached is gone', async () => {
  await eventually('one leads', () => leaders().length === 1);
  const [leader] = leaders();
  if (leader === undefined) throw new Error('Nobody leads');
  clusters.splice(clusters.indexOf(leader), 1);
  await leader.close();
  await eventually('another one leads', () => leaders().length === 1);
  await servers.memcached[0]?.kill();
  await eventually('nobody leads', () => leaders().length === 0);
  const since = performance.now();
  await eventually('all look for themselves', () =>
    clusters.every((cluster) =>
      cluster.topology().nodes.every((node) => node.state === 'up' && node.seenAt > since),
    ),
  );
  await servers.memcached[0]?.start();
  await eventually('one leads again', () => leaders().length === 1);
});
