/** Sessions with plain http, with Express 4 and 5, and all the ways in which a response can end. */
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import express from 'express';
import express4 from 'express4';
import { describe, expect, test } from 'vitest';
import { loadSession, type PhpSessionRequest, phpSession } from '../../src/express/index.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { sessionSuite } from './session-suite.js';

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

const suite = sessionSuite('httpsession');
const { openStore, newId, listen } = suite;

async function stored(store: SessionStore, bytes: string): Promise<string> {
  const id = newId();
  await store.writeRaw(id, Buffer.from(bytes));
  return id;
}

/** A promise that is resolved from outside. */
function signal<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const withId = (id: string): RequestInit => ({ headers: { cookie: `PHPSESSID=${id}` } });
const idOf = (answer: Response): string =>
  /^PHPSESSID=([^;]+)/.exec(answer.headers.getSetCookie().at(-1) ?? '')?.[1] ?? '';
const sessionOf = (req: unknown) => (req as PhpSessionRequest).session;

/** Puts the middleware around a plain handler. */
function behind(store: SessionStore, handler: Handler): Handler {
  const middleware = phpSession(store);
  return (req, res) =>
    middleware(req, res, (error) => {
      if (error === undefined) return void handler(req, res);
      res.statusCode = 503;
      res.end((error as { code: string }).code);
    });
}

describe('with plain http', () => {
  test('a session is loaded, changed and saved by hand, and the browser gets a cookie', async () => {
    const store = await openStore();
    const url = await listen(async (req, res) => {
      const http = await loadSession(store, req, res);
      http.session['visits'] = Number(http.session['visits'] ?? 0) + 1;
      await http.save();
      res.end(String(http.session['visits']));
    });
    const first = await fetch(url);
    expect(await first.text()).toBe('1');
    const again = await fetch(url, withId(idOf(first)));
    expect(await again.text()).toBe('2');
    expect(again.headers.getSetCookie()).toEqual([]);
    const { stdout } = await suite.servers.php(
      `<?php session_id('${idOf(first)}'); session_start(); echo $_SESSION['visits'];`,
    );
    expect(stdout).toBe('2');
  });

  test.each<[string, (res: ServerResponse) => unknown]>([
    ['an object', (res) => res.writeHead(200, { 'Set-Cookie': 'theme=dark' })],
    ['a list', (res) => res.writeHead(200, ['Set-Cookie', 'theme=dark'])],
    ['setHeader', (res) => res.setHeader('Set-Cookie', 'theme=dark')],
  ])('the cookie stays beside one that is given by %s after the save', async (_how, give) => {
    const store = await openStore();
    const url = await listen(async (req, res) => {
      const http = await loadSession(store, req, res);
      http.session['n'] = 1;
      await http.save();
      give(res);
      res.end();
    });
    const cookies = (await fetch(url)).headers.getSetCookie().map((cookie) => cookie.replace(/=.*/, ''));
    expect(cookies.sort()).toEqual(['PHPSESSID', 'theme']);
  });

  test('a store, or anything with a store in it, can be given; unknown options are refused', async () => {
    const store = await openStore();
    const url = await listen(async (req, res) => {
      const http = await loadSession({ sessions: store }, req, res);
      await expect(loadSession(store, req, res, { readonly: true } as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
      });
      res.end(JSON.stringify(Object.keys(http.session)));
    });
    expect(await (await fetch(url, withId(await stored(store, 'a|i:1;')))).json()).toEqual(['a']);
  });

  test('a read-only session is neither locked nor written', async () => {
    const store = await openStore({ conflict: 'lock' });
    const url = await listen(async (req, res) => {
      const http = await loadSession(store, req, res, { readOnly: true });
      http.session['a'] = 2;
      const { locked } = http.session;
      await http.save();
      res.end(String(locked));
    });
    const id = await stored(store, 'a|i:1;');
    expect(await (await fetch(url, withId(id))).text()).toBe('false');
    expect((await store.readRaw(id))?.toString()).toBe('a|i:1;');
  });

  test('a new session after the headers is refused, since the browser could not learn its id', async () => {
    const store = await openStore();
    const url = await listen(async (req, res) => {
      const http = await loadSession(store, req, res);
      res.write('x');
      http.session['a'] = 1;
      res.end(await http.save().catch((error: { code: string }) => error.code));
    });
    expect(await (await fetch(url)).text()).toBe('xERR_UNSUPPORTED');
  });
});

describe.each([
  ['Express 4', express4],
  ['Express 5', express],
])('with %s', (_name, framework) => {
  const late: (string | undefined)[] = [];

  async function shop(store: SessionStore): Promise<string> {
    const app = framework();
    app.use(phpSession(store));
    app.get('/login', (req, res, next) => {
      sessionOf(req)['user'] = 'ada';
      sessionOf(req)
        .regenerate()
        .then(() => res.redirect('/me'), next);
    });
    app.get('/me', (req, res) => void res.json({ user: sessionOf(req)['user'] ?? null }));
    app.get('/count', (req, res) => {
      sessionOf(req)['n'] = Number(sessionOf(req)['n'] ?? 0) + 1;
      res.send('the same every time');
    });
    app.get('/boom', (req) => {
      sessionOf(req)['n'] = 'kept';
      throw new Error('of the handler');
    });
    app.get('/twice', (req, res) => {
      sessionOf(req)['n'] = 1;
      // Node tells of it, and so it is here.
      res.once('error', (error: NodeJS.ErrnoException) => void late.push(error.code));
      res.end('first');
      res.end('second');
    });
    app.use((_error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(500).send('sorry');
    });
    return listen(app as unknown as Handler);
  }

  test('a redirect carries the new cookie, and is sent after the save', async () => {
    const store = await openStore();
    const answer = await fetch(`${await shop(store)}/login`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/me']);
    expect((await store.load(idOf(answer))).data).toEqual({ user: 'ada' });
  });

  test('HEAD and 304 save as GET does', async () => {
    const store = await openStore();
    const url = `${await shop(store)}/count`;
    const id = await stored(store, 'n|i:1;');
    const head = await fetch(url, { ...withId(id), method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await store.load(id)).data).toEqual({ n: 2 });
    const etag = head.headers.get('etag') ?? '';
    const same = await fetch(url, {
      headers: { cookie: `PHPSESSID=${id}`, 'if-none-match': etag, 'cache-control': 'max-age=0' },
    });
    expect(same.status).toBe(304);
    expect((await store.load(id)).data).toEqual({ n: 3 });
  });

  test('what a handler changed before it threw is saved with the error page', async () => {
    const store = await openStore();
    const id = await stored(store, 'n|i:1;');
    const answer = await fetch(`${await shop(store)}/boom`, withId(id));
    expect([answer.status, await answer.text()]).toEqual([500, 'sorry']);
    expect((await store.load(id)).data).toEqual({ n: 'kept' });
  });

  test('a session that the handler froze, or the like, is saved as it is, and once', async () => {
    const store = await openStore();
    const app = framework();
    app.use(phpSession(store));
    app.get('/:way', async (req, res) => {
      const session = sessionOf(req);
      session['n'] = 2;
      const { way } = req.params;
      const ways: Readonly<Record<string, (session: object) => unknown>> = {
        freeze: Object.freeze,
        seal: Object.seal,
        preventExtensions: Object.preventExtensions,
      };
      ways[way]?.(session);
      (session['cart'] as number[]).push(2);
      if (way === 'seal') session['cart'] = [3];
      if ('twice' in req.query) await session.save();
      res.send('done');
    });
    const url = await listen(app as unknown as Handler);
    for (const [path, cart] of [
      ['freeze', [1, 2]],
      ['seal', [3]],
      ['preventExtensions', [1, 2]],
      ['freeze?twice', [1, 2]],
    ] as const) {
      const id = await stored(store, 'n|i:1;cart|a:1:{i:0;i:1;}');
      const answer = await fetch(`${url}/${path}`, withId(id));
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, 'done']);
      expect((await store.load(id)).data).toEqual({ n: 2, cart });
    }
  });

  test('a second end during the save changes nothing', async () => {
    const store = await openStore();
    const id = await stored(store, 'n|i:0;');
    expect(await (await fetch(`${await shop(store)}/twice`, withId(id))).text()).toBe('first');
    expect((await store.load(id)).data).toEqual({ n: 1 });
    expect(late).toEqual(['ERR_STREAM_WRITE_AFTER_END']);
  });
});

test.each([
  ['memcached', 'memc.sess.key.'],
  ['memcache', ''],
] as const)(
  'a session that was only read lives on in every copy, which nobody wrote: %s',
  async (handler, prefix) => {
    const short = await openStore({ handler, lifetimeMs: 60_000 });
    const store = await openStore({ handler, lifetimeMs: 600_000 });
    const id = await stored(short, 'a|i:1;');
    const copies = () =>
      Promise.all(
        suite.servers.memcached.map(async ({ id: node, host, port }) => {
          await using connection = await TextConnection.open({
            address: { host, port },
            id: node,
            timeoutMs: 5_000,
          });
          const [item] = await connection.items([`${prefix}${id}`]);
          return { cas: item?.cas, value: String(item?.value), lives: item?.remainingSeconds ?? 0 };
        }),
      );
    const before = await copies();
    expect(before).toHaveLength(2);
    const handlerOf = (readOnly: boolean): Handler => {
      const middleware = phpSession(store, { readOnly });
      return (req, res) => middleware(req, res, () => void res.end(String(sessionOf(req)['a'])));
    };
    expect(await (await fetch(await listen(handlerOf(true)), withId(id))).text()).toBe('1');
    for (const { lives } of await copies()) expect(lives).toBeLessThanOrEqual(60);
    expect(await (await fetch(await listen(handlerOf(false)), withId(id))).text()).toBe('1');
    await expect
      .poll(async () => (await copies()).every(({ lives }) => lives > 500), { timeout: 20_000 })
      .toBe(true);
    const after = await copies();
    const [one, other] = after.map(({ lives }) => lives);
    // Seconds may pass between two questions, and from one node to the next.
    expect(Math.abs((one ?? 0) - (other ?? 0))).toBeLessThan(10);
    expect(after.map(({ cas, value }) => ({ cas, value }))).toEqual(
      before.map(({ cas, value }) => ({ cas, value })),
    );
  },
);

describe('a response', () => {
  test('that is streamed sends the cookie first and saves before its end', async () => {
    const store = await openStore();
    const url = await listen(
      behind(store, async (req, res) => {
        sessionOf(req)['a'] = 1;
        await pipeline(
          Readable.from(['one', 'two']),
          new Transform({
            transform(chunk, _encoding, done) {
              sessionOf(req)['b'] = String(chunk);
              done(null, chunk);
            },
          }),
          res,
        );
      }),
    );
    const answer = await fetch(url);
    expect(await answer.text()).toBe('onetwo');
    expect((await store.load(idOf(answer))).data).toEqual({ a: 1, b: 'two' });
  });

  test.each([
    ['an object', { 'X-A': '1', 'Set-Cookie': 'other=1' }],
    ['a flat list', ['X-A', '1', 'Set-Cookie', 'other=1']],
    [
      'pairs',
      [
        ['X-A', '1'],
        ['Set-Cookie', 'other=1'],
      ],
    ],
  ])('whose headers are given to writeHead as %s keeps them beside the cookie', async (_form, headers) => {
    const store = await openStore();
    const url = await listen(
      behind(store, (req, res) => {
        sessionOf(req)['a'] = 1;
        res.writeHead(201, headers as never);
        res.end('x');
      }),
    );
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get('x-a')]).toEqual([201, '1']);
    expect(answer.headers.getSetCookie()).toEqual(['other=1', expect.stringMatching(/^PHPSESSID=/)]);
    expect((await store.load(idOf(answer))).data).toEqual({ a: 1 });
  });

  test('whose end is replaced by a compressing middleware, before or after, is whole and saved', async () => {
    const store = await openStore();
    const compress =
      (handler: Handler): Handler =>
      (req, res) => {
        // As such middleware does it: what is written goes into gzip, what gzip gives goes to the response as it was.
        const [write, end] = [res.write.bind(res), res.end.bind(res)];
        const gzip = createGzip();
        gzip.on('data', (chunk: Buffer) => void write(chunk));
        gzip.on('end', () => void end());
        res.setHeader('Content-Encoding', 'gzip');
        res.write = ((chunk: string) => gzip.write(chunk)) as typeof res.write;
        res.end = ((chunk?: string) => {
          gzip.end(chunk);
          return res;
        }) as typeof res.end;
        return handler(req, res);
      };
    const page: Handler = (req, res) => {
      sessionOf(req)['a'] = Number(sessionOf(req)['a'] ?? 0) + 1;
      res.end('x'.repeat(10_000));
    };
    const id = await stored(store, 'a|i:0;');
    for (const handler of [compress(behind(store, page)), behind(store, compress(page))]) {
      const answer = await fetch(await listen(handler), withId(id));
      expect((await answer.text()).length).toBe(10_000);
    }
    expect((await store.load(id)).data).toEqual({ a: 2 });
  });

  test('that the browser does not wait for saves what was changed', async () => {
    const store = await openStore();
    const id = await stored(store, 'a|i:0;');
    const started = signal<void>();
    const url = await listen(
      behind(store, (req, res) => {
        sessionOf(req)['a'] = 1;
        res.write('the first of many');
        res.once('close', () => started.resolve());
      }),
    );
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nCookie: PHPSESSID=${id}\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    await started.promise;
    await expect.poll(async () => (await store.load(id)).data).toEqual({ a: 1 });
  });

  test('that breaks off before its headers makes no session that nobody could find', async () => {
    const store = await openStore();
    const seen = signal<string>();
    const url = await listen(
      behind(store, (req, res) => {
        sessionOf(req)['a'] = 1;
        res.once('close', () => seen.resolve(sessionOf(req).id));
        req.socket.destroy();
      }),
    );
    await expect(fetch(url)).rejects.toThrow();
    expect(await store.readRaw(await seen.promise)).toBeNull();
  });

  test('holds the lock until it ends, breaks off, or the session is saved', async () => {
    const store = await openStore({ conflict: 'lock', lockWaitMs: 50 });
    const locked = (id: string): Promise<boolean> =>
      store.load(id).then(
        async (session) => {
          await session.release();
          return false;
        },
        () => true,
      );
    const entered: (() => void)[] = [];
    const url = await listen(
      behind(store, async (req, res) => {
        sessionOf(req)['a'] = 1;
        if (req.url === '/save') await sessionOf(req).save();
        res.write('x');
        entered.shift()?.();
        req.once('data', () => res.end());
      }),
    );
    for (const end of ['end', 'break'] as const) {
      const id = await stored(store, 'a|i:0;');
      const inside = signal<void>();
      entered.push(inside.resolve);
      const call = request(url, { method: 'POST', headers: { cookie: `PHPSESSID=${id}` } });
      call.on('error', () => undefined);
      call.flushHeaders();
      await inside.promise;
      expect(await locked(id), end).toBe(true);
      if (end === 'end') call.end('x');
      else call.destroy();
      await expect.poll(() => locked(id)).toBe(false);
      expect((await store.load(id, { lock: false })).data).toEqual({ a: 1 });
    }
    const id = await stored(store, 'a|i:0;');
    const inside = signal<void>();
    entered.push(inside.resolve);
    const call = request(`${url}/save`, { method: 'POST', headers: { cookie: `PHPSESSID=${id}` } });
    call.on('error', () => undefined);
    call.flushHeaders();
    await inside.promise;
    expect(await locked(id)).toBe(false);
    call.end('x');
    call.destroy();
  });

  test('to which somebody else ends the session in the request is no error: destroy, reload and regenerate with the lock held', async () => {
    const store = await openStore({ conflict: 'lock', lockWaitMs: 200 });
    const url = await listen(
      behind(store, async (req, res) => {
        const session = sessionOf(req);
        if (req.url === '/destroy') await session.destroy();
        if (req.url === '/reload') await session.reload();
        if (req.url === '/regenerate') await session.regenerate();
        res.end(JSON.stringify(session));
      }),
    );
    for (const [path, left] of [
      ['/destroy', {}],
      ['/reload', { a: 1 }],
      ['/regenerate', { a: 1 }],
    ] as const) {
      const answer = await fetch(url + path, withId(await stored(store, 'a|i:1;')));
      expect([path, answer.status, await answer.json()]).toEqual([path, 200, left]);
    }
  });
});
