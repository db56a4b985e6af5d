/** The live page over HTTP: what it answers, to whom, and what never leaves it. */
import { createServer, request, type Server } from 'node:http';
import { connect } from 'node:net';
import express from 'express';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { pageAddress } from '../../src/cli/status/service-breakers.js';
import { type DashboardHandler, type DashboardOptions, dashboard } from '../../src/dashboard/index.js';
import { health } from '../../src/express/index.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let cluster: Cluster;
const open: (() => void)[] = [];
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, replicas: 1 });
  await servers.waitForReplication();
  cluster = await createCluster(servers.options());
});
afterEach(() => {
  for (const close of open.splice(0)) close();
});
afterAll(async () => {
  await cluster?.close();
  await servers?.close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
async function mount(
  options: DashboardOptions = {},
): Promise<{ readonly url: string; readonly page: DashboardHandler }> {
  const page = dashboard(cluster, options);
  open.push(() => page.close());
  return { url: await listen(createServer(page)), page };
}
const tokenIn = (page: string): string => /data-token="([^"]*)"/.exec(page)?.[1] ?? '';

test('the page is one document under 100 kB that needs nothing else and lets nothing else run', async () => {
  const { url } = await mount({ title: '<Shop> & "co"' });
  const response = await fetch(`${url}/`);
  const page = await response.text();
  expect(response.status).toBe(200);
  expect(Buffer.byteLength(page)).toBeLessThan(100_000);
  expect(page).toContain('&lt;Shop&gt; &amp; &quot;co&quot;');
  expect(page).not.toMatch(/(?:src|href)="(?!data:|#)/);
  expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  const policy = response.headers.get('content-security-policy') ?? '';
  const [, nonce = ''] = /script-src 'nonce-([^']+)'/.exec(policy) ?? [];
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  expect([...page.matchAll(/<(?:script|style)([^>]*)>/g)].map(([, attributes]) => attributes)).toEqual([
    ` nonce="${nonce}"`,
    ` nonce="${nonce}"`,
  ]);
  expect(page).not.toMatch(/ style="| on\w+="/);
  expect(await (await fetch(`${url}/`)).text()).not.toContain(nonce);
});

test('the state as JSON and as events: the same cluster, without values, contents or passwords', async () => {
  const { url } = await mount();
  const stream = await fetch(`${url}/events`);
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const read = async (): Promise<string> => {
    const { value } = (await reader?.read()) ?? {};
    text += value ?? '';
    return text;
  };
  await eventually('the first state', async () => (await read()).includes('event: state'));
  await cluster.mysql.query("SELECT 'very secret' AS a, 4711 AS b");
  const session = cluster.sessions.create();
  session.data['note'] = 'very secret';
  await cluster.sessions.save(session);
  // A busy machine may have let a probe wait too long just now.
  const state = await eventually('the decision is told, and all is well', async () => {
    const answer = (await (await fetch(`${url}/state.json`)).json()) as Record<string, unknown[]>;
    return answer['decisions']?.length === 1 && answer['problems']?.length === 0 ? answer : undefined;
  });
  await eventually('it is in the stream, too', async () => (await read()).includes('SELECT ? AS a, ? AS b'));
  await reader?.cancel();
  expect(state).toMatchObject({
    writer: servers.primary.id,
    problems: [],
    failure: null,
    nodes: servers.databases.map(({ id }) => ({ id, suspicion: 'up' })),
    sessions: servers.memcached.map(({ id }) => ({ node: id, standing: 'filled' })),
    decisions: [{ sql: 'SELECT ? AS a, ? AS b', kind: 'read', count: 1 }],
  });
  const everything = text + JSON.stringify(state);
  for (const secret of [
    'very secret',
    '4711',
    session.id,
    ...Object.values(servers.accounts).map(({ password }) => password),
  ])
    expect(everything).not.toContain(secret);
});

test('routes are only told while a page is open: nobody pays for a page that nobody looks at', async () => {
  const before = cluster.mysql.listenerCount('route');
  const { url } = await mount();
  expect(cluster.mysql.listenerCount('route')).toBe(before);
  const abort = new AbortController();
  await fetch(`${url}/events`, { signal: abort.signal });
  await eventually('it listens', () => cluster.mysql.listenerCount('route') === before + 1);
  abort.abort();
  await eventually('it listens no more', () => cluster.mysql.listenerCount('route') === before);
});

test('without authorize only this machine, by its own name, gets in', async () => {
  const { url } = await mount();
  const { port } = new URL(url);
  const statusFor = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path: '/state.json', headers: { host } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  expect(await statusFor(`localhost:${port}`)).toBe(200);
  expect(await statusFor('evil.example')).toBe(403);
});

test('authorize decides for everything; in production it must be there', async () => {
  const { url } = await mount({ authorize: ({ headers }) => headers.authorization === 'Bearer yes' });
  for (const path of ['/', '/state.json', '/events', '/livez', '/readyz']) {
    expect((await fetch(url + path)).status, path).toBe(403);
    const answer = await fetch(url + path, { headers: { authorization: 'Bearer yes' } });
    expect(answer.status, path).toBe(200);
    await answer.body?.cancel();
  }
});

test('a page whose right is withdrawn ends, and is not let in again', async () => {
  let isIn = true;
  const before = cluster.mysql.listenerCount('route');
  const { url } = await mount({ authorize: () => isIn });
  const stream = await fetch(`${url}/events`);
  expect(stream.status).toBe(200);
  isIn = false;
  // The stream is cut, as a browser sees it when a server goes away; it then asks again.
  await expect(stream.text()).rejects.toThrow();
  expect((await fetch(`${url}/events`)).status).toBe(403);
  await eventually('nobody looks any more', () => cluster.mysql.listenerCount('route') === before);
});

test('actions: not unless allowed, not from elsewhere, not without a plan, once per plan', async () => {
  const [replica] = servers.replicas;
  const node = replica?.id ?? '';
  const closed = await mount();
  expect((await fetch(`${closed.url}/plan`, { method: 'POST', body: '{}' })).status).toBe(403);
  expect(tokenIn(await (await fetch(`${closed.url}/`)).text())).toBe('');

  const { url, page } = await mount({ allowActions: true });
  const token = tokenIn(await (await fetch(`${url}/`)).text());
  const post = (
    path: string,
    body: unknown,
    headers: Record<string, string> = { 'x-stormlamp-token': token },
  ): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  expect((await post('/plan', { action: 'isolate', node }, {})).status).toBe(403);
  expect(
    (
      await post(
        '/plan',
        { action: 'isolate', node },
        { 'x-stormlamp-token': token, origin: 'http://evil.example' },
      )
    ).status,
  ).toBe(403);
  for (const bad of [
    '',
    '[]',
    'x'.repeat(5_000),
    { action: 'drop', node },
    { action: 'isolate', node: 'x' },
    { action: 'release', node },
  ])
    expect((await post('/plan', bad)).status).toBe(409);
  expect((await post('/confirm', { plan: 'x' })).status).toBe(409);
  const { id } = (await (await post('/plan', { action: 'isolate', node })).json()) as { id: string };
  const levelOf = (): string | undefined =>
    cluster.failover.state.nodes.find((each) => each.node === node)?.suspicion;
  expect(levelOf()).toBe('up');
  expect((await post('/confirm', { plan: id })).status).toBe(200);
  expect(levelOf()).toBe('isolated');
  expect((await post('/confirm', { plan: id })).status).toBe(409);
  // What it means to take the primary out is told before, and first among the problems after it.
  const primary = servers.primary.id;
  const plan = (await (await post('/plan', { action: 'isolate', node: primary })).json()) as {
    id: string;
    steps: string[];
  };
  expect(plan.steps).toContain('It is the primary: until it is let in, every write of this process fails');
  expect((await post('/confirm', { plan: plan.id })).status).toBe(200);
  const { problems } = (await (await fetch(`${url}/state.json`)).json()) as { problems: unknown[] };
  expect(problems[0]).toEqual({
    severity: 'critical',
    node: primary,
    text: `${primary} is the primary and isolated: every write of this process fails`,
  });
  page.close();
  expect(levelOf()).toBe('up');
});

test('mounted in Express below a path, with a slash or without, and beside other routes', async () => {
  const app = express();
  const page = dashboard(cluster);
  open.push(() => page.close());
  app.use('/ops/stormlamp', page);
  app.use((_, response) => void response.status(404).send('elsewhere'));
  const url = await listen(createServer(app));
  const response = await fetch(`${url}/ops/stormlamp`);
  expect(response.url).toBe(`${url}/ops/stormlamp/`);
  expect(await response.text()).toContain('<!doctype html>');
  expect((await fetch(`${url}/ops/stormlamp/state.json`)).status).toBe(200);
  expect(await (await fetch(`${url}/ops/stormlamp/nothing`)).text()).toBe('elsewhere');
});

test('mounted at the root of a site it refuses and marks its own paths only', async () => {
  const app = express();
  const page = dashboard(cluster, { authorize: () => false });
  open.push(() => page.close());
  app.use(page);
  app.get('/shop', (_, response) => void response.send('the shop'));
  app.post('/', (_, response) => void response.send('the shop'));
  const url = await listen(createServer(app));
  const shop = await fetch(`${url}/shop`);
  expect([shop.status, await shop.text()]).toEqual([200, 'the shop']);
  for (const name of ['cache-control', 'x-frame-options', 'content-security-policy', 'referrer-policy'])
    expect([name, shop.headers.get(name)]).toEqual([name, null]);
  expect((await fetch(`${url}/`, { method: 'POST' })).status).toBe(200);
  expect((await fetch(`${url}/state.json`)).status).toBe(403);
});

test('stormlamp status shows the breakers of the service whose page it is told', async () => {
  const id = servers.replicas[0]?.id ?? '';
  const config = { options: servers.options(), source: 'the test' };
  const breakers = async (from?: URL) => {
    const { ok, service, mysql } = await lookAtCluster(
      { ...config, options: { mysql: config.options.mysql } },
      from,
    );
    const nodes = mysql !== undefined && 'nodes' in mysql ? mysql.nodes : [];
    return { ok, service, breakers: nodes.map((each) => [each.node, each.breaker]) };
  };
  const { url } = await mount({
    authorize: ({ headers }) => headers.authorization === `Basic ${btoa('ops:s@cret')}`,
  });
  using _ = cluster.failover.isolate(id, { reason: 'a test' });
  const page = `${url}/`;
  const unknown = [
    [servers.primary.id, null],
    [id, null],
  ];
  expect(await breakers()).toEqual({ ok: true, service: undefined, breakers: unknown });
  expect(await breakers(pageAddress(url.replace('//', '//ops:s%40cret@')))).toEqual({
    ok: true,
    service: { page, error: null },
    breakers: [
      [servers.primary.id, 'closed'],
      [id, 'isolated'],
    ],
  });
  expect(await breakers(pageAddress(url))).toEqual({
    ok: false,
    service: { page, error: 'it answered 403: may this request see it (`authorize`)?' },
    breakers: unknown,
  });
  expect(() => pageAddress('localhost:3000')).toThrow(/Expected `--from` to be the address of a live page/);
});

test('pages that leave before they are let in take nobody the room', async () => {
  let asked = 0;
  let letIn: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => {
    letIn = resolve;
  });
  const authorize = (): Promise<boolean> => {
    asked += 1;
    return gate.then(() => true);
  };
  const page = dashboard(cluster, { authorize });
  open.push(() => page.close());
  const server = createServer(page);
  const url = new URL(await listen(server));
  const clients = Array.from({ length: 25 }, () => {
    const client = connect(Number(url.port), url.hostname);
    client.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return client;
  });
  await eventually('all are asked about', () => asked === clients.length);
  for (const client of clients) client.destroy();
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  await eventually('they are gone', async () => (await connections()) === 0);
  letIn?.();
  const stream = await fetch(`${url}events`);
  expect(stream.status).toBe(200);
  expect(stream.headers.get('cache-control')).toBe('no-store, no-transform');
  await stream.body?.cancel();
});

test.each([express.json(), express.text({ type: '*/*' }), express.raw({ type: '*/*' })])(
  'a body that a parser has read is a body, too (%#)',
  async (parser) => {
    const page = dashboard(cluster, { allowActions: true });
    open.push(() => page.close());
    const url = await listen(createServer(express().use(parser).use('/', page)));
    const token = tokenIn(await (await fetch(`${url}/`)).text());
    const plan = await fetch(`${url}/plan`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-stormlamp-token': token },
      body: JSON.stringify({ action: 'isolate', node: servers.replicas[0]?.id }),
    });
    expect([plan.status, await plan.json()]).toEqual([
      200,
      expect.objectContaining({ steps: expect.any(Array) }),
    ]);
  },
);

test('odd requests: no error, no stream that nobody reads, nothing after the end', async () => {
  const { url, page } = await mount();
  for (const path of ['//', '///', '/%2e%2e/state.json', '/http://x/']) {
    const answer = await raw(url, path);
    expect([path, answer.split('\r\n')[0]]).toEqual([path, 'HTTP/1.1 404 Not Found']);
  }
  expect(await raw(url, '/state.json?x=//')).toContain('HTTP/1.1 200 OK');
  const heads = await Promise.all(
    Array.from({ length: 25 }, () => fetch(`${url}/events`, { method: 'HEAD' })),
  );
  expect(new Set(heads.map(({ status }) => status))).toEqual(new Set([200]));
  const stream = await fetch(`${url}/events`);
  expect(stream.status).toBe(200);
  page.close();
  expect(await stream.text()).toContain('event: state');
  expect((await fetch(`${url}/events`)).status).toBe(503);
});

/** The answer to a request line as it stands. */
async function raw(url: string, path: string): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let answer = '';
  for await (const piece of socket) answer += String(piece);
  return answer;
}

test('livez and readyz say what a load balancer needs to know', async () => {
  const handler = health(cluster, { needs: ['reads', 'writes', 'sessions'] });
  const url = await listen(createServer((incoming, response) => handler(incoming, response)));
  expect(await (await fetch(`${url}/livez`)).json()).toEqual({ alive: true });
  expect(await (await fetch(`${url}/readyz?x`)).json()).toEqual({
    ready: true,
    reads: true,
    writes: true,
    sessions: true,
    because: [],
  });
  expect((await fetch(`${url}/other`)).status).toBe(404);
  const { id } = servers.primary;
  {
    using _ = cluster.failover.isolate(id, { reason: 'a test' });
    const answer = await fetch(`${url}/readyz`);
    const because = [`writes go to ${id}, which is isolated in this process`];
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { reads: true, writes: false, because },
    ]);
  }
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  await servers.primary.query('SET GLOBAL read_only = 1');
  try {
    const response = await eventually('it is not ready', async () => {
      const answer = await fetch(`${url}/readyz`);
      return answer.status === 503 ? answer : undefined;
    });
    expect(await response.json()).toMatchObject({
      ready: false,
      reads: true,
      writes: false,
      because: ['no node takes writes'],
    });
    const readsOnly = health(cluster);
    const other = await listen(createServer((incoming, response) => readsOnly(incoming, response)));
    expect((await fetch(`${other}/readyz`)).status).toBe(200);
  } finally {
    await servers.primary.query('SET GLOBAL read_only = 0');
  }
  expect(() => health(cluster, { needs: ['luck' as 'reads'] })).toThrow(/health.needs/);
});

test('a switchover: only where the mode allows it, by a plan that was confirmed, and told when it is done', async () => {
  const [replica] = servers.replicas;
  const { admin, repl } = servers.accounts;
  const poster = async (url: string): Promise<(path: string, body: unknown) => Promise<Response>> => {
    const token = tokenIn(await (await fetch(`${url}/`)).text());
    const headers = { 'x-stormlamp-token': token };
    return (path, body) => fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  };
  const following = await mount({ allowActions: true });
  const refused = await (await poster(following.url))('/plan', { action: 'switchover', node: replica?.id });
  expect(refused.status).toBe(409);

  const acting = await createCluster({
    mysql: servers.options().mysql,
    failover: {
      mode: 'approve',
      leaseMs: 2_000,
      credentials: { user: admin.user, password: admin.password },
      replication: { user: repl.user, password: repl.password },
      hooks: { approve: () => 'allow' },
    },
  });
  const page = dashboard(acting, { allowActions: true });
  try {
    const url = await listen(createServer(page));
    const post = await poster(url);
    const toItself = await post('/plan', { action: 'switchover', node: servers.primary.id });
    expect([toItself.status, await toItself.text()]).toEqual([
      409,
      expect.stringContaining(servers.primary.id),
    ]);
    const planned = (await (await post('/plan', { action: 'switchover', node: replica?.id })).json()) as {
      id: string;
      steps: string[];
    };
    expect(planned.steps[0]).toBe(
      `Make ${replica?.id} the primary instead of ${servers.primary.id}; no acknowledged write is lost`,
    );
    expect(planned.steps.join('\n')).toContain('no way back from here');
    for (const { password } of [admin, repl]) expect(planned.steps.join('\n')).not.toContain(password);
    type Shown = { writer: string; change: { state: string; text: string } | null };
    const state = async (): Promise<Shown> => (await (await fetch(`${url}/state.json`)).json()) as Shown;
    expect((await state()).change).toBeNull();
    expect((await post('/confirm', { plan: planned.id })).status).toBe(200);
    const done = await eventually('it is done', async () => {
      const { change } = await state();
      if (change?.state === 'failed') throw new Error(change.text);
      return change?.state === 'done' ? change : undefined;
    });
    expect(done.text).toMatch(/^Switched over from \S+ to \S+: writes waited \d+ ms\.$/);
    expect((await state()).writer).toBe(replica?.id);
    expect((await post('/confirm', { plan: planned.id })).status).toBe(409);
  } finally {
    page.close();
    await acting.close();
  }
});
