/** The headers that keep pages with sessions out of caches, judged by PHP's own web server under the same php.ini. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadSession, type PhpSessionRequest, phpSession } from '../../src/express/index.js';
import { createSessionStore, type FileSessionStore, type SessionStore } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

let servers: LocalCluster;
let root: string;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-limiter-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(root, { recursive: true, force: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Store = SessionStore | FileSessionStore;
const sessionOf = (req: unknown) => (req as PhpSessionRequest).session;

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closers.push(() => new Promise((done) => server.close(done)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function ini(limits: Readonly<Record<string, string>>): Record<string, string> {
  const path = mkdtempSync(join(root, 'sessions-'));
  return { 'session.save_handler': 'files', 'session.save_path': path, ...limits };
}

async function storeOf(settings: Readonly<Record<string, string>>): Promise<Store> {
  const file = join(mkdtempSync(join(root, 'ini-')), 'php.ini');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} = "${value}"\n`)
      .join(''),
  );
  const store = await createSessionStore({ phpIni: file });
  closers.push(() => store.close());
  return store;
}

const NAMES = ['expires', 'cache-control', 'pragma', 'last-modified'];

/** The headers, with a date that is one expiry ahead told as such. */
async function limitsAt(url: string, init: RequestInit = {}): Promise<Record<string, string>> {
  const answer = await fetch(url, init);
  const { headers } = answer;
  await answer.text();
  const seen: Record<string, string> = {};
  for (const name of NAMES) {
    const value = headers.get(name);
    if (value !== null) seen[name] = value;
  }
  const ahead = Date.parse(seen['expires'] ?? '') - Date.parse(headers.get('date') ?? '');
  const maxAge = Number(/max-age=(\d+)/.exec(seen['cache-control'] ?? '')?.[1] ?? Number.NaN) * 1000;
  if (Math.abs(ahead - maxAge) <= 1_000) seen['expires'] = 'after max-age';
  return seen;
}

describe.each([
  ...['nocache', 'private', 'private_no_expire', 'public', '', 'Public', 'none', 'unheard of'].map(
    (limiter) => ({ 'session.cache_limiter': limiter, 'session.cache_expire': '30' }),
  ),
  { 'session.cache_limiter': 'public', 'session.cache_expire': '0' },
  {},
] as Record<string, string>[])('with %j', (limits) => {
  test('Node sends what PHP sends, in every way that a session is started', async () => {
    const settings = ini(limits);
    const dir = mkdtempSync(join(root, 'site-'));
    writeFileSync(join(dir, 'index.php'), '<?php session_start();');
    const php = await servers.phpSite({ dir }, { ini: settings });
    closers.push(() => php.kill());
    const there = await limitsAt(`${php.url}/index.php`);
    if ('last-modified' in there) {
      expect(there['last-modified']).toBe(statSync(join(dir, 'index.php')).mtime.toUTCString());
      // The program of this process is what its page was made by.
      there['last-modified'] = statSync(process.argv[1] ?? '').mtime.toUTCString();
    }
    const store = await storeOf(settings);
    const app = express();
    app.use(phpSession(store));
    app.get('/used', (req, res) => void res.json(Object.keys(sessionOf(req))));
    app.get('/written', (req, res) => {
      sessionOf(req)['n'] = 1;
      res.redirect('/used');
    });
    app.get('/streamed', (req, res) => {
      sessionOf(req)['n'] = 1;
      res.write('one');
      res.end('two');
    });
    app.get('/unused', (_req, res) => void res.json({}));
    const url = await serve(app);
    for (const path of ['/used', '/written', '/streamed'])
      expect({ path, ...(await limitsAt(url + path, { redirect: 'manual' })) }).toEqual({ path, ...there });
    expect(await limitsAt(`${url}/used`, { method: 'HEAD' })).toEqual(there);
    // PHP sends nothing either where a page does not call session_start().
    expect(await limitsAt(`${url}/unused`)).toEqual({});
    const plain = await serve(async (req, res) => {
      await (await loadSession(store, req, res)).save();
      res.end();
    });
    expect(await limitsAt(plain)).toEqual(there);
  });
});

test('what the application says about caching itself is left alone, all of it', async () => {
  const store = await storeOf(ini({ 'session.cache_limiter': 'private' }));
  const app = express();
  app.use(phpSession(store));
  app.use((req, _res, next) => void (sessionOf(req)['n'] === undefined ? next() : next()));
  const folder = join(root, 'static');
  mkdirSync(folder);
  writeFileSync(join(folder, 'lamp.txt'), 'lamp');
  app.use('/static', express.static(folder));
  app.get('/control', (_req, res) => void res.set('Cache-Control', 'public, max-age=60').end());
  app.get('/expires', (_req, res) => void res.set('Expires', '0').end());
  app.get('/head', (_req, res) => void res.writeHead(200, { 'cache-control': 'no-store' }).end());
  app.get('/modified', (_req, res) => void res.set('Last-Modified', 'Sun, 09 Sep 2001 01:46:40 GMT').end());
  const url = await serve(app);
  expect(await limitsAt(`${url}/control`)).toEqual({ 'cache-control': 'public, max-age=60' });
  expect(await limitsAt(`${url}/expires`)).toEqual({ expires: '0' });
  expect(await limitsAt(`${url}/head`)).toEqual({ 'cache-control': 'no-store' });
  expect(await limitsAt(`${url}/static/lamp.txt`)).toMatchObject({ 'cache-control': 'public, max-age=0' });
  expect(await limitsAt(`${url}/static/lamp.txt`)).not.toHaveProperty('expires');
  expect(await limitsAt(`${url}/modified`)).toEqual({
    expires: 'Thu, 19 Nov 1981 08:52:00 GMT',
    'cache-control': 'private, max-age=10800',
    'last-modified': 'Sun, 09 Sep 2001 01:46:40 GMT',
  });
});
