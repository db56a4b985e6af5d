/** A response whose end waits for the save of its session is to everybody one that has ended: Node itself is the judge. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type PhpSessionRequest, phpSession } from '../../src/express/index.js';
import type { Session } from '../../src/session/session.js';
import { sessionSuite } from './session-suite.js';

const suite = sessionSuite('httpresponse');
const { openStore, newId, listen } = suite;

type Log = string[];
type Act = (res: ServerResponse, log: Log) => void;

const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? String(error);
const tried = (log: Log, work: () => unknown): void => {
  try {
    work();
    log.push('done');
  } catch (error) {
    log.push(`${codeOf(error)}: ${(error as Error).message}`);
  }
};

/** What a handler may do after it has ended its response. */
const ACTS: Readonly<Record<string, Act>> = {
  nothing: () => undefined,
  'a write': (res, log) => void log.push(`returned ${res.write('second')}`),
  'a write with a callback': (res, log) =>
    void log.push(`returned ${res.write('second', (error) => void log.push(`callback ${codeOf(error)}`))}`),
  'a write with an encoding and a callback': (res, log) =>
    void res.write('7365', 'hex', (error) => void log.push(`callback ${codeOf(error)}`)),
  'a second end with a text': (res, log) => void res.end('second', () => void log.push('callback')),
  'a second end without anything': (res, log) => void log.push(`returned ${res.end() === res}`),
  writeHead: (res, log) => tried(log, () => res.writeHead(500, { 'X-Late': '1' })),
  setHeader: (res, log) => tried(log, () => res.setHeader('X-Late', '1')),
  appendHeader: (res, log) => tried(log, () => res.appendHeader('X-Kept', '2')),
  removeHeader: (res, log) => tried(log, () => res.removeHeader('X-Kept')),
  flushHeaders: (res, log) => tried(log, () => res.flushHeaders()),
  'another status': (res, log) => {
    res.statusCode = 500;
    res.statusMessage = 'Late';
    log.push(`${res.statusCode} ${res.headersSent} ${res.writableEnded} ${res.getHeader('X-Kept')}`);
  },
  'an error page, as handlers of errors make it': (res, log) => {
    if (res.headersSent) return void log.push('too late');
    res.statusCode = 500;
    res.end('sorry');
  },
};

interface Observed {
  readonly status: number;
  readonly text: string;
  readonly body: string;
  readonly kept: string | null;
  readonly late: string | null;
  readonly log: Log;
}

async function ask(url: string, init: RequestInit, log: Log): Promise<Observed> {
  const answer = await fetch(url, init);
  const { status, statusText: text, headers } = answer;
  const body = await answer.text();
  return { status, text, body, kept: headers.get('x-kept'), late: headers.get('x-late'), log };
}

function answerAnd(act: Act, log: Log, res: ServerResponse): void {
  res.on('error', (error) => void log.push(`event ${codeOf(error)}`));
  res.setHeader('X-Kept', '1');
  res.end('first');
  act(res, log);
}

/** What becomes of it without any session. */
async function withoutSession(act: Act): Promise<Observed> {
  const log: Log = [];
  return ask(await listen((_req, res) => answerAnd(act, log, res)), {}, log);
}

/** A session that somebody else keeps locked, so that its save waits until `free` is called. */
async function lockedSession(): Promise<{ id: string; free: () => Promise<void>; holder: Session }> {
  const id = newId();
  const other = await openStore();
  await other.writeRaw(id, Buffer.from('n|i:1;'));
  const holder = await other.load(id, { lock: true });
  return { id, holder, free: () => holder.release() };
}

const sessionOf = (req: IncomingMessage) => (req as PhpSessionRequest).session;
const withId = (id: string): RequestInit => ({ headers: { cookie: `PHPSESSID=${id}` } });

describe('while the save is pending', () => {
  test.each(Object.keys(ACTS))('after its end, %s is what Node makes of it', async (name) => {
    const act = ACTS[name] ?? (() => undefined);
    const store = await openStore();
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    const log: Log = [];
    let pending = false;
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        sessionOf(req)['n'] = 2;
        answerAnd(act, log, res);
        pending = !res.writableFinished && (res.socket?.bytesWritten ?? 0) === 0;
        setTimeout(() => void free(), 20);
      });
    });
    const observed = await ask(url, withId(id), log);
    expect(pending).toBe(true);
    expect(observed).toEqual(await withoutSession(act));
    expect((await store.load(id)).data).toEqual({ n: 2 });
  });

  test('a browser that goes away loses nothing, and the lock is given back', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    let ended: (() => void) | undefined;
    const end = new Promise<void>((done) => {
      ended = done;
    });
    let closed: Promise<unknown> | undefined;
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        sessionOf(req)['n'] = 2;
        closed = once(res, 'close');
        res.end('first');
        ended?.();
      });
    });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nCookie: PHPSESSID=${id}\r\n\r\n`);
    await end;
    socket.destroy();
    await closed;
    await free();
    await expect.poll(async () => (await store.load(id)).data).toEqual({ n: 2 });
    const last = await store.load(id, { lock: true });
    await last.release();
  });

  test('a save that fails opens the response again, with the headers that it had, for another answer', async () => {
    const store = await openStore({ lockWaitMs: 50 });
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    const log: Log = [];
    let calls = 0;
    const url = await listen((req, res) => {
      middleware(req, res, (error) => {
        calls += 1;
        if (error === undefined) {
          sessionOf(req)['n'] = 2;
          return answerAnd((late) => tried(log, () => late.setHeader('X-Late', '1')), log, res);
        }
        res.statusCode = 503;
        res.setHeader('X-Late', 'of the error page');
        res.write('no ');
        res.end(codeOf(error));
      });
    });
    expect(await ask(url, withId(id), log)).toEqual({
      status: 503,
      text: 'Service Unavailable',
      body: 'no ERR_SESSION_LOCKED',
      kept: '1',
      late: 'of the error page',
      log: ['ERR_HTTP_HEADERS_SENT: Cannot set headers after they are sent to the client'],
    });
    expect(calls).toBe(2);
    await free();
    expect((await store.load(id)).data).toEqual({ n: 1 });
  });

  test('an answer in its place says nothing of what the handler said of its own', async () => {
    const store = await openStore({ lockWaitMs: 50 });
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    const url = await listen((req, res) => {
      res.setHeader('Cache-Control', 'private');
      res.setHeader('Set-Cookie', 'site=1');
      middleware(req, res, (error) => {
        if (error !== undefined) return void res.end('sorry');
        sessionOf(req)['n'] = 2;
        res.statusCode = 302;
        res.setHeader('Location', '/welcome');
        res.setHeader('Cache-Control', 'public, max-age=86400');
        res.setHeader('Content-Type', 'application/json');
        res.setHeader('Content-Disposition', 'attachment');
        res.setHeader('Content-Security-Policy', "default-src 'self'");
        res.appendHeader('Set-Cookie', 'loggedin=1');
        res.setHeader('Access-Control-Allow-Origin', '*');
        res.end('{}');
      });
    });
    const answer = await fetch(url, { ...withId(id), redirect: 'manual' });
    await free();
    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 200, body: 'sorry' });
    for (const name of ['location', 'content-type', 'content-disposition'])
      expect(answer.headers.get(name), name).toBeNull();
    expect(answer.headers.getSetCookie()).toEqual(['site=1']);
    expect(answer.headers.get('cache-control')).toBe('private');
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'self'");
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test.each<[string, (res: ServerResponse) => unknown]>([
    ['a body that is none', (res) => res.end(5)],
    ['a status that is none', (res) => Object.assign(res, { statusCode: 1000 }).end('x')],
    ['a message that no header can hold', (res) => Object.assign(res, { statusMessage: 'ł' }).end('x')],
    ['an unknown encoding', (res) => res.end('x', 'nonsense' as BufferEncoding)],
  ])(
    'an end that Node refuses for %s is told as an error of the handler, and what it changed is saved',
    async (_what, end) => {
      const store = await openStore();
      const middleware = phpSession(store);
      const { id, free } = await lockedSession();
      await free();
      const site = (use: typeof middleware): Promise<string> =>
        listen((req, res) => {
          const next = (error?: unknown): void => {
            if (error !== undefined) {
              if (res.headersSent) return void res.destroy();
              Object.assign(res, { statusCode: 500, statusMessage: '' });
              return void res.end(codeOf(error));
            }
            const { session } = req as PhpSessionRequest<{ n: number }>;
            if (session !== undefined) session.n = 2;
            // As Express does it.
            try {
              end(res);
            } catch (refusal) {
              next(refusal);
            }
          };
          use(req, res, next);
        });
      const answerOf = async (url: string): Promise<string> => {
        const answer = await fetch(url, withId(id)).catch(() => undefined);
        return answer === undefined ? 'none' : `${answer.status} ${await answer.text()}`;
      };
      const without = await answerOf(await site((_req, _res, next) => next()));
      expect(await answerOf(await site(middleware))).toBe(without);
      expect((await store.load(id)).data).toEqual({ n: 2 });
    },
  );

  test('what the answer to a refused end changes is saved with it', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    await free();
    const url = await listen((req, res) => {
      middleware(req, res, (error) => {
        if (error === undefined) {
          sessionOf(req)['n'] = 2;
          return void res.end(5);
        }
        sessionOf(req)['flash'] = [codeOf(error)];
        res.end('sorry');
      });
    });
    expect(await (await fetch(url, withId(id))).text()).toBe('sorry');
    expect((await store.load(id)).data).toEqual({ n: 2, flash: ['ERR_INVALID_ARG_TYPE'] });
  });

  test('what is piped arrives whole and in order, and the end waits', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const { id, free } = await lockedSession();
    let endSeen = false;
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        sessionOf(req)['n'] = 2;
        res.flushHeaders();
        const source = Readable.from(Array.from({ length: 50 }, (_, index) => `${index},`.repeat(1000)));
        source.once('end', () => {
          endSeen = true;
          setTimeout(() => void free(), 20);
        });
        source.pipe(res);
      });
    });
    const body = await (await fetch(url, withId(id))).text();
    expect(endSeen).toBe(true);
    expect(body).toBe(Array.from({ length: 50 }, (_, index) => `${index},`.repeat(1000)).join(''));
    expect((await store.load(id)).data).toEqual({ n: 2 });
  });
});

describe('what a handler changes after it has ended the response', () => {
  const begun = 'n|i:1;gone|i:1;cart|a:1:{i:0;i:1;}';

  test.each<[string, (req: IncomingMessage, res: ServerResponse) => unknown]>([
    [
      'at once',
      (req) => {
        sessionOf(req)['n'] = 2;
        delete sessionOf(req)['gone'];
        (sessionOf(req)['cart'] as number[]).push(2);
      },
    ],
    [
      'when the response is closed',
      async (req, res) => {
        await once(res, 'close');
        (sessionOf(req)['cart'] as number[]).push(2);
        sessionOf(req)['n'] = 2;
        delete sessionOf(req)['gone'];
      },
    ],
    [
      'and saves itself',
      async (req, res) => {
        await once(res, 'close');
        const session = sessionOf(req);
        await new Promise(setImmediate);
        Object.assign(session, { n: 2, gone: undefined, cart: [1, 2] });
        await session.save();
      },
    ],
  ])('%s is saved, too', async (_when, act) => {
    for (const early of [undefined, 3]) {
      const store = await openStore();
      const middleware = phpSession(store);
      const id = newId();
      await store.writeRaw(id, Buffer.from(begun));
      const url = await listen((req, res) => {
        middleware(req, res, () => {
          if (early !== undefined) sessionOf(req)['early'] = early;
          res.end('first');
          void act(req, res);
        });
      });
      expect(await (await fetch(url, withId(id))).text()).toBe('first');
      const all = { n: 2, cart: [1, 2], ...(early === undefined ? {} : { early }) };
      await expect.poll(async () => (await store.load(id)).data, { timeout: 60_000 }).toEqual(all);
    }
  });

  test('through a reference that it kept, is saved when the response is closed', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const id = newId();
    await store.writeRaw(id, Buffer.from(begun));
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        const session = sessionOf(req);
        res.end('first');
        session['n'] = 2;
        delete session['gone'];
      });
    });
    await (await fetch(url, withId(id))).text();
    await expect
      .poll(async () => (await store.load(id)).data, { timeout: 60_000 })
      .toEqual({ n: 2, cart: [1] });
  });

  test('and without ever ending it, when the browser went away, is saved, too', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const id = newId();
    await store.writeRaw(id, Buffer.from(begun));
    let closed: Promise<unknown> = Promise.resolve();
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        sessionOf(req)['n'] = 2;
        closed = once(res, 'close').then(async () => {
          await expect.poll(async () => (await store.load(id)).data['n'], { timeout: 60_000 }).toBe(2);
          delete sessionOf(req)['gone'];
          (sessionOf(req)['cart'] as number[]).push(2);
        });
        browser.destroy();
      });
    });
    const { port } = new URL(url);
    const browser = connect(Number(port), '127.0.0.1');
    browser.write(`GET / HTTP/1.1\r\nHost: x\r\nCookie: PHPSESSID=${id}\r\n\r\n`);
    await once(browser, 'close');
    await closed;
    await expect
      .poll(async () => (await store.load(id)).data, { timeout: 60_000 })
      .toEqual({ n: 2, cart: [1, 2] });
  });

  test('before it got its session is saved, too', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const id = newId();
    await store.writeRaw(id, Buffer.from(begun));
    const url = await listen(async (req, res) => {
      res.end('accepted');
      await once(res, 'close');
      middleware(req, res, () => {
        sessionOf(req)['n'] = 2;
        delete sessionOf(req)['gone'];
      });
    });
    expect(await (await fetch(url, withId(id))).text()).toBe('accepted');
    await expect
      .poll(async () => (await store.load(id)).data, { timeout: 60_000 })
      .toEqual({ n: 2, cart: [1] });
  });

  test('of a session that is new is told as a save that failed', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const failed = once(store, 'save-failed');
    const url = await listen((req, res) => {
      middleware(req, res, () => {
        res.end('first');
        sessionOf(req)['n'] = 2;
      });
    });
    const answer = await fetch(url);
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(await failed).toMatchObject([{ error: { code: 'ERR_UNSUPPORTED' } }]);
  });

  test('in a session that another request ended meanwhile is dropped, which is told once', async () => {
    const store = await openStore();
    const middleware = phpSession(store);
    const id = newId();
    await store.writeRaw(id, Buffer.from(begun));
    const dropped: unknown[] = [];
    store.on('save-dropped', (event) => void dropped.push(event));
    const over = new Promise<void>((done) => {
      void listen((req, res) => {
        middleware(req, res, async () => {
          sessionOf(req)['n'] = 2;
          await store.destroy(id);
          res.end('first');
          sessionOf(req)['n'] = 3;
          await once(res, 'close');
          sessionOf(req)['n'] = 4;
          await sessionOf(req).save();
          done();
        });
      }).then((url) => fetch(url, withId(id)));
    });
    await over;
    expect(dropped).toHaveLength(1);
    expect((await store.load(id)).exists).toBe(false);
  });
});
