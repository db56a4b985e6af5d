/** What is set, changed or deleted in a session while it is being saved, replaced or read again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type HttpSession,
  loadSession,
  type PhpSessionRequest,
  phpSession,
  type RequestSession,
} from '../../src/express/index.js';
import { createSessionStore, ErrorCode, type FileSessionStore, type SessionStore } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type SessionPlace, sessionPlace } from '../support/session-places.js';

let servers: LocalCluster;
let root: string;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-overlap-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(root, { recursive: true, force: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe.each(['memcached', 'files'] as const)('on %s', (name) => {
  let place: SessionPlace;
  beforeAll(() => {
    place = sessionPlace(name, servers, root);
  });
  const open = async (): Promise<SessionStore | FileSessionStore> => {
    const store = await createSessionStore(place.options);
    closers.push(() => store.close());
    return store;
  };
  /** The id of a stored session, and a way to hold its lock, so that whoever saves it waits. */
  const begin = async (bytes: string) => {
    const store = await open();
    const { id } = store.create();
    await store.writeRaw(id, Buffer.from(bytes));
    const other = await open();
    return {
      store,
      other,
      id,
      holder: () => other.load(id, { lock: true }),
      stored: async () => (await other.load(id)).data,
    };
  };

  test('what is set, changed and deleted during a save stays, and is stored by the next one', async () => {
    const { store, other, id, holder, stored } = await begin(
      'list|a:1:{i:0;i:1;}twice|i:1;again|i:1;gone|i:1;seen|a:1:{s:1:"f";d:1;}theirs|a:1:{i:0;i:1;}left|i:1;',
    );
    const held = await holder();
    const session = await store.load(id);
    session.data['twice'] = 2;
    const { list } = session.data;
    const saved = store.save(session);
    (list as number[]).push(2);
    session.data['fresh'] = { a: 1 };
    session.data['twice'] = 3;
    session.data['again'] = 2;
    delete session.data['gone'];
    (session.data['seen'] as { f: number }).f = 2;
    (session.data['theirs'] as number[]).push(9);
    held.data['theirs'] = [1, 2];
    held.data['left'] = 2;
    await other.save(held);
    expect((await saved).outcome).toBe('saved');
    const here = { list: [1, 2], twice: 3, again: 2, seen: { f: 2 }, fresh: { a: 1 } };
    expect(session.data).toMatchObject(here);
    expect(session.data).not.toHaveProperty('gone');
    expect(session.data['list']).toBe(list);
    expect(await stored()).toMatchObject({ list: [1], twice: 2, again: 1, gone: 1 });
    expect((await store.save(session)).outcome).toBe('saved');
    expect(await stored()).toEqual(session.data);
    expect((await store.readRaw(id))?.toString()).toContain('seen|a:1:{s:1:"f";d:2;}');
    expect((await store.save(session)).outcome).toBe('unchanged');
  });

  test('saves of one session run one after the other, and a new id takes along what is set meanwhile', async () => {
    const { store, id, holder, stored } = await begin('n|i:0;');
    const held = await holder();
    const session = await store.load(id);
    session.data['n'] = 1;
    const first = store.save(session);
    session.data['n'] = 2;
    const second = store.save(session);
    const third = store.save(session);
    await held.release();
    expect((await Promise.all([first, second, third])).map(({ outcome }) => outcome)).toEqual([
      'saved',
      'saved',
      'unchanged',
    ]);
    expect(await stored()).toEqual({ n: 2 });
    const again = await holder();
    const replaced = store.regenerate(session);
    session.data['user'] = 'ada';
    await again.release();
    const fresh = await replaced;
    expect(fresh.data).toEqual({ n: 2, user: 'ada' });
    expect((await store.load(fresh.id)).data).toEqual({ n: 2, user: 'ada' });
  });

  test('a request keeps what its handler does during save(), regenerate() and reload()', async () => {
    const { store, id, holder, stored } = await begin('a|i:1;b|i:1;');
    const { session } = await request(store, id);
    const held = await holder();
    session['a'] = 2;
    const saved = session.save();
    session['later'] = 1;
    session.reserved['id'] = 'reserved';
    delete session['b'];
    const second = session.save();
    session['latest'] = 1;
    await held.release();
    await saved;
    expect({ ...session }).toEqual({ a: 2, later: 1, latest: 1 });
    await second;
    expect({ ...session }).toEqual({ a: 2, later: 1, latest: 1 });
    expect(session.reserved).toEqual({ id: 'reserved' });
    expect(await stored()).toMatchObject({ a: 2, later: 1, id: 'reserved' });
    expect(await stored()).not.toHaveProperty('b');
    const again = await holder();
    const replaced = session.regenerate();
    session['user'] = 'ada';
    await again.release();
    await replaced;
    expect({ ...session }).toEqual({ a: 2, later: 1, latest: 1, user: 'ada' });
    await session.save();
    session['a'] = 'forgotten';
    const read = session.reload();
    session['noted'] = 1;
    await read;
    expect({ ...session }).toEqual({ a: 2, later: 1, latest: 1, user: 'ada', noted: 1 });
    await session.save();
    expect((await store.load(session.id)).data).toMatchObject({ a: 2, user: 'ada', noted: 1 });
  });

  test('a logout during a save ends the session, whatever is set then', async () => {
    const { store, id, holder } = await begin('a|i:1;');
    const { session } = await request(store, id);
    const held = await holder();
    session['a'] = 2;
    const saved = session.save();
    const destroyed = session.destroy();
    const late = session.save();
    await held.release();
    await Promise.all([saved, destroyed, late]);
    expect(await store.readRaw(id)).toBeNull();
    expect({ ...session }).toEqual({});
  });

  test('a session that was ended elsewhere does not live on under its id after reload()', async () => {
    const { store, other, id } = await begin('user|s:3:"ada";');
    const { http, response } = await request(store, id);
    await other.destroy(id);
    await http.session.reload();
    expect({ ...http.session }).toEqual({});
    http.session['evil'] = 1;
    await http.save();
    expect(http.session.id).not.toBe(id);
    expect(await store.readRaw(id)).toBeNull();
    expect((await store.load(http.session.id)).data).toEqual({ evil: 1 });
    expect(String(response.getHeader('Set-Cookie'))).toContain(http.session.id);
    const { id: second } = store.create();
    await store.writeRaw(second, Buffer.from('user|s:3:"ada";'));
    const late = await request(store, second);
    late.response.flushHeaders();
    await other.destroy(second);
    await expect(late.session.reload()).rejects.toMatchObject({ code: ErrorCode.UNSUPPORTED });
    expect({ ...late.session }).toEqual({});
    late.session['evil'] = 1;
    await late.http.save();
    expect(await store.readRaw(second)).toBeNull();
    expect(await store.readRaw(late.session.id)).toBeNull();
  });

  test('where ids are taken over, a session that was ended begins anew under its own', async () => {
    const { other, id } = await begin('user|s:3:"ada";');
    const loose = await createSessionStore({ ...place.options, ids: { strict: false } });
    closers.push(() => loose.close());
    const { session } = await request(loose, id);
    await other.destroy(id);
    await session.reload();
    expect(session.id).toBe(id);
    expect({ ...session }).toEqual({});
  });

  test('a save is told that the session was ended elsewhere', async () => {
    const { store, other, id } = await begin('a|i:1;');
    const { session } = await request(store, id);
    expect(await session.save()).toBe('unchanged');
    session['a'] = 2;
    expect(await session.save()).toBe('saved');
    await other.destroy(id);
    session['a'] = 3;
    expect(await session.save()).toBe('gone');
    await session.destroy();
    expect(await session.save()).toBe('gone');
    expect(await store.readRaw(id)).toBeNull();
  });

  test('the middleware that is mounted twice gives one session, and does not wait for its own lock', async () => {
    const { id, stored } = await begin('a|i:1;');
    const store = await createSessionStore({ ...place.options, conflict: 'lock', lockWaitMs: 300 });
    closers.push(() => store.close());
    const app = express();
    const sessions: unknown[] = [];
    const note: express.RequestHandler = (req, _res, next) => {
      sessions.push((req as unknown as PhpSessionRequest).session);
      next();
    };
    app.use(phpSession(store), note, phpSession(store), note, phpSession(store, { readOnly: true }), note);
    app.use((req, res) => {
      (req as unknown as PhpSessionRequest).session['a'] = 2;
      res.end('done');
    });
    const server = createServer(app);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closers.push(() => new Promise((done) => server.close(done)));
    const { port } = server.address() as AddressInfo;
    const headers = { cookie: `PHPSESSID=${id}`, connection: 'close' };
    expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers })).text()).toBe('done');
    expect(new Set(sessions).size).toBe(1);
    expect(sessions).toHaveLength(3);
    expect(await stored()).toEqual({ a: 2 });
  });

  test('a browser that goes away while a page has the session loses nothing that the handler sets later', async () => {
    const { store, id, holder, stored } = await begin('a|i:1;');
    const { http } = await request(store, id);
    const held = await holder();
    http.session['started'] = 1;
    const atClose = http.save();
    http.session['order'] = 42;
    await held.release();
    await atClose;
    await http.session.save();
    expect(await stored()).toEqual({ a: 1, started: 1, order: 42 });
  });
});

/** The session of a request whose response is never ended. */
async function request(
  store: SessionStore | FileSessionStore,
  id: string,
): Promise<{
  readonly http: HttpSession;
  readonly session: RequestSession;
  readonly response: ServerResponse;
}> {
  let arrived: (both: [IncomingMessage, ServerResponse]) => void;
  const both = new Promise<[IncomingMessage, ServerResponse]>((done) => {
    arrived = done;
  });
  const server = createServer((req, res) => arrived([req, res]));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const answer = fetch(`http://127.0.0.1:${port}/`, { headers: { cookie: `PHPSESSID=${id}` } }).catch(
    () => {},
  );
  closers.push(async () => {
    server.closeAllConnections();
    await answer;
    await new Promise((done) => server.close(done));
  });
  const [req, response] = await both;
  const http = await loadSession(store, req, response);
  return { http, session: http.session, response };
}
