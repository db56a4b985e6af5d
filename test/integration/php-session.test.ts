/** PHP and Node share sessions: the same bytes, the same nodes, the same lock. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { type PhpSessionRequest, phpSession } from '../../src/express/index.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { resolveStoreOptions } from '../../src/session/store-options.js';
import { sessionSuite } from './session-suite.js';

const suite = sessionSuite('phpsession');
const { openStore, newId, php, listen } = suite;

/** The value under a key of one memcached node, as PHP's own client reads it. */
async function rawOn(node: { host: string; port: number }, key: string): Promise<string> {
  const script = `<?php $m = new Memcached(); $m->addServer('${node.host}', ${node.port}); $v = $m->get('${key}'); echo $v === false ? 'MISS' : $v;`;
  return (await suite.servers.php(script)).stdout;
}

describe.each(['php', 'php_serialize'] as const)('with the container %s', (serialize) => {
  const ini = { 'session.serialize_handler': serialize };

  test('Node reads what PHP wrote, changes one variable, and PHP reads it back with the rest untouched', async () => {
    const store = await openStore({ serialize });
    const id = newId();
    await php(
      id,
      "$_SESSION = ['user' => ['name' => 'ada', 'balance' => 100.0], 'tags' => ['a', 'b'], 'n' => 1, 'o' => new ArrayObject([1])];",
      ini,
    );
    const before = await store.readRaw(id);
    const session = await store.load(id);
    expect(session.exists).toBe(true);
    expect(session.data).toMatchObject({ user: { name: 'ada', balance: 100 }, tags: ['a', 'b'], n: 1 });
    session.data['n'] = 2;
    session.data['node'] = { list: [1, 2.5, 'x'], none: null };
    const { outcome, copies } = await store.save(session);
    expect(outcome).toBe('saved');
    expect(copies).toHaveLength(2);
    const after = await store.readRaw(id);
    const text = (bytes: Buffer | null): string => bytes?.toString('latin1') ?? '';
    expect(text(after)).toContain(text(before).match(/a:2:\{s:4:"name";.*?d:100;\}/s)?.[0]);
    const seen = await php(
      id,
      "echo json_encode([$_SESSION['n'], $_SESSION['node'], is_float($_SESSION['user']['balance']), get_class($_SESSION['o'])]);",
      ini,
    );
    expect(JSON.parse(seen)).toEqual([2, { list: [1, 2.5, 'x'], none: null }, true, 'ArrayObject']);
  });

  test('a name on a list of PHP is there for PHP, and for who goes on with the session', async () => {
    const store = await openStore({ serialize });
    const id = newId();
    await php(id, "$_SESSION = ['prefs' => ['a', 'b']];", ini);
    const session = await store.load(id);
    Object.assign(session.data['prefs'] as object, { lang: 'de' });
    expect((await store.save(session)).outcome).toBe('saved');
    expect((await store.save(session)).outcome).toBe('unchanged');
    const seen = await php(id, "echo json_encode($_SESSION); $_SESSION['prefs'][] = 'c';", ini);
    expect(JSON.parse(seen)).toEqual({ prefs: { 0: 'a', 1: 'b', lang: 'de' } });
    expect((await store.load(id)).data).toEqual({ prefs: { 0: 'a', 1: 'b', lang: 'de', 2: 'c' } });
  });

  test('what Node saved without a change is byte for byte what PHP wrote', async () => {
    const store = await openStore({ serialize });
    const id = newId();
    await php(
      id,
      "$a = [1]; $_SESSION = ['f' => 0.1, 'r' => &$a, 'q' => &$a, 'e' => [], 'big' => PHP_INT_MAX];",
      ini,
    );
    const before = await store.readRaw(id);
    const session = await store.load(id);
    expect(session.changed).toBe(false);
    expect(await store.save(session)).toEqual({ outcome: 'unchanged', copies: [] });
    expect(await store.readRaw(id)).toEqual(before);
  });
});

test('both copies hold the same bytes, under the key that PHP uses', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const copies = await Promise.all(
    suite.servers.memcached.map((node) => rawOn(node, `memc.sess.key.${session.id}`)),
  );
  expect(copies).toEqual(['user|s:3:"ada";', 'user|s:3:"ada";']);
  expect(await php(session.id, "echo $_SESSION['user'];")).toBe('ada');
});

test('the first node of a session in PHP is the first one here, for data and for the lock', async () => {
  const store = await openStore({ copies: 1 });
  for (let round = 0; round < 10; round += 1) {
    const id = newId();
    await php(id, "$_SESSION['a'] = 1;", { 'memcached.sess_number_of_replicas': '0' });
    expect((await store.load(id)).data).toEqual({ a: 1 });
  }
});

test('when the first node of a session is dead, the second one answers and takes saves', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const first = suite.servers.memcached.find((node) => node.id === store.holders(session.id)[0]);
  await first?.kill();
  const again = await store.load(session.id);
  expect(again.data).toEqual({ user: 'ada' });
  again.data['cart'] = ['lamp'];
  const { copies } = await store.save(again);
  expect(copies).toEqual([store.holders(session.id)[1]]);
  expect((await store.load(session.id)).data).toEqual({ user: 'ada', cart: ['lamp'] });
});

test('a dead node opens its breakers, and they close when it is back', async () => {
  const store = await openStore({ monitorIntervalMs: 50 });
  const victim = suite.servers.memcached[0];
  const phase = () => store.status().find((node) => node.node === victim?.id)?.reads;
  await victim?.kill();
  await expect.poll(phase).toBe('open');
  await victim?.start();
  await expect.poll(phase).toBe('closed');
});

test('a frozen node costs its deadline once, not the session', async () => {
  const store = await openStore({ operationTimeoutMs: 200 });
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const first = suite.servers.memcached.find((node) => node.id === store.holders(session.id)[0]);
  await first?.pause();
  try {
    expect((await store.load(session.id)).data).toEqual({ user: 'ada' });
  } finally {
    await first?.resume();
  }
});

test('no node at all is ERR_STORE_DOWN that names every one', async () => {
  const store = await openStore();
  for (const node of suite.servers.memcached) await node.kill();
  const error = await store.load(newId()).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ERR_STORE_DOWN' });
  for (const node of suite.servers.memcached) expect((error as Error).message).toContain(node.id);
});

test('two who change different variables of one session lose nothing', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['a' => 1, 'b' => 1];");
  const mine = await store.load(id);
  const other = await store.load(id);
  mine.data['a'] = 2;
  other.data['b'] = 2;
  delete other.data['none'];
  await Promise.all([store.save(mine), store.save(other)]);
  expect((await store.load(id)).data).toEqual({ a: 2, b: 2 });
});

test('the same variable changed twice is a conflict that the option decides', async () => {
  const id = newId();
  for (const [decision, expected] of [
    ['ours', 3],
    ['theirs', 2],
  ] as const) {
    const store = await openStore({ onConflict: () => decision });
    await php(id, "$_SESSION['a'] = 1;");
    const first = await store.load(id);
    const second = await store.load(id);
    first.data['a'] = 2;
    second.data['a'] = 3;
    await store.save(first);
    await store.save(second);
    expect((await store.load(id)).data).toEqual({ a: expected });
  }
});

test('a save waits for the PHP request that holds the lock, and then merges with what it wrote', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['php' => 0, 'node' => 0];");
  const session = await store.load(id);
  session.data['node'] = 1;
  const slow = php(id, "usleep(700000); $_SESSION['php'] = 1;");
  const lockKey = `memc.sess.key.lock.${id}`;
  await expect
    .poll(
      async () =>
        (await Promise.all(suite.servers.memcached.map((node) => rawOn(node, lockKey)))).includes('1'),
      { timeout: 60_000 },
    )
    .toBe(true);
  await store.save(session);
  await slow;
  expect((await store.load(id)).data).toEqual({ php: 1, node: 1 });
});

test('a lock that nobody gives back is ERR_SESSION_LOCKED, and nothing in memory is lost', async () => {
  const store = await openStore({ lockWaitMs: 50 });
  const id = newId();
  await php(id, "$_SESSION['a'] = 1;");
  const session = await store.load(id);
  session.data['a'] = 2;
  // PHP's command line sets no expiry on its lock: killed, it leaves the lock behind.
  const script = `<?php session_id('${id}'); session_start(); fwrite(STDOUT, 'held'); fflush(STDOUT); $pid = getmypid(); shell_exec("kill -9 $pid");`;
  await suite.servers.php(script);
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  expect(session.data).toEqual({ a: 2 });
});

test('a session that PHP destroyed meanwhile stays destroyed, unless it shall be recreated', async () => {
  const id = newId();
  for (const [onGone, outcome] of [
    ['drop', 'gone'],
    ['recreate', 'saved'],
  ] as const) {
    const store = await openStore({ onGone });
    await php(id, "$_SESSION = ['a' => 1, 'b' => 1];");
    const session = await store.load(id);
    session.data['a'] = 2;
    await php(id, 'session_destroy();');
    expect((await store.save(session)).outcome).toBe(outcome);
    const now = await store.load(id);
    expect(now.data).toEqual(outcome === 'gone' ? {} : { a: 2, b: 1 });
  }
});

test('touch renews every copy', async () => {
  const store = await openStore({ lifetimeMs: 2_000 });
  const session = store.create();
  session.data['a'] = 1;
  await store.save(session);
  const long = await openStore({ lifetimeMs: 600_000 });
  await long.touch(session.id);
  const ttl = async (node: { host: string; port: number }): Promise<string> => {
    const script = `<?php $s = fsockopen('${node.host}', ${node.port}); fwrite($s, "mg memc.sess.key.${session.id} t\\r\\n"); echo fgets($s);`;
    return (await suite.servers.php(script)).stdout;
  };
  for (const node of suite.servers.memcached)
    expect(Number(/t(\d+)/.exec(await ttl(node))?.[1])).toBeGreaterThan(500);
});

test('a session too large for memcached is refused before anything is written', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['a'] = 1;
  await store.save(session);
  session.data['blob'] = 'x'.repeat(1_100_000);
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' });
  expect((await store.load(session.id)).data).toEqual({ a: 1 });
});

test('a value that PHP has no counterpart for is refused by name, before anything is sent', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['f'] = () => 1;
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_PHP_VALUE' });
});

test('a session that pecl-memcache compressed is read, changed and read by PHP again', async () => {
  const store = await openStore({ handler: 'memcache' });
  const id = newId();
  const path = suite.servers.memcached.map((node) => `tcp://${node.host}:${node.port}?timeout=30`).join(',');
  const ini = { 'session.save_handler': 'memcache', 'session.save_path': path };
  await php(id, "$_SESSION = ['n' => 1, 'long' => str_repeat('stormlamp ', 5000)];", ini);
  const session = await store.load(id);
  expect(session.data).toEqual({ n: 1, long: 'stormlamp '.repeat(5000) });
  // PHP writes it again, compressed, before Node saves: the change has to be merged into that.
  await php(id, "$_SESSION['php'] = 7;", ini);
  session.data['n'] = 2;
  expect((await store.save(session)).outcome).toBe('saved');
  const seen = await php(
    id,
    "echo json_encode([$_SESSION['n'], $_SESSION['php'], strlen($_SESSION['long'])]);",
    ini,
  );
  expect(JSON.parse(seen)).toEqual([2, 7, 50_000]);
});

test('pecl-memcache sessions are shared, too', async () => {
  const store = await openStore({ handler: 'memcache' });
  const path = suite.servers.memcached.map(({ host, port }) => `tcp://${host}:${port}?timeout=30`).join(',');
  const ini = { 'session.save_handler': 'memcache', 'session.save_path': path };
  const id = newId();
  await php(id, "$_SESSION = ['a' => 1, 'b' => 1];", ini);
  const session = await store.load(id);
  expect(session.data).toEqual({ a: 1, b: 1 });
  session.data['a'] = 2;
  await store.save(session);
  expect(await php(id, 'echo json_encode($_SESSION);', ini)).toBe('{"a":2,"b":1}');
});

test('what php -i of a real PHP prints configures everything', async () => {
  const nodes = suite.servers.memcached.map((node) => node.id);
  const { stdout } = await suite.servers.php('<?php phpinfo();', {
    ini: {
      'session.name': 'SHOP',
      'session.gc_maxlifetime': '7200',
      'session.sid_length': '40',
      'session.cookie_httponly': '1',
      'session.cookie_samesite': 'Strict',
      'session.serialize_handler': 'igbinary',
      'memcached.sess_consistent_hash': '0',
      'memcached.sess_number_of_replicas': '1',
      'memcached.sess_prefix': 'shop.',
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-phpinfo-'));
  const file = join(folder, 'php-info.txt');
  writeFileSync(file, stdout);
  const { options } = resolveStoreOptions({ phpIni: file });
  rmSync(folder, { recursive: true });
  expect(options).toMatchObject({
    nodes: nodes.map((id) => ({ id })),
    handler: 'memcached',
    placement: { distribution: 'modula' },
    copies: 2,
    prefix: 'shop.',
    serialize: 'igbinary',
    lifetimeMs: 7_200_000,
    idFormat: { length: 40, bitsPerCharacter: 4 },
    cookie: { name: 'SHOP', httpOnly: true, sameSite: 'Strict', secure: false },
  });
});

describe('the middleware', () => {
  function shop(store: SessionStore): express.Express {
    const app = express();
    app.use(phpSession(store));
    const session = (req: unknown) => (req as PhpSessionRequest).session;
    app.get('/me', (req, res) => void res.json({ user: session(req)['user'] ?? null, id: session(req).id }));
    app.get('/set', (req, res) => {
      session(req)['user'] = req.query['user'];
      res.json({ ok: true });
    });
    app.get('/login', async (req, res) => {
      session(req)['user'] = 'ada';
      await session(req).regenerate();
      res.json({ ok: true });
    });
    app.get('/logout', async (req, res) => {
      await session(req).destroy();
      res.json({ ok: true });
    });
    app.get('/stream', (req, res) => {
      res.write('first');
      session(req)['late'] = true;
      res.end('last');
    });
    app.get('/long', async (req, res) => {
      session(req)['user'] = 'ada';
      res.write('first');
      await once(app, 'go on');
      session(req)['late'] = true;
      res.end('last');
    });
    app.get('/slow', async (req, res) => {
      session(req)['user'] = 'changed';
      app.emit('waiting');
      await once(app, 'go on');
      res.json({ ok: true });
    });
    app.get('/callback', (req, res) => {
      session(req)['user'] = req.query['user'] === 'bad' ? new Date(0) : 'ada';
      void session(req).save((error) => {
        delete session(req)['user'];
        res.json({ error: (error as Error | undefined)?.message ?? 'none' });
      });
    });
    app.get('/bad', (req, res) => {
      session(req)['f'] = Symbol('x');
      res.json({ ok: true });
    });
    app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(503).json({ error: (error as Error & { code?: string }).code });
    });
    return app;
  }
  const cookieOf = (answer: Response): string | undefined =>
    /^PHPSESSID=([^;]+)/.exec(answer.headers.getSetCookie()[0] ?? '')?.[1];
  const withId = (id: string): RequestInit => ({ headers: { cookie: `PHPSESSID=${id}` } });

  test('reads the session of the raw PHPSESSID cookie that PHP made', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    const id = newId();
    await php(id, "$_SESSION['user'] = 'ada';");
    const answer = await fetch(`${url}/me`, withId(id));
    expect(await answer.json()).toEqual({ user: 'ada', id });
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test('makes a session and a cookie only when there is a variable, and PHP reads it', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    expect((await fetch(`${url}/me`)).headers.getSetCookie()).toEqual([]);
    const answer = await fetch(`${url}/set?user=grace`);
    const id = cookieOf(answer);
    expect(answer.headers.getSetCookie()).toEqual([`PHPSESSID=${id}; path=/; HttpOnly; SameSite=Lax`]);
    expect(await php(id ?? '', "echo $_SESSION['user'];")).toBe('grace');
  });

  test('does not adopt an id that the store does not know', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    const chosen = 'chosenbytheattacker0000000';
    const answer = await fetch(`${url}/set?user=victim`, withId(chosen));
    expect(cookieOf(answer)).not.toBe(chosen);
    expect(await store.readRaw(chosen)).toBeNull();
  });

  test('an id that PHP could not have made never reaches memcached', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    expect((await fetch(`${url}/me`, withId('lock.victim'))).status).toBe(200);
    expect((await fetch(`${url}/me`, withId('x'.repeat(4000)))).status).toBe(200);
  });

  test('a login gets a new id, the old one is gone, and the variables went with it', async () => {
    const store = await openStore({ regenerateGraceMs: 0 });
    const url = await listen(shop(store));
    const old = newId();
    await php(old, "$_SESSION['cart'] = ['lamp'];");
    const fresh = cookieOf(await fetch(`${url}/login`, withId(old)));
    expect(fresh).toBeDefined();
    expect(fresh).not.toBe(old);
    expect(await store.readRaw(old)).toBeNull();
    expect(await php(fresh ?? '', 'echo json_encode($_SESSION);')).toBe('{"cart":["lamp"],"user":"ada"}');
  });

  test('a logout on Node is a logout in PHP', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    const id = newId();
    await php(id, "$_SESSION['user'] = 'ada';");
    await fetch(`${url}/logout`, withId(id));
    expect(await php(id, 'echo count($_SESSION);')).toBe('0');
  });

  test('a change after the first byte of the body is saved in a session that the browser has', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    const id = newId();
    await php(id, "$_SESSION['user'] = 'ada';");
    expect(await (await fetch(`${url}/stream`, withId(id))).text()).toBe('firstlast');
    expect((await store.load(id)).data).toEqual({ user: 'ada', late: true });
  });

  test('a new session that starts after the headers is told to listeners, since the browser cannot learn of it', async () => {
    const store = await openStore();
    const failures: string[] = [];
    store.on('save-failed', ({ error }) => void failures.push(error.message));
    const url = await listen(shop(store));
    expect(await (await fetch(`${url}/stream`)).text()).toBe('firstlast');
    expect(failures).toHaveLength(1);
  });

  test('a new session is stored before the browser learns its id, also in a response that goes on for long', async () => {
    const store = await openStore();
    const app = shop(store);
    const url = await listen(app);
    const long = await fetch(`${url}/long`);
    const id = cookieOf(long) ?? '';
    expect((await store.load(id)).data).toEqual({ user: 'ada' });
    const second = await fetch(`${url}/me`, withId(id));
    expect(await second.json()).toEqual({ user: 'ada', id });
    expect(second.headers.getSetCookie()).toEqual([]);
    expect(await php(id, "$_SESSION['php'] = 1; echo $_SESSION['user'];")).toBe('ada');
    app.emit('go on');
    expect(await long.text()).toBe('firstlast');
    expect((await store.load(id)).data).toEqual({ user: 'ada', php: 1, late: true });
  });

  test('a new session that cannot be stored before its first byte is told of once, and the answer goes on', async () => {
    const store = await openStore({ lockWaitMs: 300 });
    const app = shop(store);
    const failures: string[] = [];
    store.on(
      'save-failed',
      ({ error }) => void failures.push((error as Error & { code?: string }).code ?? ''),
    );
    const url = await listen(app);
    for (const node of suite.servers.memcached) await node.kill();
    const long = await fetch(`${url}/long`);
    app.emit('go on');
    expect(await long.text()).toBe('firstlast');
    expect(failures).toEqual(['ERR_STORE_DOWN']);
  });

  test('what a request changed in a session that was ended meanwhile is dropped, and listeners are told', async () => {
    const store = await openStore();
    const dropped: unknown[] = [];
    store.on('save-dropped', ({ error }) => void dropped.push((error as Error & { code?: string }).code));
    store.on('save-failed', ({ error }) => void dropped.push(error));
    const app = shop(store);
    const url = await listen(app);
    const id = newId();
    await php(id, "$_SESSION['user'] = 'ada';");
    const waiting = once(app, 'waiting');
    const slow = fetch(`${url}/slow`, withId(id));
    await waiting;
    await php(id, 'session_destroy();');
    app.emit('go on');
    expect((await slow).status).toBe(200);
    expect(dropped).toEqual(['ERR_SESSION_GONE']);
    expect((await store.load(id)).exists).toBe(false);
  });

  test('callbacks in the habit of express-session get the error, which names the variable', async () => {
    const url = await listen(shop(await openStore()));
    expect(await (await fetch(`${url}/callback?user=good`)).json()).toEqual({ error: 'none' });
    const { error } = (await (await fetch(`${url}/callback?user=bad`)).json()) as { error: string };
    expect(error).toContain('`user`');
    expect(error).toContain('Date');
  });

  test('the type of a request names the variables that the application knows', () => {
    const userOf = (req: PhpSessionRequest<{ user: string }>): string | undefined => req.session.user;
    const other = (req: PhpSessionRequest<{ user: string }>): unknown => req.session['other'];
    // @ts-expect-error A number is no user.
    const wrong = (req: PhpSessionRequest<{ user: string }>): number | undefined => req.session.user;
    for (const read of [userOf, other, wrong]) expect(read({ session: {} } as never)).toBeUndefined();
  });

  test('a save that fails before the headers are sent goes to the error handler, not to the browser as success', async () => {
    const store = await openStore();
    const url = await listen(shop(store));
    const answer = await fetch(`${url}/bad`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ error: 'ERR_PHP_VALUE' });
  });

  test('without a store a request gets an error, or an anonymous session, as the option says', async () => {
    const strict = await listen(shop(await openStore()));
    const lenient = await listen(shop(await openStore({ onStoreDown: 'anonymous' })));
    for (const node of suite.servers.memcached) await node.kill();
    const id = newId();
    expect((await fetch(`${strict}/me`, withId(id))).status).toBe(503);
    const answer = await fetch(`${lenient}/me`, withId(id));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ user: null });
  });

  test('an anonymous request drops what is set, for a visitor without a cookie, too, and calls no logout done', async () => {
    const store = await openStore({ onStoreDown: 'anonymous', operationTimeoutMs: 200 });
    const url = await listen(shop(store));
    const id = newId();
    await php(id, "$_SESSION['user'] = 'ada';");
    const failed: unknown[] = [];
    store.on('save-failed', ({ error }) => failed.push(error));
    for (const node of suite.servers.memcached) await node.pause();
    for (const visitor of [withId(id), {}]) {
      const answer = await fetch(`${url}/set?user=eve`, visitor);
      expect([answer.status, await answer.json(), answer.headers.get('set-cookie')]).toEqual([
        200,
        { ok: true },
        null,
      ]);
    }
    expect(failed).toMatchObject([{ code: 'ERR_STORE_DOWN' }]);
    const logout = await fetch(`${url}/logout`, withId(id));
    expect([logout.status, await logout.json()]).toEqual([503, { error: 'ERR_STORE_DOWN' }]);
    for (const node of suite.servers.memcached) await node.resume();
    await expect
      .poll(async () => (await fetch(`${url}/me`, withId(id))).json())
      .toMatchObject({ user: 'ada' });
    await expect.poll(async () => (await fetch(`${url}/logout`, withId(id))).status).toBe(200);
    expect(await (await fetch(`${url}/me`, withId(id))).json()).toMatchObject({ user: null });
  });
});

describe('a mistake in the options', () => {
  test.each([
    [Promise.resolve({}), 'write `await createCluster(…)`'],
    [{}, 'Expected `source` to be a cluster or a session store, got an object'],
    [null, 'Expected `source` to be a cluster or a session store, got `null`'],
    [undefined, 'Expected `source` to be a cluster or a session store, got `undefined`'],
  ])('the middleware refuses %j at once', (source, message) => {
    expect(() => phpSession(source as never)).toThrow(message);
  });

  test('the middleware refuses an option of the wrong type', async () => {
    const store = await openStore();
    expect(() => phpSession(store, { readOnly: 'yes' } as never)).toThrow(
      'Expected `phpSession.readOnly` to be a boolean',
    );
  });

  test('replacing req.session is an error and not a loss in silence', async () => {
    const store = await openStore();
    const app = express();
    app.use(phpSession(store));
    app.get('/', (req) => {
      (req as unknown as { session: unknown }).session = { user: 'ada' };
    });
    app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(500).json({ error: error.message });
    });
    const answer = await fetch(await listen(app));
    expect(await answer.text()).toContain('cannot be replaced');
  });

  test('a port that is not memcached is ERR_PROTOCOL naming the node', async () => {
    const site = await listen(express());
    const wrong = new URL(site).host;
    await expect(createSessionStore({ nodes: [wrong] })).rejects.toMatchObject({
      code: 'ERR_PROTOCOL',
      node: wrong,
    });
  });

  test('nodes of which none answers are ERR_STORE_DOWN naming them', async () => {
    await expect(createSessionStore({ nodes: ['127.0.0.1:1'] })).rejects.toMatchObject({
      code: 'ERR_STORE_DOWN',
      node: '127.0.0.1:1',
    });
  });
});

test("a silent first node leaves time to ask the second within the caller's limit", async () => {
  const store = await openStore({ operationTimeoutMs: 200 });
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const first = suite.servers.memcached.find((node) => node.id === store.holders(session.id)[0]);
  await first?.pause();
  try {
    expect((await store.load(session.id, { timeoutMs: 5_000 })).data).toEqual({ user: 'ada' });
  } finally {
    await first?.resume();
  }
});
