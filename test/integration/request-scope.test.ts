/** POST, redirect, GET over a replica that stands still: the cookie carries the write, and PHP's session does for PHP. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../../src/create-cluster.js';
import { phpSession, type RequestScopeOptions, scope } from '../../src/express/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT } from '../support/run-node.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const SECRET = 'a secret that is long enough';

describe.each(CLIENT_DATABASES)('$name', ({ options, flavor }) => {
  let servers: LocalCluster;
  let cluster: Cluster;
  let lock: Connection;
  const sites: Server[] = [];
  let version = 0;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1 });
    await servers.primary.query(
      `CREATE TABLE ${servers.database}.page (id INT PRIMARY KEY, version INT NOT NULL)`,
    );
    await servers.primary.query(`INSERT INTO ${servers.database}.page VALUES (1, 0)`);
    await servers.waitForReplication();
    const { mysql, sessions } = servers.options();
    cluster = await createCluster({ mysql: { ...mysql, scope: { waitMs: 100 } }, sessions });
    const [replica] = servers.replicas;
    const { user, password } = servers.accounts.admin;
    if (replica === undefined) throw new Error('There is no replica');
    const { host, realPort: port } = replica;
    lock = await createConnection({ host, port, user, password, database: servers.database });
  });
  afterEach(async () => {
    await lock?.query('UNLOCK TABLES');
    await Promise.all(sites.splice(0).map((site) => new Promise((done) => site.close(done))));
    await servers.waitForReplication();
  });
  afterAll(async () => {
    lock?.destroy();
    await cluster?.close();
    await servers?.close();
  });

  /** A site that posts a new version, redirects, and shows the version. */
  async function siteWith(options: RequestScopeOptions | undefined): Promise<string> {
    const app = express();
    app.use(phpSession(cluster));
    if (options !== undefined) app.use(scope(cluster, options));
    app.post('/', async (req, res) => {
      await cluster.mysql.execute('UPDATE page SET version = ? WHERE id = 1', [Number(req.query['to'])]);
      res.redirect(303, '/');
    });
    app.post('/hidden', async (req, res) => {
      await cluster.mysql.query('UPDATE page SET version = ?', [Number(req.query['to'])]);
      // The rows hide that nothing was written: the token says that something may have been.
      await cluster.mysql.query('CHECK TABLE page');
      res.redirect(303, '/');
    });
    app.post('/own-cookie', async (req, res) => {
      await cluster.mysql.execute('UPDATE page SET version = ? WHERE id = 1', [Number(req.query['to'])]);
      res.writeHead(303, { Location: '/', 'Set-Cookie': 'own=1' });
      res.end();
    });
    // What reads an upload goes on when the request has told its end.
    const readByEvents: express.RequestHandler = (req, _, next) => void req.resume().on('end', () => next());
    app.post('/upload', readByEvents, async (req, res) => {
      await cluster.mysql.execute('UPDATE page SET version = ? WHERE id = 1', [Number(req.query['to'])]);
      res.redirect(303, '/');
    });
    app.get('/', async (_, res) => {
      const [rows] = await cluster.mysql.query<never>('SELECT version FROM page WHERE id = 1');
      res.send(String((rows as { version: number }[])[0]?.version));
    });
    const site = createServer(app);
    sites.push(site);
    await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  }

  /** What a browser shows after it posted, with the cookies that it got. */
  async function postAndSee(
    url: string,
    { path = '/', cookie = '', body = false, change = (given: string) => given } = {},
  ): Promise<{ readonly shown: number; readonly wanted: number; readonly cookies: string[] }> {
    version += 1;
    const headers = { cookie };
    const posted = await fetch(`${url}${path}?to=${version}`, {
      method: 'POST',
      headers,
      redirect: 'manual',
      ...(body ? { body: inTwoParts(), duplex: 'half' } : {}),
    } as RequestInit);
    expect(posted.status).toBe(303);
    const cookies = posted.headers.getSetCookie();
    const sent = [cookie, ...cookies.map((each) => each.split(';', 1)[0] ?? '')].filter(
      (each) => each !== '',
    );
    const shown = await fetch(`${url}/`, { headers: { cookie: change(sent.join('; ')) } });
    return { shown: Number(await shown.text()), wanted: version, cookies };
  }

  /** The replica applies nothing more, and is one that Node reads from: it may have been away just before. */
  async function standStill(): Promise<void> {
    const reader = servers.replicas[0]?.id;
    await eventually('the replica serves', () => cluster.mysql.explain('SELECT 1').node === reader);
    await lock.query('LOCK TABLES page READ');
  }

  test('without the middleware the page is stale, so the check can fail', async () => {
    const url = await siteWith(undefined);
    await standStill();
    const { shown, wanted } = await postAndSee(url);
    expect(shown).toBeLessThan(wanted);
  });

  test('without a secret each request is a scope of its own', async () => {
    const url = await siteWith({});
    await standStill();
    const { shown, wanted, cookies } = await postAndSee(url);
    expect(shown).toBeLessThan(wanted);
    expect(cookies).toEqual([]);
  });

  test('the signed cookie carries the write to the next request', async () => {
    const url = await siteWith({ secret: SECRET });
    await standStill();
    for (const path of ['/', '/hidden', '/upload']) {
      const { shown, wanted, cookies } = await postAndSee(url, { path, body: path === '/upload' });
      expect(shown).toBe(wanted);
      expect(cookies).toEqual([
        expect.stringMatching(
          /^stormlamp_scope=[\w.-]+; expires=.*; Max-Age=60; path=\/; HttpOnly; SameSite=Lax$/,
        ),
      ]);
    }
  });

  test('the signed cookie comes beside one that the handler gives to writeHead', async () => {
    const url = await siteWith({ secret: SECRET });
    await standStill();
    const { shown, wanted, cookies } = await postAndSee(url, { path: '/own-cookie' });
    expect(cookies.map((cookie) => cookie.split('=', 1)[0]).sort()).toEqual(['own', 'stormlamp_scope']);
    expect(shown).toBe(wanted);
  });

  test('a wait that the server ends with an error costs no connection', async () => {
    await standStill();
    const { mysql } = cluster;
    const [replica] = servers.replicas;
    version += 1;
    const read = mysql.run({ waitMs: 60_000, maxLagMs: Number.POSITIVE_INFINITY }, async () => {
      await mysql.execute('UPDATE page SET version = ? WHERE id = 1', [version]);
      const [rows] = await mysql.query<never>('SELECT version FROM page WHERE id = 1');
      return (rows as { version: number }[])[0]?.version;
    });
    const find =
      'SELECT id AS id FROM information_schema.processlist ' +
      "WHERE info LIKE 'SELECT %GTID%AS timed_out%' AND id <> CONNECTION_ID()";
    const waiter = await eventually('the replica is waited for', async () => {
      const [row] = (await replica?.query(find)) ?? [];
      return row === undefined ? undefined : Number(row['id']);
    });
    await replica?.query(`KILL QUERY ${waiter}`);
    expect(await read).toBe(version);
    const left = `SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id = ${waiter}`;
    const [row] = (await replica?.query(left)) ?? [];
    expect(Number(row?.['n'])).toBe(1);
  });

  test('a cookie that was changed, or signed with another secret, counts as none', async () => {
    const url = await siteWith({ secret: SECRET });
    await standStill();
    const changed = await postAndSee(url, {
      change: (cookie) => cookie.replace(/=./, (first) => (first === '=Z' ? '=Y' : '=Z')),
    });
    expect(changed.shown).toBeLessThan(changed.wanted);
    const other = await siteWith({ secret: ['another secret, long enough', SECRET] });
    const known = await postAndSee(other);
    expect(known.shown).toBe(known.wanted);
  });

  if (flavor === 'mariadb')
    test('the cookie carries the tokens of two clusters, each for its own', async () => {
      const foreign = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
      const { mysql } = foreign.options();
      const other = await createCluster({ mysql: { ...mysql, scope: { waitMs: 100 } } });
      try {
        const both = [cluster.mysql, other.mysql];
        for (const each of both) {
          await each.query('CREATE OR REPLACE TABLE numbers (n INT)');
          await each.query('INSERT INTO numbers VALUES (0)');
        }
        // The tokens of the second one are further than those of the first one will be.
        for (let n = 0; n < 300; n += 1) await other.mysql.query('UPDATE numbers SET n = -?', [n]);
        await foreign.waitForReplication();
        await servers.waitForReplication();
        const app = express();
        for (const each of [cluster, other]) app.use(scope(each, { secret: SECRET }));
        app.post('/:only', async (req, res) => {
          for (const each of req.params.only === 'both' ? both : [cluster.mysql])
            await each.query('UPDATE numbers SET n = 7');
          res.redirect(303, '/');
        });
        app.get('/', async (_, res) => {
          const seen: unknown[] = [];
          for (const each of both) seen.push((await each.query<never>('SELECT n FROM numbers'))[0]);
          res.json({ seen, nodes: both.map((each) => each.explain('SELECT n FROM numbers').node) });
        });
        const site = createServer(app);
        sites.push(site);
        await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
        const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
        const post = async (path: string, cookie: string): Promise<string> => {
          const posted = await fetch(url + path, { method: 'POST', redirect: 'manual', headers: { cookie } });
          const [set = '', ...more] = posted.headers.getSetCookie();
          expect(more).toEqual([]);
          return set.split(';', 1)[0] ?? '';
        };
        const see = async (cookie: string): Promise<{ seen: unknown; nodes: string[] }> =>
          (await fetch(url, { headers: { cookie } })).json() as never;

        await servers.replicas[0]?.query('STOP SLAVE SQL_THREAD');
        await foreign.replicas[0]?.query('STOP SLAVE SQL_THREAD');
        const cookie = await post('/both', '');
        const written = { seen: [[{ n: 7 }], [{ n: 7 }]] };
        expect(await see(cookie)).toMatchObject(written);
        // The second write of one leaves the token of the other one where it was.
        expect(await see(await post('/one', cookie))).toMatchObject(written);
        await foreign.replicas[0]?.query('START SLAVE SQL_THREAD');
        const reader = foreign.replicas[0]?.id;
        await eventually('the replica serves', () => other.mysql.explain('SELECT 1').node === reader);
        // The token of the first one is nothing that the second one waits for.
        const alone = await post('/one', '');
        const { nodes } = await see(alone);
        expect(nodes[1]).toBe(reader);
      } finally {
        await servers.replicas[0]?.query('START SLAVE SQL_THREAD');
        await other.close();
        await foreign.close();
      }
    });

  test('PHP waits for what Node wrote, and Node for what PHP wrote, with the snippet of the page', async () => {
    const guide = readFileSync(join(ROOT, 'docs', 'freshness.md'), 'utf8');
    const snippet = /^```php\n<\?php\n([\s\S]*?)^```$/m.exec(guide)?.[1];
    if (snippet === undefined) throw new Error('docs/freshness.md has no PHP block');
    const example = readFileSync(join(ROOT, 'examples', 'read-your-writes.php'), 'utf8');
    expect(example).toContain(snippet.slice(0, snippet.indexOf('/** After a write of PHP')));
    const url = await siteWith({ session: 'stormlamp_token' });
    const [replica] = servers.replicas;
    const { user, password } = servers.accounts.app;
    const connect = (port: number | undefined): string =>
      `new mysqli('127.0.0.1', '${user}', '${password}', '${servers.database}', ${port})`;
    const { stdout: id } = await servers.php(
      "<?php session_start(); $_SESSION['user'] = 'ada'; echo session_id();",
    );
    const cookie = `PHPSESSID=${id}`;
    const page = (body: string): Promise<string> =>
      servers
        .php(`<?php session_id('${id}'); session_start();\n${snippet}\n${body}`)
        .then(({ stdout, stderr }) => stdout + stderr);
    const shows = `$replica = ${connect(replica?.port)}; $primary = ${connect(servers.primary.port)};
      $from = stormlamp_is_fresh($replica, 0.3) ? 'replica' : 'primary';
      [$version] = $$from->query('SELECT version FROM page')->fetch_row(); echo "$from $version";`;

    await standStill();
    const { wanted } = await postAndSee(url, { cookie });
    expect(await page(shows)).toBe(`primary ${wanted}`);
    // Without a wait: 0 is no limit to MySQL.
    expect(await page(shows.replace('0.3', '0'))).toBe(`primary ${wanted}`);
    await lock.query('UNLOCK TABLES');
    expect(await page(shows)).toBe(`replica ${wanted}`);

    if (flavor === 'mariadb') {
      // As behind a replica that writes something of its own: the numbers are further than what is applied.
      const [before] = (await replica?.query('SELECT @@global.gtid_slave_pos AS position')) ?? [];
      await replica?.query('STOP SLAVE');
      await replica?.query("SET GLOBAL gtid_slave_pos = '0-77-1000000'");
      try {
        const ahead = await postAndSee(url, { cookie });
        expect(await page(shows)).toBe(`primary ${ahead.wanted}`);
      } finally {
        await replica?.query(`SET GLOBAL gtid_slave_pos = '${before?.['position']}'`);
        await replica?.query('START SLAVE');
      }
      await servers.waitForReplication();
      expect(await page(shows)).toBe(`replica ${version}`);
    }

    await standStill();
    version += 1;
    await page(
      `$primary = ${connect(servers.primary.port)}; $primary->query('UPDATE page SET version = ${version}'); stormlamp_note_write($primary);`,
    );
    const shown = await fetch(`${url}/`, { headers: { cookie } });
    expect(await shown.text()).toBe(String(version));
    // Somebody else's request has no token, and sees what the replica has.
    expect(Number(await (await fetch(`${url}/`)).text())).toBeLessThan(version);
  });
});

/** A body whose end comes after the handlers of the request have begun. */
function inTwoParts(): ReadableStream<Uint8Array> {
  const parts = ['{"a":', '1}'].map((part) => new TextEncoder().encode(part));
  return new ReadableStream(
    {
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    },
    { highWaterMark: 0 },
  );
}

describe('what is refused', () => {
  const host = { run: <T>(_: unknown, fn: () => T): T => fn(), scope: undefined };
  test.each([
    [{ secret: 'short' }, /scope.secret.*16 characters/],
    [{ secret: [] }, /scope.secret/],
    [{ cookie: {} }, /scope.secret/],
    [{ after: '0-1-1' }, /Unknown option `scope.after`/],
    [{ maxAgeMs: 1 }, />= 1000/],
    [{ session: '' }, /scope.session/],
    [{ secret: undefined }, /scope.secret.*environment variable/],
    [{ maxLagMs: -1 }, /scope.maxLagMs/],
    [{ waitMs: -5 }, /scope.waitMs/],
    [{ consistency: 'often' }, /scope.consistency/],
    [{ preference: 'none' }, /scope.preference/],
  ])('%j', (options, message) => {
    expect(() => scope(host, options as RequestScopeOptions)).toThrow(message);
  });
  test('a promise of a cluster, and a session that is not there', () => {
    expect(() => scope(Promise.resolve(host) as never)).toThrow(/await createCluster/);
    expect(() => scope(host, { session: 'token' })({} as never, {} as never, () => undefined)).toThrow(
      /after phpSession/,
    );
  });
});
