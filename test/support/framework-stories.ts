/** The stories of Symfony and Laravel themselves, which write and read the sessions that Node reads and writes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadSession } from '../../src/express/index.js';
import {
  createSessionStore,
  laravelSession,
  laravelSessions,
  type SessionOptions,
  type SessionStore,
  symfonySession,
  symfonySessions,
} from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type PhpFramework, phpFrameworks } from './php-frameworks.js';

const LONG = 'lorem ipsum dolor sit amet '.repeat(400);
/** More than FastLZ's first level compresses, and repeated farther apart than it reaches. */
const FAR = Array.from({ length: 9_000 }, (_, index) => `${(index * 7919) % 10_007} `)
  .join('')
  .repeat(2);

/** Registers the stories, told by the releases of the frameworks that a suite of Debian has; undefined is the system's own. */
export function tellFrameworkStories(suite: string | undefined): void {
  let servers: LocalCluster;
  let php: PhpFramework;
  let nodes: readonly string[];
  const stores: SessionStore[] = [];
  const sites: Server[] = [];

  beforeAll(async () => {
    php = await phpFrameworks(suite);
    servers = await startLocalCluster({ databases: false, php: false, memcached: 3 });
    nodes = servers.memcached.map((node) => node.id);
  }, 300_000);
  afterAll(async () => {
    await servers?.close();
    php?.close();
  });
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => new Promise((done) => site.close(done))));
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  async function openStore(options: Partial<SessionOptions>): Promise<SessionStore> {
    const store = await createSessionStore({ nodes: [...nodes], ...options });
    stores.push(store);
    return store;
  }

  /** PHP code that makes `$memcached` with all nodes. */
  function memcached(options: string): string {
    const servers = nodes.map((node) => {
      const [host, port] = node.split(':');
      return `['${host}', ${port}]`;
    });
    return `$memcached = new Memcached(); ${options} $memcached->addServers([${servers.join(',')}]);`;
  }

  let ids = 0;
  function newId(length: number): string {
    ids += 1;
    return `${ids}a${'x'.repeat(length)}`.slice(0, length);
  }

  describe.each([
    ['ketama_weighted', '$memcached->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);'],
    ['ketama', '$memcached->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);'],
    ['modula', ''],
  ] as const)("Symfony's handler with %s", (distribution, option) => {
    const symfony = (id: string | null, code: string): Promise<string> =>
      php.run(`
        require 'Symfony/Component/HttpFoundation/autoload.php';
        require 'Symfony/Component/Security/Core/autoload.php';
        use Symfony\\Component\\HttpFoundation\\Session\\Session;
        use Symfony\\Component\\HttpFoundation\\Session\\Storage\\NativeSessionStorage;
        use Symfony\\Component\\HttpFoundation\\Session\\Storage\\Handler\\MemcachedSessionHandler;
        ${memcached(option)}
        ${id === null ? '' : `session_id('${id}');`}
        $session = new Session(new NativeSessionStorage([], new MemcachedSessionHandler($memcached)));
        $session->start();
        ${code}
        $session->save();`);

    test('attributes, flashes and a security token go there and back, short and compressed', async () => {
      const store = await openStore(symfonySessions({ distribution }));
      for (const text of ['short', LONG, FAR]) {
        // Symfony is strict: it takes no id that is not there.
        const id = await symfony(
          null,
          `echo $session->getId(); $session->set('text', '${text}'); $session->set('price', 100.0); $session->getFlashBag()->add('notice', 'saved');
           $user = new Symfony\\Component\\Security\\Core\\User\\InMemoryUser('ada', null, ['ROLE_USER']);
           $token = new Symfony\\Component\\Security\\Core\\Authentication\\Token\\UsernamePasswordToken($user, 'main', ['ROLE_USER']);
           $session->set('_security_main', serialize($token));`,
        );
        const session = await store.load(id);
        expect(session.exists).toBe(true);
        const view = symfonySession(session.data);
        expect(view.attributes).toMatchObject({ text, price: 100 });
        expect(String(view.securityToken()?.className)).toContain('UsernamePasswordToken');
        expect(view.securityToken('other')).toBeUndefined();
        expect(Math.abs(Date.now() - (view.createdAt?.getTime() ?? 0))).toBeLessThan(600_000);
        expect(view.takeFlashes('notice')).toEqual(['saved']);
        view.addFlash('node', 'hello');
        view.attributes['cart'] = { 7: 2 };
        expect((await store.save(session)).outcome).toBe('saved');
        const seen = await symfony(
          id,
          `echo json_encode([$session->get('text') === '${text}', $session->get('price') === 100.0, $session->get('cart'),
             $session->getFlashBag()->get('node'), $session->getFlashBag()->get('notice'),
             unserialize($session->get('_security_main'))->getUserIdentifier()]);`,
        );
        expect(JSON.parse(seen)).toEqual([true, true, { 7: 2 }, ['hello'], [], 'ada']);
      }
    });

    test('a session that Node begins is one to Symfony, and a logout on either side is seen by the other', async () => {
      const store = await openStore(symfonySessions({ distribution }));
      const session = store.create();
      symfonySession(session.data).attributes['user'] = 'ada';
      await store.save(session);
      expect(await symfony(session.id, "echo $session->get('user');")).toBe('ada');
      await store.destroy(session.id);
      expect(await symfony(session.id, "echo $session->get('user', 'nobody');")).toBe('nobody');
      const id = await symfony(null, "echo $session->getId(); $session->set('user', 'ada');");
      await symfony(id, '$session->invalidate();');
      expect((await store.load(id)).exists).toBe(false);
    });
  });

  test("an application of Symfony with PHP's own handler needs no adapter", async () => {
    const native = (id: string | null, code: string): Promise<string> =>
      php.run(
        `require 'Symfony/Component/HttpFoundation/autoload.php';
         ${id === null ? '' : `session_id('${id}');`}
         $session = new Symfony\\Component\\HttpFoundation\\Session\\Session();
         $session->start();
         ${code}
         $session->save();`,
        {
          'session.save_handler': 'memcached',
          'session.save_path': nodes.join(','),
          'memcached.sess_lock_expire': '30',
        },
      );
    const store = await openStore({ copies: 1 });
    const id = await native(null, "echo $session->getId(); $session->set('user', 'ada');");
    const session = await store.load(id);
    const view = symfonySession(session.data);
    expect(view.attributes).toEqual({ user: 'ada' });
    expect(view.takeFlashes('none')).toEqual([]);
    view.attributes['seen'] = true;
    view.addFlash('notice', 'from Node');
    await store.save(session);
    expect(await native(id, 'echo json_encode([$session->all(), $session->getFlashBag()->all()]);')).toBe(
      '[{"user":"ada","seen":true},{"notice":["from Node"]}]',
    );
  });

  describe.each([
    ['AES-256-CBC', 32, false],
    ['AES-256-CBC', 32, true],
    ['AES-128-GCM', 16, true],
  ] as const)('Laravel with %s', (cipher, bytes, encrypt) => {
    const key = Buffer.alloc(bytes, 'k').toString('base64');
    const appKey = `base64:${key}`;
    /** Newer releases put no colon behind the cache's prefix. */
    const options = async () =>
      laravelSessions({
        appKey,
        cipher,
        encrypt,
        prefix: await php.run(
          `require 'Illuminate/Cache/autoload.php'; echo (new Illuminate\\Cache\\MemcachedStore(new Memcached(), 'laravel_cache'))->getPrefix();`,
        ),
      });
    const laravel = (id: string | null, code: string): Promise<string> =>
      php.run(`
        require 'Illuminate/Session/autoload.php';
        require 'Illuminate/Cache/autoload.php';
        require 'Illuminate/Cookie/autoload.php';
        require 'Illuminate/Encryption/autoload.php';
        ${memcached('')}
        $encrypter = new Illuminate\\Encryption\\Encrypter(base64_decode('${key}'), '${cipher}');
        $cache = new Illuminate\\Cache\\Repository(new Illuminate\\Cache\\MemcachedStore($memcached, 'laravel_cache'));
        $handler = new Illuminate\\Session\\CacheBasedSessionHandler($cache, 120);
        $id = ${id === null ? 'null' : `'${id}'`};
        $session = ${encrypt ? "new Illuminate\\Session\\EncryptedStore('laravel_session', $handler, $encrypter, $id)" : "new Illuminate\\Session\\Store('laravel_session', $handler, $id)"};
        function cookie() { global $session, $encrypter;
          return $encrypter->encrypt(Illuminate\\Cookie\\CookieValuePrefix::create('laravel_session', $encrypter->getKey()).$session->getId(), false); }
        function idOf($cookie) { global $encrypter;
          [$bound, $id] = explode('|', $encrypter->decrypt($cookie, false));
          return "$bound|" === Illuminate\\Cookie\\CookieValuePrefix::create('laravel_session', $encrypter->getKey()) ? $id : 'unbound'; }
        $session->start();
        ${code}
        $session->save();`);

    test('a login in Laravel is one in Node by the encrypted cookie, and the other way round', async () => {
      const store = await openStore(await options());
      const site = createServer(async (req, res) => {
        const http = await loadSession(store, req, res);
        const view = laravelSession(http.session);
        if (req.url === '/cart') http.session['cart'] = [1, 2.5];
        if (req.url === '/flash') view.flash('status', 'Saved!');
        if (req.url === '/regenerate') await http.session.regenerate();
        await http.save();
        res.end(JSON.stringify({ user: view.userId() ?? null, token: view.token, id: http.session.id }));
      });
      sites.push(site);
      await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
      const visit = async (
        path: string,
        cookie?: string,
      ): Promise<{ body: { user: unknown; id: string }; set: string | null }> => {
        const answer = await fetch(`http://127.0.0.1:${(site.address() as AddressInfo).port}${path}`, {
          headers: cookie === undefined ? {} : { Cookie: `laravel_session=${encodeURIComponent(cookie)}` },
        });
        return {
          body: (await answer.json()) as { user: unknown; id: string },
          set: answer.headers.get('set-cookie'),
        };
      };
      const [id, cookie] = (
        await laravel(
          null,
          `$session->put('login_web_'.sha1('Illuminate\\Auth\\SessionGuard'), 7); $session->put('big', '${LONG}'); echo $session->getId(), ' ', cookie();`,
        )
      ).split(' ') as [string, string];
      expect((await visit('/', cookie)).body).toMatchObject({ user: 7, id });
      // The bare id, another key, a changed cookie: nobody.
      const forged = `${cookie.slice(0, -8)}AAAA${cookie.slice(-4)}`;
      for (const wrong of [id, forged, `${cookie}x`.slice(20)])
        expect((await visit('/', wrong)).body.user).toBeNull();
      await visit('/cart', cookie);
      await visit('/flash', cookie);
      const page =
        "echo json_encode([$session->get('cart'), $session->get('status'), strlen($session->get('big'))]);";
      expect(JSON.parse(await laravel(id, page))).toEqual([[1, 2.5], 'Saved!', LONG.length]);
      expect(JSON.parse(await laravel(id, page))).toEqual([[1, 2.5], null, LONG.length]);
      const moved = await visit('/regenerate', cookie);
      expect(moved.body.id).toMatch(/^[A-Za-z0-9]{40}$/);
      const set =
        /^laravel_session=([^;]+); expires=[^;]+; Max-Age=7200; path=\/; HttpOnly; SameSite=Lax$/.exec(
          moved.set ?? '',
        );
      const value = decodeURIComponent(set?.[1] ?? '');
      expect(await laravel(moved.body.id, `echo idOf('${value}'), ' ', count($session->get('cart'));`)).toBe(
        `${moved.body.id} 2`,
      );
    });

    test('what Laravel wrote is not changed by a session that was only read, and is gone after its logout', async () => {
      const store = await openStore(await options());
      const id = newId(40);
      await laravel(id, "$session->put(['a' => ['x' => 1.0], 'n' => null]);");
      const before = await store.readRaw(id);
      const session = await store.load(id);
      expect(session.changed).toBe(false);
      session.data['b'] = 1;
      await store.save(session);
      expect(String(await store.readRaw(id))).toContain(
        String(before).match(/s:1:"a";a:1:\{s:1:"x";d:1;\}/)?.[0],
      );
      await laravel(id, '$session->invalidate();');
      expect((await store.load(id)).exists).toBe(false);
    });
  });

  test('a session that another key encrypted is an error, and is not overwritten', async () => {
    const first = await openStore(
      laravelSessions({ appKey: `base64:${Buffer.alloc(32, 1).toString('base64')}`, encrypt: true }),
    );
    const second = await openStore(
      laravelSessions({ appKey: `base64:${Buffer.alloc(32, 2).toString('base64')}`, encrypt: true }),
    );
    const both = await openStore(
      laravelSessions({
        appKey: [2, 1].map((fill) => `base64:${Buffer.alloc(32, fill).toString('base64')}`),
        encrypt: true,
      }),
    );
    const session = first.create();
    session.data['a'] = 1;
    await first.save(session);
    await expect(second.load(session.id)).rejects.toMatchObject({ code: 'ERR_PHP_SYNTAX' });
    expect((await both.load(session.id)).data).toEqual({ a: 1 });
  });
}
