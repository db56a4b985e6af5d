import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { beforeBytes } from '../../../src/express/before-bytes.js';
import { scope } from '../../../src/express/index.js';
import { appendCookie } from '../../../src/express/response-cookie.js';

function exchange(): { readonly req: IncomingMessage; readonly res: ServerResponse } {
  const req = new IncomingMessage(new Socket());
  return { req, res: new ServerResponse(req) };
}

/** Ways to begin an answer with a cookie of the application's own. */
const WAYS: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  'headers of writeHead': (res) => res.writeHead(303, { Location: '/', 'Set-Cookie': 'a=b' }),
  'several cookies in writeHead': (res) => res.writeHead(303, { 'set-cookie': ['a=b'], Location: '/' }),
  'a list in writeHead': (res) => res.writeHead(303, 'See Other', ['Location', '/', 'Set-Cookie', 'a=b']),
  'a header that was set before': (res) => {
    res.setHeader('Set-Cookie', 'a=b');
    res.writeHead(303, { Location: '/' });
  },
};

describe.each(Object.entries(WAYS))('%s', (_, begin) => {
  test('stand beside a cookie that is added before the bytes', () => {
    const { res } = exchange();
    beforeBytes(res, () => {
      if (!res.headersSent) appendCookie(res, 'ours=1');
    });
    begin(res);
    expect([res.getHeader('Set-Cookie'), res.getHeader('Location')]).toEqual([['a=b', 'ours=1'], '/']);
  });
});

describe('the cookie of a scope', () => {
  const view = { token: '0-1-5', wrote: true };
  const host = { scope: view, run: <T>(_scope: object, fn: () => T): T => fn() };
  const middleware = scope(host, { secret: 'a secret that is long enough' });
  const names = (res: ServerResponse): string[] =>
    [res.getHeader('Set-Cookie') ?? []].flat().map((cookie) => String(cookie).split('=', 1)[0] ?? '');

  test('is added once, beside those of writeHead', () => {
    const { req, res } = exchange();
    middleware(req as never, res as never, () => undefined);
    res.writeHead(303, { 'Set-Cookie': 'a=b' });
    res.end();
    expect(names(res)).toEqual(['a', 'stormlamp_scope']);
  });

  test('is added again to an answer that is made in place of the first one', () => {
    const { req, res } = exchange();
    const { end } = res;
    // What keeps the end back, as a session does whose save fails.
    let isHeld = true;
    res.end = function held(this: ServerResponse, ...args: unknown[]) {
      return isHeld ? this : Reflect.apply(end, this, args);
    } as ServerResponse['end'];
    middleware(req as never, res as never, () => undefined);
    res.end('saved');
    expect(names(res)).toEqual(['stormlamp_scope']);
    isHeld = false;
    res.writeHead(500, { 'Set-Cookie': 'a=b' });
    res.end('not saved');
    expect(names(res)).toEqual(['a', 'stormlamp_scope']);
  });
});
