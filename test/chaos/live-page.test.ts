/** The live page in a real browser, driven through a failover: what it shows, that it needs nothing else, and that all can use it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import axe from 'axe-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dashboard } from '../../src/dashboard/index.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { Chromium } from '../support/chromium.js';
import { ROOT } from '../support/run-node.js';

const PICTURES = join(ROOT, 'docs/pictures');
let servers: LocalCluster;
let cluster: Cluster;
let browser: Chromium;
let server: Server;
let url: string;
let traffic: NodeJS.Timeout;
/** What everything is answered with, as by a proxy whose process restarts. */
let instead: number | undefined;
let answeredInstead = 0;
beforeAll(async () => {
  browser = await Chromium.start();
  servers = await startLocalCluster({ php: false });
  await servers.waitForReplication();
  cluster = await createCluster(servers.options());
  await cluster.mysql.query(
    'CREATE TABLE IF NOT EXISTS cart (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(50))',
  );
  const page = dashboard(cluster, { allowActions: true, title: 'Shop' });
  server = createServer((request, response) => {
    if (instead === undefined) return page(request, response);
    answeredInstead += 1;
    response.writeHead(instead).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  let n = 0;
  traffic = setInterval(() => {
    n += 1;
    cluster.mysql.query("SELECT id FROM cart WHERE owner = 'secret-customer' LIMIT 5").catch(() => undefined);
    if (n % 5 === 0)
      cluster.mysql.query("INSERT INTO cart (owner) VALUES ('secret-customer')").catch(() => undefined);
  }, 20);
}, 1_800_000);
afterAll(async () => {
  clearInterval(traffic);
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await cluster?.close();
  await servers?.close();
});

const shown = (): Promise<string> => browser.evaluate('document.body.innerText') as Promise<string>;
const shows = (what: string | RegExp): Promise<unknown> =>
  eventually(`the page shows ${what}`, async () => (await shown()).match(what) !== null);
async function picture(name: string, width = 1_280, scheme: 'light' | 'dark' = 'light'): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(join(PICTURES, `${name}.png`), await browser.screenshot(width, scheme));
}
/** What axe finds wrong, by rule. */
async function violations(): Promise<unknown> {
  await browser.evaluate(`${axe.source}; void 0`);
  await browser.evaluate(
    'window.found = undefined; axe.run().then(({ violations }) => { window.found = violations.map(({ id, nodes }) => [id, nodes[0].html]); }); void 0',
  );
  return await eventually(
    'axe has looked',
    async () => (await browser.evaluate('window.found')) as unknown[] | undefined,
  );
}

test('it shows the cluster, problems first, and needs no other host', async () => {
  await browser.open(url);
  await shows('Nothing is wrong');
  await shows(/SELECT id FROM cart WHERE owner = \? LIMIT \?/);
  await eventually(
    'it was drawn for ten seconds',
    async () => Number(await browser.evaluate('document.body.dataset.drawn')) >= 10,
  );
  const text = await shown();
  for (const { id } of servers.databases) expect(text).toContain(id);
  for (const { id } of servers.memcached) expect(text).toContain(id);
  expect(text).not.toContain('secret-customer');
  expect(text.indexOf('Problems')).toBeLessThan(text.indexOf('Databases'));
  const hosts = (await browser.evaluate(
    'performance.getEntriesByType("resource").map(({ name }) => new URL(name).host)',
  )) as string[];
  expect(hosts.filter((host) => host !== new URL(url).host)).toEqual([]);
  expect(await violations()).toEqual([]);
  await picture('live-page');
  await picture('live-page-dark', 1_280, 'dark');
  await browser.screenshot(420);
  expect(await violations()).toEqual([]);
});

test('a failover, as it happens', async () => {
  const old = servers.primary;
  await old.kill();
  await shows(/Critical: .*dead-primary/);
  await shows('objectively-down');
  await picture('live-page-failure');
  expect(await violations()).toEqual([]);
  const [next] = servers.replicas.filter(({ running }) => running);
  if (next === undefined) throw new Error('there is no replica');
  await servers.promote(next);
  await shows(`primary ${next.id}`);
  await shows(new RegExp(`writes go from ${old.id} to ${next.id} after`));
  await servers.rejoin(old).catch(() => undefined);
  await old.start();
  await servers.rejoin(old);
  await shows('Nothing is wrong');
});

/** Goes by keyboard to the button that confirms the plan, and presses it. */
async function confirm(): Promise<void> {
  await eventually(
    'the plan is shown',
    async () => (await browser.evaluate('document.getElementById("plan").open')) === true,
  );
  await eventually('the button has the focus', async () => {
    if ((await browser.evaluate('document.activeElement.id')) === 'plan-confirm') return true;
    await browser.press('Tab');
    return false;
  });
  await browser.press('Enter');
}

test('what somebody has selected stays selected while the page goes on', async () => {
  const drawn = async (): Promise<number> => Number(await browser.evaluate('document.body.dataset.drawn'));
  await browser.evaluate(
    'getSelection().selectAllChildren(document.querySelector("#topology-table tbody td")); void 0',
  );
  const selected = await browser.evaluate('String(getSelection())');
  expect(servers.databases.map(({ id }) => id)).toContain(selected);
  const before = await drawn();
  await eventually('it was drawn three times more', async () => (await drawn()) >= before + 3);
  expect(await browser.evaluate('String(getSelection())')).toBe(selected);
});

test('a node is taken out and let in by keyboard, after a look at the plan', async () => {
  const [node] = servers.replicas;
  if (node === undefined) throw new Error('there is no replica');
  const suspicion = (): string | undefined =>
    cluster.failover.state.nodes.find((each) => each.node === node.id)?.suspicion;
  await browser.evaluate(`document.querySelector('[aria-label="Take out ${node.id}"]').focus(); void 0`);
  await browser.press('Enter');
  await eventually(
    'the plan is shown',
    async () => (await browser.evaluate('document.getElementById("plan").open')) === true,
  );
  await shows('Send no calls of this process to');
  expect(await violations()).toEqual([]);
  // A key that is held down for a moment too long confirms nothing.
  await browser.press('Enter');
  await eventually(
    'the plan is left',
    async () => (await browser.evaluate('document.getElementById("plan").open')) === false,
  );
  expect(suspicion()).toBe('up');
  await browser.press('Enter');
  await confirm();
  await eventually('the node is out', () => suspicion() === 'isolated');
  await shows('isolated');
  await browser.evaluate(`document.querySelector('[aria-label="Let in ${node.id}"]').click(); void 0`);
  await eventually(
    'the plan is shown',
    async () => (await browser.evaluate('document.getElementById("plan").open')) === true,
  );
  await browser.press('Escape');
  expect(suspicion()).toBe('isolated');
  await browser.evaluate(`document.querySelector('[aria-label="Let in ${node.id}"]').click(); void 0`);
  await eventually(
    'the plan is shown',
    async () => (await browser.evaluate('document.getElementById("plan").open')) === true,
  );
  await confirm();
  await eventually('the node is in', () => suspicion() === 'up');
});

test('a second click on the button that confirms is none: what was done is not said to have been refused', async () => {
  const [node] = servers.replicas;
  const label = (action: string): string => `document.querySelector('[aria-label="${action} ${node?.id}"]')`;
  const isThere = (action: string): Promise<unknown> =>
    eventually(action, async () => (await browser.evaluate(`${label(action)} !== null`)) === true);
  const isOpen = async (): Promise<boolean> =>
    (await browser.evaluate('document.getElementById("plan").open')) as boolean;
  const said = (): Promise<unknown> => browser.evaluate('document.getElementById("said").textContent');
  // As where somebody was told something of an earlier plan.
  await browser.evaluate("say('An old refusal'); void 0");
  await isThere('Take out');
  await browser.evaluate(
    `${label('Take out')}.focus(); ${label('Take out')}.click(); ${label('Take out')}.click(); void 0`,
  );
  await eventually('the plan is shown', isOpen);
  expect(await said()).toBe('');
  await browser.evaluate(
    'const twice = document.getElementById("plan-confirm"); twice.click(); twice.click(); void 0',
  );
  await eventually('the plan is closed', async () => !(await isOpen()));
  await isThere('Let in');
  expect(await said()).toBe('');
  // Who uses the keyboard goes on where he was.
  await eventually(
    'the focus is there',
    async () => (await browser.evaluate(`document.activeElement === ${label('Let in')}`)) === true,
  );
  await browser.evaluate(`${label('Let in')}.click(); void 0`);
  await eventually('the plan is shown', isOpen);
  await browser.evaluate('document.getElementById("plan-confirm").click(); void 0');
  await isThere('Take out');
  expect(await said()).toBe('');
});

test('with sessions only there is nothing of databases on it', async () => {
  const { sessions } = servers.options();
  const alone = await createCluster({ sessions });
  const page = dashboard(alone);
  const other = createServer(page);
  try {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    await browser.open(`http://127.0.0.1:${(other.address() as { port: number }).port}/`);
    await shows('Nothing is wrong');
    await shows(servers.memcached[0]?.id ?? '');
    const text = await shown();
    for (const word of ['primary', 'Databases', 'Reads per second', 'Routing decisions', 'What happened'])
      expect(text).not.toContain(word);
    expect(await violations()).toEqual([]);
  } finally {
    page.close();
    other.closeAllConnections();
    other.close();
    await alone.close();
  }
});

test('a switchover is planned, looked at, confirmed, and told', async () => {
  const { admin, repl } = servers.accounts;
  const acting = await createCluster({
    ...servers.options(),
    failover: {
      mode: 'approve',
      leaseMs: 2_000,
      credentials: { user: admin.user, password: admin.password },
      replication: { user: repl.user, password: repl.password },
      hooks: { approve: () => 'allow' },
    },
  });
  const page = dashboard(acting, { allowActions: true, title: 'Shop' });
  const other = createServer(page);
  try {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    await browser.open(`http://127.0.0.1:${(other.address() as { port: number }).port}/`);
    const [to] = acting.topology().nodes.filter((node) => node.state === 'up' && node.role === 'replica');
    await shows('Make primary');
    await browser.evaluate(`document.querySelector('[aria-label="Make primary ${to?.id}"]').click(); void 0`);
    await shows('no way back from here');
    expect(await violations()).toEqual([]);
    await picture('live-page-switchover');
    await browser.evaluate('document.getElementById("plan-confirm").click(); void 0');
    await shows(/Switched over from \S+ to \S+: writes waited \d+ ms/);
    await shows(`primary ${to?.id}`);
    expect(await violations()).toEqual([]);
  } finally {
    page.close();
    other.closeAllConnections();
    other.close();
    await acting.close();
  }
});

test('it comes back by itself when its process was away behind a proxy, and says when nobody lets it in', async () => {
  await browser.open(url);
  const standing = (text: string): Promise<unknown> =>
    eventually(
      text,
      async () => (await browser.evaluate("document.getElementById('live').textContent")) === text,
    );
  await standing('live');
  instead = 502;
  server.closeAllConnections();
  await standing('connection lost, trying again');
  await eventually('it has tried again and again', () => answeredInstead >= 5);
  instead = undefined;
  await standing('live');
  const drawn = (): Promise<number> =>
    browser.evaluate('Number(document.body.dataset.drawn)') as Promise<number>;
  const before = await drawn();
  await eventually('it is drawn on', async () => (await drawn()) > before);
  instead = 403;
  server.closeAllConnections();
  await standing('not let in any more: load the page again');
  instead = undefined;
});

test('a page that was open while its process was begun anew acts again; what was taken out elsewhere has no button', async () => {
  let page = dashboard(cluster, { allowActions: true });
  const front = createServer((request, response) => page(request, response));
  const [replica] = servers.replicas;
  const node = replica?.id ?? '';
  const within = (script: string): Promise<unknown> => browser.evaluate(script);
  const button = `document.querySelector('[aria-label="Take out ${node}"]')`;
  try {
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    await browser.open(`http://127.0.0.1:${(front.address() as { port: number }).port}/`);
    await eventually('there is a button', async () => (await within(`${button} !== null`)) === true);
    page.close();
    page = dashboard(cluster, { allowActions: true });
    await within(`${button}.click(); void 0`);
    await eventually(
      'the plan is shown',
      async () => (await within('document.getElementById("plan").open')) === true,
    );
    expect(await within('document.getElementById("said").textContent')).toBe('');
    // A plan of the process before is not known to the next one, and that is said.
    page.close();
    page = dashboard(cluster, { allowActions: true });
    await within('document.getElementById("plan-confirm").click(); void 0');
    await shows('This process knows no such plan');
    using _ = cluster.failover.isolate(node, { reason: 'by code' });
    await shows('taken out elsewhere');
    expect(await within(`document.querySelector('[aria-label="Let in ${node}"]')`)).toBeNull();
    expect(await within(button)).toBeNull();
  } finally {
    page.close();
    front.closeAllConnections();
    front.close();
  }
});
