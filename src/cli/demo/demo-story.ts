/** The demo's story: what happens, and how each step is verified from the real state of the servers. */

import type { Cluster } from '../../create-cluster.js';
import type { LocalCluster } from '../../testing/index.js';
import { effectiveLagMs } from '../../topology/node-description.js';
import { nodeIn } from '../../topology/topology-description.js';
import { wait } from '../wait.js';
import { copyOn, whoAnswers } from './real-state.js';
import type { ShopClient } from './shop-client.js';

/** What the steps work with. */
export interface DemoWorld {
  /** The servers. */
  readonly servers: LocalCluster;
  /** The client that is shown. */
  readonly cluster: Cluster;
  /** The customer. */
  readonly customer: ShopClient;
  /** Fires when the demo is interrupted. */
  readonly signal: AbortSignal;
  /** Tells what is going on inside a long step. */
  tell(detail: string): void;
}

/** What a step found. */
export interface StepOutcome {
  /** Whether the real state is what it should be. */
  readonly verified: boolean;
  /** Names of the nodes that took part. */
  readonly nodes: readonly string[];
  /** What was found, in words. */
  readonly detail: string;
}

/** One step of the story. */
export interface DemoStep {
  /** Stable name for programs. */
  readonly name: string;
  /** What happens, for people. */
  readonly title: string;
  /** Does it and verifies it. */
  run(world: DemoWorld): Promise<StepOutcome>;
}

/** Reads of a replica that is further behind than this go elsewhere, in the demo. */
export const DEMO_MAX_LAG_MS = 2_500;
const STEP_PATIENCE_MS = 30_000;

/** Whether all servers answer, PHP through its own web server. */
export async function serversAnswer({ servers, customer, signal }: DemoWorld): Promise<StepOutcome> {
  const [answering, page] = await Promise.all([
    whoAnswers(servers, signal),
    customer.ask('GET', '/me.php', signal),
  ]);
  const all = names(servers);
  const verified = page.status === 200 && all.every((name) => answering.includes(name));
  return { verified, nodes: [...all, 'web1'], detail: `${answering.join(', ')} and PHP answer` };
}

/** The story, in order. */
export const DEMO_STEPS: readonly DemoStep[] = [
  {
    name: 'replication-runs',
    title: 'What the primary writes is on both replicas',
    async run({ servers }) {
      const servedBy = await Promise.all(
        [servers.primary, ...servers.replicas].map((node) =>
          node.query<{ n: number }>('SELECT COUNT(*) AS n FROM shop.cart'),
        ),
      );
      const verified = servedBy.every((rows) => Number(rows[0]?.n) === 0);
      const nodes = servers.databases.map((node) => node.name);
      return { verified, nodes, detail: 'the table made on the primary is on every replica' };
    },
  },
  {
    name: 'login-on-php',
    title: 'Ada logs in on PHP',
    async run({ servers, cluster, customer, signal }) {
      await customer.ask('POST', '/login.php?user=ada', signal);
      const id = customer.sessionId ?? '';
      const expected = cluster.sessions.holders(id).map((node) => nameOf(servers, node));
      const holders = await holdersOf(servers, id, '"ada"', signal);
      const verified = holders.length > 0 && same([...holders].sort(), [...expected].sort());
      return {
        verified,
        nodes: ['web1', ...holders],
        detail: `PHP stored the session on ${holders.join(' and ')}`,
      };
    },
  },
  {
    name: 'node-sees-login',
    title: 'Node knows who she is',
    async run({ servers, cluster, customer, signal }) {
      const { body } = await customer.ask('GET', '/node/me', signal);
      const verified = (body['user'] as { name?: unknown } | null)?.name === 'ada' && body['balance'] === 100;
      return {
        verified,
        nodes: [firstHolder(servers, cluster, customer)],
        detail: `Node read user '${nameIn(body)}' from the session`,
      };
    },
  },
  {
    name: 'node-writes-cart',
    title: 'Node puts a lamp into her cart in MySQL, and a variable into the session',
    async run({ servers, customer, signal }) {
      const { status } = await customer.ask('POST', '/node/cart?item=lamp', signal);
      const rows = await servers.primary.query<{ item: string }>(
        "SELECT item FROM shop.cart WHERE owner = 'ada'",
      );
      const verified = status === 201 && rows.length === 1 && rows[0]?.item === 'lamp';
      return { verified, nodes: [servers.primary.name], detail: `the row is on ${servers.primary.name}` };
    },
  },
  {
    name: 'php-sees-cart',
    title: 'PHP sees the cart and the variable',
    async run({ customer, signal }) {
      const cart = await customer.ask('GET', '/cart.php', signal);
      const me = await customer.ask('GET', '/me.php', signal);
      const items = cart.body['items'];
      const verified =
        Array.isArray(items) &&
        items[0] === 'lamp' &&
        me.body['lastItem'] === 'lamp' &&
        nameIn(me.body) === 'ada';
      return { verified, nodes: ['web1'], detail: `PHP listed ${JSON.stringify(items)}` };
    },
  },
  {
    name: 'reads-are-spread',
    title: 'Reads go to the replicas, writes to the primary',
    async run(world) {
      const { servers } = world;
      const readers = await readersOf(world, 40);
      const replicas = servers.replicas.map((node) => node.name);
      const verified =
        [...readers].every((name) => replicas.includes(name)) && readers.size === replicas.length;
      return {
        verified,
        nodes: [...readers].sort(),
        detail: `40 reads were served by ${[...readers].sort().join(' and ')}`,
      };
    },
  },
  {
    name: 'memcached-node-dies',
    title: 'The memcached node that holds her session is killed',
    async run({ servers, cluster, customer, signal }) {
      const victim = firstHolder(servers, cluster, customer);
      await servers.memcached.find((node) => node.name === victim)?.kill();
      const { body } = await customer.ask('GET', '/node/me', signal);
      await customer.ask('POST', '/node/cart?item=shade', signal);
      const survivor = servers.memcached.find((node) => node.name !== victim)?.name ?? '';
      const saved = await holdersOf(servers, customer.sessionId, 'shade', signal);
      const verified = nameIn(body) === 'ada' && same(saved, [survivor]);
      return {
        verified,
        nodes: [victim, survivor],
        detail: `${victim} is dead; Node still knows ${nameIn(body)}, and saves on ${survivor}`,
      };
    },
  },
  {
    name: 'replica-falls-behind',
    title: 'A replica falls behind; reads leave it, and come back when it has caught up',
    run: replicaFallsBehind,
  },
  {
    name: 'primary-is-replaced',
    title: 'The primary dies and somebody promotes a replica; writes follow',
    run: primaryIsReplaced,
  },
  {
    name: 'nothing-was-lost',
    title: 'Her cart and her login are all there',
    async run({ servers, customer, signal }) {
      const rows = await servers.primary.query<{ item: string }>(
        "SELECT item FROM shop.cart WHERE owner = 'ada' ORDER BY id",
      );
      const items = rows.map((row) => row.item);
      // The page reads from a replica, which may be some milliseconds behind the order of a moment ago.
      await servers.waitForReplication({ signal });
      const { body } = await customer.ask('GET', '/node/cart', signal);
      // PHP's own memcached handler does not survive the death of the first node; Node does.
      const me = await customer.ask('GET', '/node/me', signal);
      const holders = await holdersOf(servers, customer.sessionId, '"ada"', signal);
      const expected = ['lamp', 'shade', 'bulb'];
      const isLoggedIn = nameIn(me.body) === 'ada' && holders.length > 0;
      return {
        verified: same(items, expected) && same(body['items'], expected) && isLoggedIn,
        nodes: [servers.primary.name, ...holders],
        detail: `${servers.primary.name} holds ${items.join(', ')}; ${holders.join(' and ')} the login of ${nameIn(me.body)}`,
      };
    },
  },
];

async function replicaFallsBehind(world: DemoWorld): Promise<StepOutcome> {
  const { servers, cluster, signal, tell } = world;
  const victim = servers.replicas[0];
  if (victim === undefined) return { verified: false, nodes: [], detail: 'there is no replica' };
  const lag = (): number | null => {
    const node = nodeIn(cluster.topology(), victim.id);
    return node === undefined ? null : effectiveLagMs(node, performance.now());
  };
  await cluster.mysql.query('CREATE TABLE IF NOT EXISTS pulse (n INT)');
  await servers.waitForReplication();
  // What a long report on a replica does: its lock stops the thread that applies the primary's writes.
  await victim.query('LOCK TABLES shop.pulse READ');
  const unlock = (): Promise<unknown> => victim.query('UNLOCK TABLES');
  try {
    const late = await until(world, async () => {
      await cluster.mysql.query('INSERT INTO pulse VALUES (1)');
      const now = lag();
      tell(`${victim.name} is ${now === null ? 'not measured' : `${Math.round(now)} ms`} behind`);
      return now !== null && now > DEMO_MAX_LAG_MS;
    });
    if (!late) return { verified: false, nodes: [victim.name], detail: `${victim.name} did not fall behind` };
    const during = await readersOf(world, 40);
    await unlock();
    tell(`${victim.name} catches up`);
    let after = new Set<string>();
    const back = await until(world, async () => {
      after = await readersOf(world, 20);
      return after.has(victim.name);
    });
    const verified = !during.has(victim.name) && during.size > 0 && back;
    const detail = `while behind, ${[...during].join(' and ')} served all reads; then ${[...after].sort().join(' and ')}`;
    return { verified, nodes: [victim.name, ...during], detail };
  } finally {
    if (!signal.aborted) await unlock();
  }
}

async function primaryIsReplaced(world: DemoWorld): Promise<StepOutcome> {
  const { servers, cluster, customer, signal, tell } = world;
  const old = servers.primary;
  const next = servers.replicas[0];
  if (next === undefined) return { verified: false, nodes: [old.name], detail: 'there is no replica' };
  await servers.waitForReplication();
  await old.kill();
  tell(`${old.name} is dead`);
  // The shop goes on selling: this request waits until there is a primary again.
  const order = customer.ask('POST', '/node/cart?item=bulb', signal);
  // It may fail while the promotion is waited for, or instead of it; whoever waits for it below is told.
  order.catch(() => undefined);
  await servers.promote(next);
  tell(`${next.name} was promoted with plain SQL`);
  const { status } = await order;
  const rows = await next.query<{ item: string }>(
    "SELECT item FROM shop.cart WHERE owner = 'ada' AND item = 'bulb'",
  );
  const writer = cluster.topology().writer;
  const verified =
    status === 201 && rows.length === 1 && writer.kind === 'primary' && writer.node === next.id;
  return {
    verified,
    nodes: [old.name, next.name],
    detail: `the order that was under way is on ${next.name}`,
  };
}

/** Names of the nodes that served `count` reads, as the servers tell it. */
async function readersOf({ servers, cluster, signal }: DemoWorld, count: number): Promise<Set<string>> {
  const nodes = [servers.primary, ...servers.replicas];
  const readers = new Set<string>();
  await Promise.all(
    Array.from({ length: count }, async () => {
      const [rows] = await cluster.mysql.query({ sql: 'SELECT @@server_id AS id', signal });
      const id = (rows as { id: number }[])[0]?.id;
      readers.add(nodes.find((node) => node.serverId === id)?.name ?? `server ${id}`);
    }),
  );
  return readers;
}

async function until({ signal }: DemoWorld, happened: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + STEP_PATIENCE_MS;
  while (!(await happened())) {
    signal.throwIfAborted();
    if (performance.now() > end) return false;
    await wait(100, signal);
  }
  return true;
}

function names(servers: LocalCluster): readonly string[] {
  return [servers.primary, ...servers.replicas, ...servers.memcached].map((node) => node.name);
}

/** Names of the memcached nodes that run and hold the session with `text` in it. */
async function holdersOf(
  servers: LocalCluster,
  sessionId: string | undefined,
  text: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const running = servers.memcached.filter((node) => node.running);
  const copies = await Promise.all(running.map((node) => copyOn(node, sessionId, signal)));
  return running.filter((_, index) => copies[index]?.includes(text) === true).map((node) => node.name);
}

function nameOf(servers: LocalCluster, id: string): string {
  return servers.memcached.find((node) => node.id === id)?.name ?? id;
}

function firstHolder(servers: LocalCluster, cluster: Cluster, customer: ShopClient): string {
  return nameOf(servers, cluster.sessions.holders(customer.sessionId ?? '')[0] ?? '');
}

function nameIn(body: Readonly<Record<string, unknown>>): unknown {
  return (body['user'] as { name?: unknown } | null)?.name;
}

function same(found: unknown, expected: readonly string[]): boolean {
  return JSON.stringify(found) === JSON.stringify(expected);
}
