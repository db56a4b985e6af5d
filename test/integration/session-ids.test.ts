/** Ids and cookies, judged by PHP's own web server: what it reads, what it sends, and what becomes of old ids. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type AnySessionOptions,
  createSessionStore,
  type FileSessionStore,
  type SessionStore,
} from '../../src/index.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { formatSessionCookie, readSessionCookie } from '../../src/session/session-cookie.js';
import { resolveSessionCookie } from '../../src/session/session-cookie-options.js';
import { DEFAULT_SESSION_IDS } from '../../src/session/session-id-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CookieBrowser } from '../support/cookie-browser.js';
import { nodePage, PHP_PAGE, playLoginStory } from '../support/login-story.js';
import { SESSION_PLACES, type SessionPlace, sessionPlace } from '../support/session-places.js';
import { eventually } from './eventually.js';
import { exchange } from './gateway/same-bytes.js';

let servers: LocalCluster;
let root: string;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-ids-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(root, { recursive: true, force: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function openStore(options: AnySessionOptions): Promise<SessionStore | FileSessionStore> {
  const store = await createSessionStore(options);
  closers.push(() => store.close());
  return store;
}

/** How long the copies of a session still live, in seconds. */
async function lives(place: SessionPlace, id: string): Promise<number[]> {
  if ('mounts' in place.options) {
    const folder = String(place.options.mounts?.[0]);
    return [1_440 - (Date.now() - statSync(join(folder, `sess_${id}`)).mtimeMs) / 1_000];
  }
  const found: number[] = [];
  for (const { id: node, host, port } of servers.memcached) {
    await using connection = await TextConnection.open({
      address: { host, port },
      id: node,
      timeoutMs: 2_000,
    });
    const [item] = await connection.items([`memc.sess.key.${id}`]);
    if (item !== null) found.push(item?.remainingSeconds ?? Number.POSITIVE_INFINITY);
  }
  expect(found).toHaveLength(servers.memcached.length);
  return found;
}

const memcachedNodes = (): string[] => servers.memcached.map((node) => node.id);

test.each(SESSION_PLACES)(
  'a login, new ids and a logout on either side are seen by the other: %s',
  async (name) => {
    const { ini, options } = sessionPlace(name, servers, root);
    const php = await servers.phpSite(PHP_PAGE, { ini });
    closers.push(() => php.kill());
    const store = await openStore({ ...options, regenerateGraceMs: 0 });
    const node = await nodePage(store);
    closers.push(() => new Promise((done) => node.server.close(done)));
    const browser = new CookieBrowser();
    await playLoginStory(browser, { php: php.url, node: node.url });
    for (const line of browser.received)
      expect(line).toMatch(/^PHPSESSID=[0-9a-v,-]+; path=\/(?:; HttpOnly; SameSite=Lax)?$/);
  },
);

test.each(['memcached', 'memcache'] as const)(
  'the same is seen while nobody knows yet whether the nodes are complete: %s',
  async (name) => {
    const { ini, options } = sessionPlace(name, servers, root);
    const php = await servers.phpSite(PHP_PAGE, { ini });
    closers.push(() => php.kill());
    for (const { realPort } of servers.memcached)
      await exchange(realPort, [Buffer.from('flush_all\r\nset other 0 0 1\r\n1\r\n')]);
    // Filling takes seconds; here nobody does it.
    const store = await openStore({ ...options, regenerateGraceMs: 0, resync: false });
    const node = await nodePage(store);
    closers.push(() => new Promise((done) => node.server.close(done)));
    await playLoginStory(new CookieBrowser(), { php: php.url, node: node.url });
  },
);

describe('cookies', () => {
  const get = (url: string, cookie: string): Promise<{ body: string; setCookie: readonly string[] }> =>
    new Promise((resolve, reject) => {
      const asked = request(
        url,
        { agent: false, headers: { Cookie: Buffer.from(cookie).toString('latin1') } },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () =>
            resolve({
              body: Buffer.concat(chunks).toString(),
              setCookie: answer.headers['set-cookie'] ?? [],
            }),
          );
        },
      );
      asked.on('error', reject);
      asked.end();
    });

  test('are read as PHP reads them, duplicates, arrays, blanks and escapes included', async () => {
    const { ini } = sessionPlace('files', servers, root);
    const php = await servers.phpSite('<?php session_start(); echo session_id();', {
      ini: { ...ini, 'session.use_strict_mode': '0' },
    });
    closers.push(() => php.kill());
    const id = 'abcdefghijklmnopqrstuvwxyz';
    const other = id.toUpperCase();
    const headers = [
      `PHPSESSID=${id}`,
      `PHPSESSID=${id}; PHPSESSID=${other}`,
      `x=1;PHPSESSID=${id}`,
      `x=1;  PHPSESSID=${id} ; y=2`,
      `PHPSESSID[=${id}; PHPSESSID=${other}`,
      `PHP.SESSID=${other}; PHPSESSID=${id}`,
      `x=1; PHPSESSID =${id}; PHPSESSID=${other}`,
      `PHPSESSID= ${id}; PHPSESSID=${other}`,
      `PHPSESSID="${id}"`,
      `PHPSESSID=${id}=x`,
      `PHPSESSID=; PHPSESSID=${other}`,
      `PHPSESSID; PHPSESSID=${other}`,
      `PHPSESSID[]=${id}`,
      `PHPSESSID[]=${id}; PHPSESSID=${other}`,
      `PHPSESSID[a]=${id}; PHPSESSID=${other}`,
      `PHPSESSID=${id}; PHPSESSID[]=${other}`,
      `PHPSESSID]=${id}; PHPSESSID=${other}`,
      `PHPSESSID%5B%5D=${id}; PHPSESSID=${other}`,
      `PHPSESSI%44=${id}; PHPSESSID=${other}`,
      `phpsessid=${id}; PHPSESSID=${other}`,
      `PHPSESSID=${id.slice(0, -1)}%2C`,
      `PHPSESSID=${id.slice(0, -1)}%2c`,
      `PHPSESSID=${id.slice(0, -2)}+-`,
      `PHPSESSID=${id}%`,
      `PHPSESSID=${id}%C3%A4`,
      `PHPSESSID=%FF${id}`,
      `PHPSESSID=${id},PHPSESSID=${other}`,
      `\tPHPSESSID=${id}`,
      `;;PHPSESSID=${id}`,
      `\xa0PHPSESSID=${other}; PHPSESSID=${id}`,
      `${'a;'.repeat(999)}PHPSESSID=${id}`,
      `${'a;'.repeat(1000)}PHPSESSID=${id}`,
      `${'a=;; ;=b;'.repeat(999)}PHPSESSID=${id}`,
      `=${other}; PHPSESSID=${id}`,
      `PHPSESSID==${id}; PHPSESSID=${other}`,
      'PHPSESSID=a',
      `PHPSESSID=${'a'.repeat(231)}`,
    ];
    // PHP's files handler looks no farther than a NUL byte; an id with one is none here.
    expect(DEFAULT_SESSION_IDS.accept.test(readSessionCookie(`PHPSESSID=${id}%00`, 'PHPSESSID') ?? '')).toBe(
      false,
    );
    for (const header of headers) {
      const there = (await get(php.url, header)).body;
      const read = readSessionCookie(header, 'PHPSESSID');
      const here = read !== undefined && DEFAULT_SESSION_IDS.accept.test(read) ? read : 'a new one';
      const brought = decodeLoosely(header).includes(there);
      expect({ header, id: here }).toEqual({ header, id: brought ? there : 'a new one' });
    }
  });

  test('of all kinds are read as PHP reads them', async () => {
    const php = await servers.phpSite(
      '<?php $v = $_COOKIE["my_sess"] ?? null; echo is_string($v) && $v !== "" ? bin2hex($v) : "none";',
    );
    closers.push(() => php.kill());
    const names =
      'my_sess,my.sess,my sess,my[sess,my_sess[],my_sess[a],my_sess[,my_sess],my_sess[]x,my_sess[a][b],my_sess[a, my_sess,\tmy_sess,my_sess ,my_sess%5B%5D,my%5Fsess,%6Dy_sess,x,,my_sess[ ],my.sess[],my[sess[],my_sess\t,MY_SESS,[my_sess,my_sess[]],my]sess,my_sess[[],my+sess';
    const values = [
      'one',
      'two',
      '',
      '%6Fne',
      'a+b',
      'a%20b',
      '%FF',
      '%',
      '%4',
      '%zz%6F',
      'a=b',
      '"q"',
      ' one',
      'one ',
      'a,b',
      '%00x',
      'a[b',
      '%C3%A4',
      'a&b',
      '%e4%C3',
    ];
    const separators = ['; ', ';', ';;', '; ; ', ' ;', ';\t'];
    // The same headers every time.
    let state = 7;
    const draw = <T>(list: readonly T[]): T => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return list[Math.floor((state / 2 ** 32) * list.length)] as T;
    };
    const list = names.split(',');
    const headers = new Set<string>();
    while (headers.size < 600) {
      let header = `${draw(list)}=${draw(values)}`;
      while (draw([0, 1, 2]) > 0)
        header += `${draw(separators)}${draw(list)}${draw(['', '=', '='])}${draw(values)}`;
      headers.add(header);
    }
    let found = 0;
    for (const header of headers) {
      const there = (await get(php.url, header)).body;
      const read = readSessionCookie(header, 'my_sess');
      // One character per byte, or UTF-8.
      const forms =
        read === undefined
          ? ['none']
          : (['utf8', 'latin1'] as const).map((as) => Buffer.from(read, as).toString('hex'));
      if (there !== 'none') found += 1;
      expect({ header, there, forms: forms.includes(there) ? [there] : forms }).toEqual({
        header,
        there,
        forms: [there],
      });
    }
    expect(found).toBeGreaterThan(100);
  });

  test('whose names PHP rewrites are found by the rewritten name', async () => {
    const { ini } = sessionPlace('files', servers, root);
    const php = await servers.phpSite('<?php session_start(); echo session_id();', {
      ini: { ...ini, 'session.use_strict_mode': '0', 'session.name': 'my_sess' },
    });
    closers.push(() => php.kill());
    const [one, two] = ['abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    for (const name of [
      'my_sess',
      'my.sess',
      'my sess',
      'my[sess',
      ' my_sess',
      'my-sess',
      'my_sess.',
      'my__sess',
    ]) {
      const header = `${name}=${one}; my_sess=${two}`;
      expect({ header, id: readSessionCookie(header, 'my_sess') }).toEqual({
        header,
        id: (await get(php.url, header)).body,
      });
    }
  });

  test.each([
    {},
    { 'session.cookie_lifetime': '3600' },
    { 'session.cookie_path': '/shop', 'session.cookie_domain': 'example.org' },
    { 'session.cookie_secure': '1', 'session.cookie_samesite': 'None' },
    { 'session.cookie_httponly': '1', 'session.cookie_samesite': 'Strict', 'session.name': 'SHOP-ID' },
    {
      'session.cookie_lifetime': '60',
      'session.cookie_path': '/a',
      'session.cookie_domain': '.example.org',
      'session.cookie_secure': '1',
      'session.cookie_httponly': '1',
      'session.cookie_samesite': 'Lax',
      'session.sid_bits_per_character': '6',
    },
  ] as Record<string, string>[])('are sent as PHP sends them: %j', async (settings) => {
    const { ini } = sessionPlace('files', servers, root);
    const php = await servers.phpSite(
      "<?php if ($_SERVER['REQUEST_URI'] === '/own') session_id('abc,-abcabcabcabcabcabcabcabc'); session_start(); echo session_id();",
      { ini: { ...ini, ...settings } },
    );
    closers.push(() => php.kill());
    const cookie = resolveSessionCookie('cookie', {
      name: settings['session.name'] ?? 'PHPSESSID',
      path: settings['session.cookie_path'] ?? '/',
      domain: settings['session.cookie_domain'] ?? '',
      secure: settings['session.cookie_secure'] === '1',
      httpOnly: settings['session.cookie_httponly'] === '1',
      sameSite: (settings['session.cookie_samesite'] ?? '') as '' | 'Lax' | 'Strict' | 'None',
      lifetimeMs: Number(settings['session.cookie_lifetime'] ?? 0) * 1000,
    });
    for (const path of ['/', '/own']) {
      const { body, setCookie } = await get(`${php.url}${path}`, '');
      const date = /expires=([^;]+)/.exec(setCookie[0] ?? '')?.[1];
      const now = date === undefined ? Date.now() : Date.parse(date) - cookie.lifetimeMs;
      expect(formatSessionCookie(body, cookie, { secureRequest: false, now })).toBe(setCookie[0]);
    }
  });
});

function decodeLoosely(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

describe.each(['memcached', 'files'] as const)('a replaced id on %s', (name) => {
  let place: SessionPlace;
  beforeAll(() => {
    place = sessionPlace(name, servers, root);
  });
  const open = (
    more: Pick<AnySessionOptions, 'regenerateGraceMs'>,
  ): Promise<SessionStore | FileSessionStore> => openStore({ ...place.options, ...more });

  test('stays for a moment as it was stored, and then is gone', async () => {
    const store = await open({ regenerateGraceMs: 400 });
    const session = store.create();
    session.data['cart'] = 1;
    await store.save(session);
    session.data['user'] = 'ada';
    const fresh = await store.regenerate(session);
    expect(fresh.data).toEqual({ cart: 1, user: 'ada' });
    expect((await store.load(session.id)).data).toEqual({ cart: 1 });
    // Somebody who goes on using it does not keep it alive.
    await store.touch(session.id);
    await eventually('the old session is gone', async () => (await store.readRaw(session.id)) === null);
    expect((await store.load(fresh.id)).data).toEqual({ cart: 1, user: 'ada' });
  });

  test('is gone at once where there is no grace, with the new one at a logout, and when the store closes', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    const begin = async () => {
      const session = store.create();
      session.data['user'] = 'ada';
      await store.save(session);
      return session;
    };
    const at = await begin();
    await store.regenerate(at, { graceMs: 0 });
    expect(await store.readRaw(at.id)).toBeNull();
    const first = await begin();
    const second = await store.regenerate(first);
    const third = await store.regenerate(second);
    expect(await store.readRaw(first.id)).not.toBeNull();
    await store.destroy(third.id);
    for (const { id } of [first, second, third]) expect(await store.readRaw(id)).toBeNull();
    const last = await begin();
    await store.regenerate(last);
    const witness = await open({});
    await store.close();
    expect(await witness.readRaw(last.id)).toBeNull();
  });

  test('ends with the new one for every process, whichever ends that, PHP as well', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    const other = await open({});
    const php = (id: string, code: string) =>
      servers.php(`<?php session_id('${id}'); session_start(); ${code}`, { ini: place.ini });
    for (const logOut of [(id: string) => other.destroy(id), (id: string) => php(id, 'session_destroy();')]) {
      const first = store.create();
      first.data['user'] = 'ada';
      await store.save(first);
      const second = await store.regenerate(first);
      const third = await store.regenerate(second);
      for (const { id } of [first, second]) expect((await other.load(id)).data).toEqual({ user: 'ada' });
      await logOut(third.id);
      for (const one of [store, other]) {
        for (const { id } of [first, second, third]) expect((await one.load(id)).exists).toBe(false);
        expect(await one.readRaw(first.id)).toBeNull();
        expect((await one.load(second.id, { lock: true })).exists).toBe(false);
      }
      await eventually('PHP finds none of them', async () => {
        const { stdout } = await php(first.id, 'echo count($_SESSION);');
        return stdout === '0';
      });
    }
  });

  test('is never seen again once somebody found that it is over', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    const [second, third] = [await open({}), await open({})];
    for (let round = 0; round < 8; round += 1) {
      const first = store.create();
      first.data['user'] = 'ada';
      await store.save(first);
      const fresh = await store.regenerate(first);
      await second.destroy(fresh.id);
      // This one begins to remove it; the others look while it does.
      const seen = [(await third.load(first.id)).exists];
      for (let turn = 0; turn < 12; turn += 1) seen.push((await second.load(first.id)).exists);
      expect(seen).not.toContain(true);
    }
  });

  test('loses what was deleted before it was replaced, and keeps what was set out of it', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    for (const lock of [false, true]) {
      const begun = store.create();
      Object.assign(begun.data, { user: 'root', cart: 1, n: 1 });
      await store.save(begun);
      const session = await store.load(begun.id, { lock });
      delete session.data['user'];
      Object.assign(session.data, { n: 2, secret: 1 });
      const fresh = await store.regenerate(session);
      expect((await store.load(fresh.id)).data).toEqual({ cart: 1, n: 2, secret: 1 });
      expect((await store.load(begun.id)).data).toEqual({ cart: 1, n: 1 });
    }
  });

  test('loses what was deleted within a variable, as of what a framework keeps in one', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    const begun = store.create();
    const attributes = { _security_main: 'TOKEN', cart: ['a', 'b'] };
    Object.assign(begun.data, {
      _sf2_attributes: attributes,
      user: { name: 'ada', admin: true },
      list: [1, 2],
    });
    await store.save(begun);
    const session = await store.load(begun.id);
    const { _sf2_attributes: bag, user, list } = session.data as Record<string, Record<string, unknown>>;
    delete bag?.['_security_main'];
    delete user?.['admin'];
    (list as unknown as number[]).shift();
    await store.regenerate(session);
    expect((await store.load(begun.id)).data).toEqual({
      _sf2_attributes: { cart: ['a', 'b'] },
      user: { name: 'ada' },
      list: [1, 2],
    });
  });

  test('gets no longer life from a process that did not replace it', async () => {
    const store = await open({ regenerateGraceMs: 60_000 });
    const other = await open({});
    const session = store.create();
    session.data['cart'] = 1;
    await store.save(session);
    await store.regenerate(session);
    const late = await other.load(session.id);
    other.touchLater(session.id);
    await other.touch(session.id);
    late.data['visits'] = 7;
    expect((await other.save(late)).outcome).toBe('saved');
    expect((await store.load(session.id)).data).toEqual({ cart: 1, visits: 7 });
    const before = await lives(place, session.id);
    for (const one of [store, other]) one.touchLater(session.id);
    await store.touch(session.id);
    for (const life of [...before, ...(await lives(place, session.id))]) expect(life).toBeLessThanOrEqual(61);
    // The check can fail.
    const fresh = other.create();
    fresh.data['n'] = 1;
    await other.save(fresh);
    for (const life of await lives(place, fresh.id)) expect(life).toBeGreaterThan(1_000);
  });

  test('takes along what others saved under it since it was loaded, and does not bring back what they ended', async () => {
    const store = await open({ regenerateGraceMs: 0 });
    const session = store.create();
    session.data['cart'] = 1;
    await store.save(session);
    const late = await store.load(session.id);
    late.data['visits'] = 7;
    await store.save(late);
    session.data['user'] = 'ada';
    const fresh = await store.regenerate(session);
    expect((await store.load(fresh.id)).data).toEqual({ cart: 1, visits: 7, user: 'ada' });
    await store.destroy(fresh.id);
    fresh.data['user'] = 'grace';
    const next = await store.regenerate(fresh);
    expect((await store.load(next.id)).data).toEqual({ user: 'grace' });
  });
});

test('an id that the store does not hold is taken over only where strict mode is off', async () => {
  for (const strict of [true, false]) {
    const store = await openStore({ nodes: memcachedNodes(), ids: { strict } });
    const node = await nodePage(store);
    closers.push(() => new Promise((done) => node.server.close(done)));
    const browser = new CookieBrowser();
    const chosen = `chosen${'0'.repeat(20)}`;
    await browser.setCookie('PHPSESSID', chosen);
    await browser.open(`${node.url}/add`);
    expect((await browser.cookie('PHPSESSID')) === chosen).toBe(!strict);
    expect((await store.readRaw(chosen)) === null).toBe(strict);
    expect(browser.received).toHaveLength(strict ? 1 : 0);
    await store.destroy(chosen);
  }
});
