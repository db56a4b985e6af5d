/** What the pages on sessions show works when it is pasted: with PHP, in files, with the frameworks' options. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSessionStore } from '../../src/index.js';
import { parsePhpIni } from '../../src/session/php-settings.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { docBlocks } from '../support/doc-blocks.js';
import { runBlock } from './run-block.js';

let servers: LocalCluster;
let root: string;
let phpIni: string;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-docs-'));
  for (const name of ['a/sess', 'b/sess', 'a/www', 'b/www']) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'lamp.jpg'), 'picture of a lamp');
  phpIni = join(root, 'php.ini');
  writeFileSync(phpIni, located(docBlocks('php-sessions.md', 'ini')[0] ?? ''));
});
afterAll(async () => {
  await servers?.close();
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
});

/** With the names of the pages replaced by what is there. */
function located(code: string): string {
  let text = code
    .replaceAll('/etc/php/8.2/fpm/php.ini', phpIni)
    .replaceAll('/srv/', `${root}/`)
    .replaceAll("'lamp.jpg'", JSON.stringify(join(root, 'lamp.jpg')))
    .replaceAll('.listen(3000)', ".listen(0, '127.0.0.1')");
  for (const { id, name } of servers.memcached) text = text.replaceAll(`${name}:11211`, id);
  return text;
}

/** Runs a block; `visits` are asked of its server one after the other with the cookies that it gives, and printed. */
async function run(
  code: string,
  visits: readonly string[] = [],
  options: { cookie?: string; env?: Record<string, string>; close?: string } = {},
): Promise<string> {
  const asked = `
    import { once } from 'node:events';
    if (!server.listening) await once(server, 'listening');
    let cookie = ${JSON.stringify(options.cookie ?? '')};
    for (const path of ${JSON.stringify(visits)}) {
      const answer = await fetch(\`http://127.0.0.1:\${server.address().port}\${path}\`, { headers: { cookie }, redirect: 'manual' });
      cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
      console.log(path, answer.status, (await answer.text()).split('. ')[0]);
    }
    console.log(cookie.slice(0, cookie.indexOf('=')));
    server.closeAllConnections();
    server.close();
    await ${options.close ?? 'cluster'}.close();`;
  const env = options.env ?? {};
  const {
    code: status,
    stdout,
    stderr,
  } = await runBlock(located(code), servers, {
    env,
    append: visits.length === 0 ? '' : asked,
  });
  expect({ status, stderr: stderr.replace(/^.*(?:copied|is healthy)$/gm, '').trim() }).toEqual({
    status: 0,
    stderr: '',
  });
  return stdout.trim();
}

describe('php-sessions.md', () => {
  test('the php.ini of the page makes PHP and the middleware share a session', async () => {
    const blocks = docBlocks('php-sessions.md', 'js');
    expect(blocks).toHaveLength(5);
    const ini = Object.fromEntries(parsePhpIni(located(docBlocks('php-sessions.md', 'ini')[0] ?? '')));
    const { stdout } = await servers.php(
      "<?php session_start(); $_SESSION['cart'] = ['shade']; echo session_id();",
      { ini },
    );
    expect(
      await run(blocks[0] ?? '', ['/cart', '/cart/add', '/login', '/cart', '/logout', '/cart'], {
        cookie: `PHPSESSID=${stdout}`,
      }),
    ).toBe(
      [
        '/cart 200 ["shade"]',
        '/cart/add 200 ["shade","lamp"]',
        '/login 302 Found',
        '/cart 200 ["shade","lamp"]',
        '/logout 302 Found',
        '/cart 200 []',
        'PHPSESSID',
      ].join('\n'),
    );
  });

  test('plain http counts visits', async () => {
    expect(await run(docBlocks('php-sessions.md', 'js')[1] ?? '', ['/', '/'], { close: 'store' })).toBe(
      '/ 200 visit 1\n/ 200 visit 2\nPHPSESSID',
    );
  });

  test('plain http fails a request whose session cannot be had, and goes on', async () => {
    const { code, stdout, stderr } = await runBlock(
      located(docBlocks('php-sessions.md', 'js')[1] ?? ''),
      servers,
      {
        append: `
        import { once } from 'node:events';
        if (!server.listening) await once(server, 'listening');
        await store.close();
        for (let n = 0; n < 2; n += 1)
          console.log((await fetch('http://127.0.0.1:' + server.address().port)).status);
        server.close();`,
      },
    );
    expect([code, stdout]).toEqual([0, '500\n500\n']);
    expect(stderr).toMatch(/ERR_\w+/);
  });

  test('a WebSocket is for users who are logged in', async () => {
    const { code, stdout, stderr } = await runBlock(
      located(docBlocks('php-sessions.md', 'js')[2] ?? ''),
      servers,
      {
        append: `
        import { once } from 'node:events';
        import { request } from 'node:http';
        if (!server.listening) await once(server, 'listening');
        const login = store.create();
        login.data.user = 'ada';
        await store.save(login);
        for (const id of ['none', login.id]) {
          const asked = request({
            port: server.address().port,
            host: '127.0.0.1',
            headers: { connection: 'Upgrade', upgrade: 'websocket', cookie: 'PHPSESSID=' + id },
          });
          asked.end();
          const [answer] = await once(asked, 'response');
          let text = '';
          for await (const part of answer) text += part;
          console.log(answer.statusCode, text);
        }
        server.close();
        await store.close();`,
      },
    );
    expect([code, stderr, stdout.trim()]).toEqual([0, '', '401 \n200 Welcome, ada']);
  });

  test('a conflict is decided as the page says', async () => {
    expect(await run(docBlocks('php-sessions.md', 'js')[3] ?? '')).toBe(
      'visits: theirs\n{"visits":2,"seen":true}',
    );
  });

  test('a new id at a login, and one that leaves nothing behind', async () => {
    expect(
      await run(docBlocks('php-sessions.md', 'js')[4] ?? '', ['/login', '/sudo/end'], { close: 'store' }),
    ).toBe('/login 200 Hello\n/sudo/end 200 Done\nPHPSESSID');
  });
});

test('shared-mounts.md', async () => {
  const blocks = docBlocks('shared-mounts.md', 'js');
  const printed: string[] = [];
  for (const block of blocks) printed.push(await run(block));
  expect(printed).toEqual(['2', 'true', '17 2 0\n17', 'true']);
});

describe('symfony.md', () => {
  test("with PHP's own handler", async () => {
    expect(await run(docBlocks('symfony.md', 'js')[0] ?? '', ['/cart', '/cart/add', '/cart'])).toBe(
      '/cart 200 []\n/cart/add 302 Found\n/cart 200 ["lamp"]\nPHPSESSID',
    );
  });

  test("with Symfony's handler", async () => {
    expect(await run(docBlocks('symfony.md', 'js')[1] ?? '')).toBe('saved');
  });
});

test('laravel.md', async () => {
  const [block = ''] = docBlocks('laravel.md', 'js');
  const env = { APP_KEY: `base64:${Buffer.alloc(32, 1).toString('base64')}` };
  expect(await run(block, ['/me', '/cart/add', '/me'], { env })).toBe(
    '/me 200 {"user":null}\n/cart/add 302 Found\n/me 200 {"user":null}\nshop_session',
  );
});

test('wordpress.md: the plugin puts the user into the session, and takes it away', async () => {
  const [plugin = ''] = docBlocks('wordpress.md', 'php');
  const store = await createSessionStore({ nodes: servers.memcached.map(({ id }) => id) });
  const wordpress = (before: string, after: string): Promise<{ stdout: string }> =>
    servers.php(
      `<?php $hooks = []; function add_action($name, $hook) { global $hooks; $hooks[$name] = $hook; } ?>${plugin} ${before}
       $user = new stdClass; $user->ID = 7; ${after}`,
    );
  const { stdout } = await wordpress('', "$hooks['wp_login']('ada', $user); echo session_id();");
  expect((await store.load(stdout)).data).toEqual({ user: { id: 7, login: 'ada' } });
  const logout = await wordpress(`session_id('${stdout}');`, "$hooks['wp_logout'](); echo 'out';");
  expect(logout.stdout).toBe('out');
  expect((await store.load(stdout)).exists).toBe(false);
  await store.close();
});
