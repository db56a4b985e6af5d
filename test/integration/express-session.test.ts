/** express-session over PHP's sessions, on real memcached: the whole contract of its stores, as its middleware uses it. */
import { once } from 'node:events';
import express from 'express';
import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { type ExpressSessionStore, sessionStore } from '../../src/express/index.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { sessionSuite } from './session-suite.js';

declare module 'express-session' {
  interface SessionData {
    [variable: string]: unknown;
  }
}

const suite = sessionSuite('expresssession');
const { openStore, newId, listen } = suite;

/** Calls a method of the store and gives what its callback got; fails when it is called twice. */
function call<T>(invoke: (callback: (error?: unknown, value?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    let calls = 0;
    invoke((error, value) => {
      calls += 1;
      if (calls > 1) throw new Error('the callback was called twice');
      if (error !== undefined && error !== null) reject(error);
      else resolve(value);
    });
  });
}

const get = (store: ExpressSessionStore, id: string) => call((done) => store.get(id, done));
const set = (store: ExpressSessionStore, id: string, data: object) =>
  call<void>((done) => store.set(id, data, done));

async function lifeOf(id: string): Promise<number[]> {
  const ports = suite.servers.memcached.map((node) => node.port).join(' ');
  const script = `<?php foreach (explode(' ', $argv[1]) as $port) { $s = fsockopen('127.0.0.1', (int) $port); fwrite($s, "mg memc.sess.key.$argv[2] t\\r\\n"); echo fgets($s); }`;
  const { stdout } = await suite.servers.php(script, { args: [ports, id] });
  return [...stdout.matchAll(/t(-?\d+)/g)].map(([, seconds]) => Number(seconds));
}

describe('the store', () => {
  test('tells of what a request changed in a session that was ended meanwhile', async () => {
    const sessions = await openStore();
    const store = sessionStore(sessions);
    const id = newId();
    await sessions.writeRaw(id, Buffer.from('n|i:1;'));
    const data = (await get(store, id)) ?? {};
    await sessions.destroy(id);
    const dropped = once(sessions, 'save-dropped');
    await set(store, id, Object.assign(data, { n: 2 }));
    expect(await dropped).toMatchObject([{ error: { code: 'ERR_SESSION_GONE' } }]);
    expect((await sessions.load(id)).exists).toBe(false);
  });

  test('gives back what was set, with a cookie, and PHP reads it without one', async () => {
    const sessions = await openStore();
    const store = sessionStore(sessions);
    const id = newId();
    await set(store, id, { cookie: { maxAge: 1 }, user: 'ada', cart: [{ lamp: 2 }], at: new Date(0) });
    expect(await get(store, id)).toEqual({
      cookie: { originalMaxAge: null },
      user: 'ada',
      cart: [{ lamp: 2 }],
      at: '1970-01-01T00:00:00.000Z',
    });
    const { stdout } = await suite.servers.php(
      `<?php session_id('${id}'); session_start(); echo json_encode($_SESSION);`,
    );
    expect(JSON.parse(stdout)).toEqual({
      user: 'ada',
      cart: [{ lamp: 2 }],
      at: '1970-01-01T00:00:00.000Z',
    });
  });

  test('gives null for a session that is not there, and for an id that PHP could not have made', async () => {
    const store = sessionStore(await openStore());
    expect(await get(store, newId())).toBeNull();
    expect(await get(store, 'lock.victim')).toBeNull();
    await expect(set(store, 'lock.victim', { cookie: {} })).rejects.toMatchObject({ code: 'ERR_SESSION_ID' });
  });

  test('set replaces the whole session, destroy removes it, destroying nothing is no error', async () => {
    const store = sessionStore(await openStore());
    const id = newId();
    await set(store, id, { cookie: {}, a: 1, b: 2 });
    await set(store, id, { cookie: {}, b: 3 });
    expect(await get(store, id)).toMatchObject({ b: 3 });
    expect(await get(store, id)).not.toHaveProperty('a');
    await call<void>((done) => store.destroy(id, done));
    expect(await get(store, id)).toBeNull();
    await call<void>((done) => store.destroy(id, done));
    await call<void>((done) => store.destroy('lock.victim', done));
  });

  test('touch renews the life of every copy and writes nothing, whatever snapshot it is given', async () => {
    const short = await openStore({ lifetimeMs: 60_000 });
    const id = newId();
    await set(sessionStore(short), id, { cookie: {}, n: 2 });
    const store = sessionStore(await openStore({ lifetimeMs: 600_000 }));
    await call<void>((done) => store.touch(id, { cookie: {}, n: 1 }, done));
    expect(await get(store, id)).toMatchObject({ n: 2 });
    for (const life of await lifeOf(id)) expect(life).toBeGreaterThan(500);
  });

  test('a set that changes nothing renews the life as well', async () => {
    const short = await openStore({ lifetimeMs: 60_000 });
    const id = newId();
    await set(sessionStore(short), id, { cookie: {}, n: 2 });
    await set(sessionStore(await openStore({ lifetimeMs: 600_000 })), id, { cookie: {}, n: 2 });
    for (const life of await lifeOf(id)) expect(life).toBeGreaterThan(500);
  });

  test('what JSON cannot hold is no trouble: big integers are texts, and keep their bytes', async () => {
    const sessions = await openStore();
    const store = sessionStore(sessions);
    const id = newId();
    const bytes =
      'big|i:9223372036854775807;in|a:2:{s:1:"i";i:9223372036854775807;s:1:"n";i:1;}f|d:100;cookie|s:3:"php";';
    await sessions.writeRaw(id, Buffer.from(bytes));
    const data = await get(store, id);
    expect(data).toMatchObject({ big: '9223372036854775807', cookie: { originalMaxAge: null } });
    Object.assign(data ?? {}, { in: { i: '9223372036854775807', n: 2 } });
    await set(store, id, data ?? {});
    expect((await sessions.readRaw(id))?.toString()).toBe(bytes.replace('i:1;}', 'i:2;}'));
  });

  test('instances of classes are stored as JSON has them; a name that PHP cannot hold takes nothing else with it', async () => {
    const sessions = await openStore();
    const failed: unknown[] = [];
    sessions.on('save-failed', ({ error }) => failed.push(error));
    const store = sessionStore(sessions);
    const id = newId();
    class User {
      readonly name = 'ada';
    }
    await set(store, id, { cookie: {}, user: new User(), map: new Map([[1, 2]]) });
    expect((await sessions.readRaw(id))?.toString()).toBe('user|a:1:{s:4:"name";s:3:"ada";}map|a:0:{}');
    expect(failed).toEqual([]);
    const data = await get(store, id);
    await expect(set(store, id, { ...(data as object), 'a|b': 1, cart: [1] })).rejects.toMatchObject({
      code: 'ERR_PHP_VALUE',
    });
    expect(failed).toMatchObject([{ code: 'ERR_PHP_VALUE' }]);
    expect(await get(store, id)).toMatchObject({ user: { name: 'ada' }, cart: [1] });
  });

  test('errors go to the callback, once; an exception of the callback is not taken for one of the store', async () => {
    const store = sessionStore(await openStore());
    for (const node of suite.servers.memcached) await node.kill();
    await expect(get(store, newId())).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    await expect(set(store, newId(), { cookie: {}, a: 1 })).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const thrown = once(process, 'uncaughtException');
      let calls = 0;
      store.get(newId(), () => {
        calls += 1;
        throw new Error('of the callback');
      });
      expect(((await thrown)[0] as Error).message).toBe('of the callback');
      expect(calls).toBe(1);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });

  test('without any node it disconnects, and connects again, where requests shall go on without a session', async () => {
    const quiet = sessionStore(await openStore({ monitorIntervalMs: 50 }));
    const store = sessionStore(await openStore({ monitorIntervalMs: 50, onStoreDown: 'anonymous' }));
    let silent = true;
    quiet.on('disconnect', () => {
      silent = false;
    });
    const gone = once(store, 'disconnect');
    for (const node of suite.servers.memcached) await node.kill();
    await gone;
    const back = once(store, 'connect');
    for (const node of suite.servers.memcached) await node.start();
    await back;
    expect(silent).toBe(true);
  });
});

describe('behind express-session', () => {
  async function site(
    sessions: SessionStore,
    options: Partial<session.SessionOptions> = {},
  ): Promise<(path: string) => Promise<{ body: unknown; cookie: string | undefined; status: number }>> {
    const app = express();
    app.use(
      session({
        store: sessionStore(sessions),
        secret: 'x',
        resave: false,
        saveUninitialized: false,
        ...options,
      }),
    );
    app.get('/me', (req, res) => {
      const { cookie: _cookie, ...variables } = req.session;
      res.json({ id: req.sessionID, variables });
    });
    app.get('/whether', (req, res) => {
      res.json(req.session === undefined ? 'no session' : 'a session');
    });
    app.get('/set', (req, res) => {
      Object.assign(req.session, req.query);
      res.json({ id: req.sessionID });
    });
    app.get('/ended', async (req, res) => {
      const { stdout } = await suite.servers.php(
        `<?php session_id('${req.sessionID.replaceAll('_', ',')}'); session_start(); session_destroy(); echo 'ended';`,
      );
      Object.assign(req.session, req.query);
      res.json(stdout);
    });
    app.get('/remember', (req, res) => {
      req.session.cookie.maxAge = 2_592_000_000;
      req.session['user'] = 'ada';
      res.json({});
    });
    app.get('/drop', (req, res) => {
      delete req.session[String(req.query['name'])];
      res.json({});
    });
    app.get('/regenerate', (req, res, next) => {
      req.session.regenerate((error) => (error ? next(error) : void res.json({ id: req.sessionID })));
    });
    app.get('/reload', (req, res, next) => {
      req.session['user'] = 'nobody';
      req.session.reload((error) => (error ? next(error) : void res.json(req.session)));
    });
    app.get('/logout', (req, res, next) => {
      req.session.destroy((error) => (error ? next(error) : void res.json({})));
    });
    const url = await listen(app);
    let jar = '';
    return async (path) => {
      const answer = await fetch(url + path, jar === '' ? {} : { headers: { cookie: jar } });
      const [cookie] = answer.headers.getSetCookie();
      if (cookie !== undefined) jar = cookie.split(';')[0] ?? '';
      const text = await answer.text();
      return { body: answer.ok ? JSON.parse(text) : text, cookie, status: answer.status };
    };
  }

  test('a session begins, is found again, changes and ends', async () => {
    const sessions = await openStore();
    const visit = await site(sessions, { cookie: { maxAge: 60_000, sameSite: 'strict' } });
    expect((await visit('/me')).cookie).toBeUndefined();
    const first = await visit('/set?user=ada');
    expect(first.cookie).toMatch(/^connect\.sid=.*Expires=.*SameSite=Strict/);
    expect((await visit('/me')).body).toMatchObject({ variables: { user: 'ada' } });
    await visit('/drop?name=user');
    expect((await visit('/me')).body).toMatchObject({ variables: {} });
    await visit('/logout');
    expect((await visit('/me')).body).not.toMatchObject({ id: (first.body as { id: string }).id });
  });

  test('the cookie of a session that was read again is the one that the application asked for', async () => {
    const visit = await site(await openStore(), {
      rolling: true,
      cookie: { maxAge: 60_000, sameSite: 'lax', path: '/', httpOnly: false },
    });
    await visit('/set?user=ada');
    const again = (await visit('/me')).cookie;
    expect(again).toMatch(/Expires=.*SameSite=Lax/);
    expect(again).not.toContain('HttpOnly');
  });

  test('a maxAge that one session gets goes to the browser and not into the session, so the next cookie has that of the application', async () => {
    const daysOf = (cookie: string | undefined): number | undefined => {
      const expires = /Expires=([^;]*)/.exec(cookie ?? '')?.[1];
      return expires === undefined ? undefined : Math.round((Date.parse(expires) - Date.now()) / 86_400_000);
    };
    const sessions = await openStore();
    const once = await site(sessions);
    expect(daysOf((await once('/remember')).cookie)).toBe(30);
    // Without a maxAge of the application no other cookie follows: the browser keeps the one that it has.
    expect((await once('/set?n=1')).cookie).toBeUndefined();
    const oneDay = await site(sessions, { cookie: { maxAge: 86_400_000 } });
    expect(daysOf((await oneDay('/remember')).cookie)).toBe(30);
    expect((await oneDay('/me')).cookie).toBeUndefined();
    expect(daysOf((await oneDay('/set?n=1')).cookie)).toBe(1);
    const rolling = await site(sessions, { rolling: true });
    expect(daysOf((await rolling('/remember')).cookie)).toBe(30);
    const again = (await rolling('/me')).cookie;
    expect([typeof again, daysOf(again)]).toEqual(['string', undefined]);
  });

  test('ids of express-session with an underscore, which PHP does not know, are kept', async () => {
    const sessions = await openStore();
    const visit = await site(sessions, { genid: () => 'ab_cd-ef_gh0123456789abcd' });
    await visit('/set?user=ada');
    expect((await visit('/me')).body).toEqual({
      id: 'ab_cd-ef_gh0123456789abcd',
      variables: { user: 'ada' },
    });
    expect((await sessions.readRaw('ab,cd-ef,gh0123456789abcd'))?.toString()).toBe('user|s:3:"ada";');
  });

  test('regenerate ends the old session and begins an empty one', async () => {
    const sessions = await openStore();
    const visit = await site(sessions, { saveUninitialized: true, genid: newId });
    const { id: old } = (await visit('/set?user=ada')).body as { id: string };
    const { id: fresh } = (await visit('/regenerate')).body as { id: string };
    expect(fresh).not.toBe(old);
    expect(await sessions.readRaw(old)).toBeNull();
    expect((await visit('/me')).body).toMatchObject({ variables: {} });
  });

  test('reload forgets what the request changed', async () => {
    const visit = await site(await openStore());
    await visit('/set?user=ada');
    expect((await visit('/reload')).body).toMatchObject({ user: 'ada' });
  });

  test('a change is merged with what PHP changed in the meantime', async () => {
    const sessions = await openStore();
    const store = sessionStore(sessions);
    store.generate = (req) => {
      // What express-session does, as far as a session object goes.
      class Fake {
        cookie = {};
        constructor(_req: object, data: object = {}) {
          Object.assign(this, data);
        }
      }
      (req as { session: object }).session = new Fake(req);
    };
    const id = newId();
    await sessions.writeRaw(id, Buffer.from('php|i:0;node|i:0;'));
    const given = store.createSession({ sessionID: id }, (await get(store, id)) ?? {});
    await suite.servers.php(`<?php session_id('${id}'); session_start(); $_SESSION['php'] = 1;`);
    await set(store, id, Object.assign(given, { node: 1 }));
    expect((await sessions.load(id)).data).toEqual({ php: 1, node: 1 });
  });

  test('a session that PHP ended meanwhile is not brought back', async () => {
    const sessions = await openStore();
    const visit = await site(sessions);
    await visit('/set?user=ada');
    // The handler has read the session, then PHP ends it, then the handler's change is saved.
    expect((await visit('/ended?late=1')).status).toBe(200);
    expect((await visit('/me')).body).toMatchObject({ variables: {} });
  });

  test('a store that cannot be reached is an error of the request, or no session, as the option says', async () => {
    const strict = await site(await openStore());
    const store = sessionStore(await openStore({ onStoreDown: 'anonymous', monitorIntervalMs: 50 }));
    const lenient = await site(await openStore(), { store });
    for (const visit of [strict, lenient]) {
      await visit('/set?user=ada');
      expect((await visit('/whether')).body).toBe('a session');
    }
    const gone = once(store, 'disconnect');
    for (const node of suite.servers.memcached) await node.kill();
    await gone;
    expect((await strict('/whether')).status).toBe(500);
    expect(await lenient('/whether')).toMatchObject({ status: 200, body: 'no session' });
    const back = once(store, 'connect');
    for (const node of suite.servers.memcached) await node.start();
    await back;
    // Until the second node answers nobody knows whether there is the session: both were empty, or only one.
    await expect.poll(async () => (await lenient('/whether')).body).toBe('a session');
  });
});
