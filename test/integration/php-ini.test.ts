/** Settings of PHP as Node reads them, judged by what PHP itself makes of them: the same sessions, or a clear refusal. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { createSessionStore } from '../../src/index.js';
import { readPhpSettings, withPhpIni } from '../../src/session/php-ini.js';
import { parsePhpIni } from '../../src/session/php-settings.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import { resolveStoreOptions } from '../../src/session/store-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

let servers: LocalCluster;
let root: string;
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-ini-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(root, { recursive: true, force: true });
});

type Ini = Readonly<Record<string, string>>;
let ids = 0;
function newId(): string {
  ids += 1;
  return `phpini${String(ids).padStart(20, '0')}`;
}

function file(text: string, name = 'php.ini'): string {
  const folder = mkdtempSync(join(root, 'etc-'));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const iniText = (ini: Ini): string =>
  Object.entries(ini)
    .map(([name, value]) => `${name} = "${value}"\n`)
    .join('');

/** Lets PHP write sessions under the settings; whether it could write all of them: they lie on different nodes. */
async function phpWrites(some: readonly string[], ini: Ini): Promise<boolean> {
  const { stdout } = await servers.php(
    `<?php foreach (explode(',', '${some.join(',')}') as $id) {
       error_clear_last(); session_id($id);
       if (!@session_start()) { echo 'refused '; continue; }
       $_SESSION['by'] = 'php';
       @session_write_close();
       echo str_contains(error_get_last()['message'] ?? '', 'write') ? 'lost ' : 'written ';
     }`,
    {
      ini: {
        ...ini,
        'session.use_cookies': '0',
        'session.cache_limiter': '',
        'memcached.sess_lock_retries': '0',
        'memcache.lock_timeout': '1',
      },
    },
  );
  return stdout === 'written '.repeat(some.length);
}

/** `@0` and `@1` stand for the nodes. */
function onNodes(text: string): string {
  return text.replace(/@(\d)/g, (_all, index: string) => {
    const node = servers.memcached[Number(index)];
    return `${node?.host}:${node?.realPort}`;
  });
}

const MEMCACHED = { 'session.save_handler': 'memcached', 'session.save_path': '@0,@1' };
const MEMCACHE = { 'session.save_handler': 'memcache', 'session.save_path': 'tcp://@0,tcp://@1' };
const path = (base: Ini, text: string): Ini => ({ ...base, 'session.save_path': text });
const prefix = (text: string): Ini => ({ ...MEMCACHED, 'memcached.sess_prefix': text });
const key = (text: string): Ini => ({ ...MEMCACHE, 'memcache.session_prefix_static_key': text });

/** Settings, whether PHP gets along with them, and whether Node shares its sessions or says why it does not. */
const CASES: readonly (readonly [Ini, 'php works' | 'php fails', 'shared' | 'refused'])[] = [
  [path(MEMCACHED, '@0, @1'), 'php works', 'shared'],
  [path(MEMCACHED, '@0 , @1 '), 'php works', 'shared'],
  [path(MEMCACHED, '@0,  @1'), 'php fails', 'refused'],
  [path(MEMCACHED, '@0,@1,'), 'php works', 'shared'],
  [path(MEMCACHED, '@0,,@1'), 'php fails', 'refused'],
  [path(MEMCACHED, '@0:2,@1: 3'), 'php works', 'shared'],
  [path(MEMCACHED, ' @0,@1'), 'php fails', 'refused'],
  [path(MEMCACHED, ',@0'), 'php fails', 'refused'],
  [path(MEMCACHED, '@0 @1'), 'php works', 'refused'],
  [path(MEMCACHED, '@0;@1'), 'php works', 'refused'],
  [path(MEMCACHED, '127.0.0.1 :1'), 'php fails', 'refused'],
  [prefix(''), 'php works', 'shared'],
  [prefix('shop:{1};'), 'php works', 'shared'],
  [prefix('x'.repeat(127)), 'php works', 'shared'],
  [prefix('x'.repeat(128)), 'php works', 'refused'],
  [prefix('a b'), 'php works', 'refused'],
  [prefix('ü'), 'php works', 'refused'],
  [path(MEMCACHE, 'tcp://@0 , tcp://@1'), 'php works', 'shared'],
  [path(MEMCACHE, ' tcp://@0 tcp://@1,'), 'php works', 'shared'],
  [path(MEMCACHE, '@0,TCP://@1/a?weight=1&timeout=1'), 'php works', 'shared'],
  [path(MEMCACHE, 'tcp://@0?weight=2, tcp://@1?weight=1&persistent=0'), 'php works', 'shared'],
  [path(MEMCACHE, 'tcp://@0;tcp://@1'), 'php works', 'refused'],
  [path(MEMCACHE, 'tcp://@0?weight=0'), 'php fails', 'refused'],
  [path(MEMCACHE, 'tcp://@0?weight=abc'), 'php fails', 'refused'],
  [path(MEMCACHE, '127.0.0.1'), 'php fails', 'refused'],
  [key('a b\tc'), 'php works', 'shared'],
  [key('shop-'), 'php works', 'shared'],
  [key('a.b'), 'php works', 'refused'],
  [key('x'.repeat(240)), 'php fails', 'refused'],
  [{ ...MEMCACHE, 'memcache.session_redundancy': '9' }, 'php works', 'shared'],
];

test.each(CASES)('with %j: %s, %s', async (written, phpSays, nodeSays) => {
  const ini = Object.fromEntries(Object.entries(written).map(([name, text]) => [name, onNodes(text)]));
  const some = Array.from({ length: 6 }, newId);
  const [id = ''] = some;
  expect(await phpWrites(some, ini)).toBe(phpSays === 'php works');
  const phpIni = file(iniText(ini));
  if (nodeSays === 'refused') {
    expect(() => resolveStoreOptions({ phpIni })).toThrow(
      /session\.save_path|memcached\.sess_prefix|memcache\.session_prefix_static_key|sessions\.prefix/,
    );
    return;
  }
  const store = await createSessionStore({ phpIni });
  try {
    for (const each of some) expect((await store.load(each)).data).toEqual({ by: 'php' });
    const session = await store.load(id);
    session.data['by'] = 'node';
    await store.save(session);
    const { stdout } = await servers.php(
      `<?php session_id('${id}'); session_start(); echo $_SESSION['by'];`,
      { ini },
    );
    expect(stdout).toBe('node');
  } finally {
    await store.close();
  }
});

test('an id whose keys memcached does not take is none, whatever the prefix', async () => {
  const nodes = servers.memcached.map((node) => node.id);
  expect(() => resolveStoreOptions({ nodes, prefix: 'x'.repeat(127), ids: { length: 200 } })).toThrow(
    'ids have at most 118 with this prefix',
  );
  const store = await createSessionStore({ nodes, prefix: 'x'.repeat(127) });
  try {
    expect(store.options.accept.test('a'.repeat(118))).toBe(true);
    expect(store.options.accept.test('a'.repeat(119))).toBe(false);
    await store.writeRaw('a'.repeat(118), Buffer.from('n|i:1;'));
  } finally {
    await store.close();
  }
});

describe('settings about whose ids PHP takes', () => {
  const id = 'abcdefghijklmnopqrstuvwxyz';
  const PAGE = `<?php session_start(); echo session_id() === '${id}' ? 'taken' : 'new';`;

  async function phpTakes(ini: Ini): Promise<{ cookie: string; foreign: string; url: string }> {
    const folder = mkdtempSync(join(root, 'sessions-'));
    const settings = { 'session.save_handler': 'files', 'session.save_path': folder, ...ini };
    const site = await servers.phpSite(PAGE, { ini: settings });
    const ask = async (url: string, headers: Record<string, string>): Promise<string> =>
      (await fetch(url, { headers })).text();
    try {
      const cookie = `PHPSESSID=${id}`;
      return {
        cookie: await ask(site.url, { cookie, referer: 'http://shop.example/' }),
        foreign: await ask(site.url, { cookie, referer: 'http://other.example/' }),
        url: await ask(`${site.url}/?PHPSESSID=${id}`, {}),
      };
    } finally {
      await site.kill();
    }
  }

  test('are without effect while ids travel in cookies only, so that Node takes them, too', async () => {
    const ini = { 'session.use_trans_sid': '1', 'session.referer_check': 'shop.example' };
    expect(await phpTakes(ini)).toEqual({ cookie: 'taken', foreign: 'taken', url: 'new' });
    expect(
      resolveStoreOptions({ phpIni: file(iniText({ ...path(MEMCACHED, 'cache1'), ...ini })) }).kind,
    ).toBe('memcached');
  });

  test('are refused where they have one', async () => {
    const ini = { 'session.use_only_cookies': '0', 'session.referer_check': 'shop.example' };
    expect(await phpTakes(ini)).toEqual({ cookie: 'taken', foreign: 'new', url: 'taken' });
    expect(() =>
      resolveStoreOptions({ phpIni: file(iniText({ ...path(MEMCACHED, 'cache1'), ...ini })) }),
    ).toThrow('session.use_only_cookies = "0"');
    // Who knows better gives a last word, a file of its own.
    const last = file('session.use_only_cookies = 1\n');
    const first = file(iniText({ ...path(MEMCACHED, 'cache1'), ...ini }));
    expect(resolveStoreOptions({ phpIni: [first, last] }).kind).toBe('memcached');
  });
});

describe('what PHP makes of the text of a php.ini', () => {
  const quoted = (text: string): string => `base64_decode('${Buffer.from(text).toString('base64')}')`;

  const VARIABLE = ['$', '{CACHE}'].join('');

  /** What PHP reads, by text; `false` where it stops at an error. */
  async function phpReads(texts: readonly string[]): Promise<readonly (Record<string, string> | false)[]> {
    const { stdout } = await servers.php(
      `<?php putenv('CACHE=cache9'); echo json_encode(array_map(fn ($t) => @parse_ini_string($t) ?: false, [${texts.map(quoted).join(',')}]));`,
    );
    return JSON.parse(stdout) as (Record<string, string> | false)[];
  }
  const nodeReads = (text: string): Record<string, string> | 'refused' => {
    try {
      return Object.fromEntries(parsePhpIni(text, { CACHE: 'cache9' }));
    } catch (error) {
      if (isStormlampError(error, 'ERR_UNSUPPORTED')) return 'refused';
      throw error;
    }
  };

  test.each([
    ['"cache1:11211,\n cache2:11211"', 'read'],
    ["'cache1:11211,\r\n cache2:11211'", 'read'],
    ['"cache1:"11211', 'read'],
    ["'it''s'", 'refused'],
    [`${VARIABLE}":11211"`, 'read'],
    ['"a\\$b\\"c\\\\" ; "d', 'read'],
    ['cache1:11211,cache2:11211 # x', 'read'],
    ['On;x', 'read'],
    ['"a" "b"', 'refused'],
    ['!0', 'refused'],
    ['1440|1', 'refused'],
    ['PHP_VERSION', 'refused'],
    ['E_ALL', 'refused'],
    ['No Thing', 'refused'],
    ['On"x"', 'refused'],
    ['tcp://h:1?weight=1', 'refused'],
    ['"open', 'refused'],
  ])('%j is %s', async (value, what) => {
    const text = `session.save_path = ${value}\nsession.name = LAST\n`;
    const node = nodeReads(text);
    expect(node === 'refused' ? 'refused' : 'read').toBe(what);
    if (node !== 'refused') expect(node).toEqual((await phpReads([text]))[0]);
  });

  test('generated values are read as PHP reads them, or refused', async () => {
    const atoms = [
      '"',
      "'",
      '\\',
      ' ',
      '\n',
      ';',
      '$',
      VARIABLE,
      '|',
      '(',
      'a',
      'On',
      'no',
      '1',
      ':',
      ',',
      'E_ALL',
      '"x y"',
      "'z'",
    ];
    const value = fc.array(fc.constantFrom(...atoms), { maxLength: 7 }).map((some) => some.join(''));
    const texts = fc
      .sample(value, { numRuns: 1_500, seed: 8 })
      .map((some) => `session.a = ${some}\nsession.b = 2\n`);
    const php = await phpReads(texts);
    let read = 0;
    for (const [index, text] of texts.entries()) {
      const node = nodeReads(text);
      // Where PHP stops at an error, it says so itself when it starts.
      if (node === 'refused' || php[index] === false) continue;
      read += 1;
      const { 'session.a': a, 'session.b': b } = node;
      expect([a, b], JSON.stringify(text)).toEqual([php[index]?.['session.a'], php[index]?.['session.b']]);
    }
    expect(read).toBeGreaterThan(300);
  });

  test('what is refused is named with its file and line, and only in settings of sessions', () => {
    const path = file('error_reporting = E_ALL & ~E_NOTICE\n\nsession.gc_maxlifetime = 60|4\n');
    expect(() => readPhpSettings([path])).toThrow(
      `session.gc_maxlifetime in ${path}, line 3, has an operator outside of quotes`,
    );
    expect(nodeReads('error_reporting = E_ALL & ~E_NOTICE')).not.toBe('refused');
  });
});

test('numbers with a leading zero are what PHP makes of them', async () => {
  const ini = { 'session.cookie_lifetime': '010', 'session.sid_length': '032' };
  const { stdout } = await servers.php(
    `<?php echo session_get_cookie_params()['lifetime'], ' ', strlen(session_create_id());`,
    { ini },
  );
  const { cookie, ids } = withPhpIni({ phpIni: file(iniText(ini)), mounts: [root] }) as SessionOptions;
  expect(`${(cookie?.lifetimeMs ?? 0) / 1000} ${ids?.length}`).toBe(stdout);
});

describe('what phpinfo() prints', () => {
  const ini = {
    'session.save_handler': 'memcached',
    'session.save_path': 'cache1:11211,cache2:11211',
    'session.name': "SHOP<&'>",
    'session.cookie_secure': '1',
    'session.cookie_domain': '',
  };
  const expected = {
    'session.save_handler': 'memcached',
    'session.save_path': 'cache1:11211,cache2:11211',
    'session.name': "SHOP<&'>",
    'session.cookie_secure': '1',
    'session.cookie_domain': '',
    'session.use_strict_mode': '',
    'session.gc_maxlifetime': '1440',
  };

  test('as text, with warnings before it, or as a page, is read alike', async () => {
    const { stdout: text } = await servers.php('<?php phpinfo();', { ini });
    const { stdout: warned } = await servers.php('<?php phpinfo();', {
      ini: { ...ini, 'memcached.sess_prefix': 'a b', display_errors: '1', display_startup_errors: '1' },
    });
    expect(warned).toMatch(/^[\s\S]*Warning[\s\S]*phpinfo\(\)/);
    const site = await servers.phpSite('<?php phpinfo();', { ini });
    const page = await (await fetch(site.url)).text();
    await site.kill();
    expect(page).toContain('<html');
    for (const [name, printed] of Object.entries({ text, warned, page })) {
      const settings = Object.fromEntries(readPhpSettings([file(printed, 'info.txt')]));
      expect(settings, name).toMatchObject(expected);
    }
  });

  test('but not of the session is refused instead of taken for defaults', () => {
    for (const text of [
      'phpinfo()\nPHP Version => 8.2.0\n',
      '<!DOCTYPE html><html><body>Hello</body></html>',
    ])
      expect(() => readPhpSettings([file(text, 'info.txt')])).toThrow('has no session.save_handler');
  });
});

describe('the places of distributions', () => {
  function tree(files: Readonly<Record<string, string>>): string {
    const home = mkdtempSync(join(root, 'tree-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(home, name, '..'), { recursive: true });
      writeFileSync(join(home, name), text);
    }
    return home;
  }
  const name = (...files: string[]): string | undefined => readPhpSettings(files).get('session.name');
  const ini = 'session.name = A\n';
  const scanned = 'session.name = B\n';

  test.each([
    ['Debian', { 'php/8.2/fpm/php.ini': ini, 'php/8.2/fpm/conf.d/20-x.ini': scanned }, 'php/8.2/fpm/php.ini'],
    ['Debian, its folder', { 'fpm/php.ini': ini, 'fpm/conf.d/20-x.ini': scanned }, 'fpm'],
    ['Red Hat', { 'php.ini': ini, 'php.d/20-x.ini': scanned, 'conf.d/net': '' }, 'php.ini'],
    ['Docker', { 'php/php.ini': ini, 'php/php.ini-production': '', 'php/conf.d/x.ini': scanned }, 'php'],
    ['Docker without a php.ini', { 'php/php.ini-production': ini, 'php/conf.d/x.ini': scanned }, 'php'],
    ['SUSE', { 'php8/fpm/php.ini': ini, 'php8/conf.d/x.ini': scanned }, 'php8/fpm/php.ini'],
  ] as [string, Record<string, string>, string][])(
    '%s: what is scanned comes after php.ini',
    (_os, files, given) => {
      expect(name(join(tree(files), given))).toBe('B');
    },
  );

  test('a folder above several of them is refused with their names', () => {
    const home = tree({ 'fpm/php.ini': ini, 'cli/php.ini': ini });
    expect(() => name(home)).toThrow('name one of those below it: cli, fpm');
    expect(() => name(join(tree({ 'x/y.txt': '' }), 'x'))).toThrow('no *.ini is in the folder');
  });

  test('a pool of PHP-FPM comes before the php.ini', () => {
    const home = tree({
      'php.ini': ini,
      'www.conf':
        '[www]\nuser = apache\nphp_admin_value[session.name] = POOL\nphp_flag[session.cookie_secure] = on\n',
    });
    const settings = readPhpSettings([join(home, 'php.ini'), join(home, 'www.conf')]);
    expect(settings.get('session.name')).toBe('POOL');
    expect(settings.get('session.cookie_secure')).toBe('1');
  });
});
