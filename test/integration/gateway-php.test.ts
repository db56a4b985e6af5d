/** PHP's real extensions on the gateway: what they ask and are answered, byte by byte, and that nothing differs from memcached itself. */
import { existsSync, statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import type { SessionGatewayOptions } from '../../src/gateway/gateway-options.js';
import type { SessionGateway } from '../../src/gateway/session-gateway.js';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { type LocalCluster, type PhpIni, startLocalCluster } from '../../src/testing/index.js';
import { startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';
import { WireRecorder } from './gateway/wire-recorder.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: LocalCluster;
let judges: MemcachedServers;
let judge: TestMemcached;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  judges = await MemcachedServers.open();
  judge = await judges.start(['-F']);
});
afterAll(async () => {
  await servers?.close();
  await judges?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function startGateway(
  options: SessionGatewayOptions = {},
  sessions: Partial<SessionOptions> = {},
): Promise<{ gateway: SessionGateway; store: SessionStore }> {
  const store = await createSessionStore({ nodes: servers.memcached.map(({ id }) => id), ...sessions });
  open.push(store);
  const gateway = await startSessionGateway(
    store,
    options.path === undefined ? { port: 0, ...options } : options,
  );
  open.push(gateway);
  return { gateway, store };
}

const HANDLERS: Readonly<Record<string, (port: number) => PhpIni>> = {
  'memcached, binary': (port) => ({
    'session.save_handler': 'memcached',
    'session.save_path': `127.0.0.1:${port}`,
    'memcached.sess_number_of_replicas': 0,
  }),
  'memcached, text': (port) => ({
    'session.save_handler': 'memcached',
    'session.save_path': `127.0.0.1:${port}`,
    'memcached.sess_binary_protocol': 0,
    'memcached.sess_number_of_replicas': 0,
  }),
  memcache: (port) => ({
    'session.save_handler': 'memcache',
    'session.save_path': `tcp://127.0.0.1:${port}?timeout=30`,
  }),
  'memcache, binary': (port) => ({
    'session.save_handler': 'memcache',
    'session.save_path': `tcp://127.0.0.1:${port}?timeout=30`,
    'memcache.protocol': 'binary',
  }),
};

/** The stories of a session; `#` is a number of the run, so that ids are new and the same on both sides. */
type Story = readonly [name: string, code: string, ini: PhpIni];
const STORIES: readonly Story[] = (
  [
    ['a new session', '@session_start(); $_SESSION["uid"] = 42; session_write_close();'],
    [
      'a known id that is not stored yet',
      'SID session_start(); $_SESSION["uid"] = 42; session_write_close();',
    ],
    [
      'an unchanged session',
      'SID session_start(); $_SESSION["uid"] = 42; session_write_close(); session_start(); session_write_close();',
    ],
    [
      'a changed session',
      'SID session_start(); $_SESSION["n"] = 1; session_write_close(); session_start(); $_SESSION["n"]++; session_write_close(); session_start(); echo $_SESSION["n"];',
    ],
    [
      'read and close',
      'SID session_start(); $_SESSION["a"] = 1; session_write_close(); session_start(["read_and_close" => true]); echo $_SESSION["a"];',
    ],
    [
      'strict mode, known id',
      'SID session_start(); $_SESSION["a"] = 1; session_write_close(); ini_set("session.use_strict_mode", 1); session_start(); echo $_SESSION["a"], session_id();',
    ],
    [
      'strict mode, unknown id',
      'SID session_start(); echo session_id() === "given#";',
      { 'session.use_strict_mode': 1 },
    ],
    [
      'a new id',
      'SID session_start(); $_SESSION["a"] = 1; session_regenerate_id(false); session_write_close(); session_start(); echo $_SESSION["a"];',
    ],
    [
      'a new id, the old one removed',
      'SID session_start(); $_SESSION["a"] = 1; session_write_close(); session_start(); session_regenerate_id(true); session_write_close(); session_id("given#"); session_start(); var_dump($_SESSION);',
    ],
    [
      'a logout',
      'SID session_start(); $_SESSION["a"] = 1; session_write_close(); session_start(); session_destroy(); SID session_start(); var_dump($_SESSION);',
    ],
    [
      'a long life',
      'SID session_start(); $_SESSION["a"] = 1; session_write_close();',
      { 'session.gc_maxlifetime': 3_456_000, 'memcached.sess_lock_expire': 30 },
    ],
    [
      'a large session',
      'SID session_start(); $_SESSION["a"] = str_repeat("long ", 60000); session_write_close(); $_SESSION = []; session_start(); echo md5($_SESSION["a"]);',
    ],
    [
      'igbinary',
      'SID session_start(); $_SESSION["a"] = [1, 2.5, null]; session_write_close(); session_start(); var_dump($_SESSION);',
      { 'session.serialize_handler': 'igbinary' },
    ],
    [
      'an id with every character',
      'session_id("AZaz09,-AZaz09,-AZaz09,-"); session_start(); $_SESSION["a"] = 1; session_write_close(); session_start(); echo $_SESSION["a"];',
    ],
  ] as readonly (readonly [string, string, PhpIni?])[]
).map(([name, code, ini]) => [name, code, ini ?? {}]);

describe.each(Object.entries(HANDLERS))('sessions, %s', (_name, ini) => {
  test.each(STORIES)('%s: the wire is as with memcached itself', async (_story, code, extra) => {
    await using direct = await WireRecorder.open(judge.port);
    const { gateway } = await startGateway({}, { handler: ini(1)['session.save_handler'] as 'memcached' });
    await using through = await WireRecorder.open(gateway.port);
    run += 1;
    const given = `given${String(run).padStart(21, '0')}`;
    const script = `<?php error_reporting(E_ALL & ~E_WARNING); ${code.replaceAll('SID', 'session_id("given#");').replaceAll('given#', given)}`;
    const said = async (recorder: WireRecorder): Promise<unknown> => {
      const { stdout, exitCode } = await servers.php(script, {
        ini: {
          ...ini(recorder.port),
          'session.sid_length': 26,
          'session.sid_bits_per_character': 5,
          ...extra,
        },
      });
      return { stdout: stdout.replace(/[0-9a-v]{26}/g, '<id>'), exitCode, wire: recorder.take() };
    };
    expect(await said(through)).toEqual(await said(direct));
  });
});
let run = 0;

/** Everything that the class `Memcached` does with items. */
const CLASS_STORY = `
$p = '#';
$say = function (string $what, $value) use ($m) { echo $what, ' ', json_encode($value), ' ', $m->getResultCode(), "\\n"; };
$say('get miss', $m->get("$p.a"));
$say('add', $m->add("$p.a", 'one', 60)); $say('add again', $m->add("$p.a", 'two', 60)); $say('get', $m->get("$p.a"));
$say('replace', $m->replace("$p.a", 'three')); $say('replace miss', $m->replace("$p.none", 1));
$m->setOption(Memcached::OPT_COMPRESSION, false);
$say('append', $m->append("$p.a", '-end')); $say('prepend', $m->prepend("$p.a", 'start-')); $say('append miss', $m->append("$p.none", 'x')); $say('get', $m->get("$p.a"));
$m->setOption(Memcached::OPT_COMPRESSION, true);
$got = $m->get("$p.a", null, Memcached::GET_EXTENDED);
$say('cas', $m->cas($got['cas'], "$p.a", 'four')); $say('cas again', $m->cas($got['cas'], "$p.a", 'five')); $say('get', $m->get("$p.a"));
$say('set number', $m->set("$p.n", '10')); $say('increment', $m->increment("$p.n", 5)); $say('decrement', $m->decrement("$p.n", 20));
$say('increment word', $m->increment("$p.a")); $say('increment miss', $m->increment("$p.none", 1));
$say('touch', $m->touch("$p.a", 100)); $say('touch miss', $m->touch("$p.none", 100));
$say('setMulti', $m->setMulti(["$p.x" => [1, 2], "$p.y" => 2.5, "$p.z" => null], 60));
$say('getMulti', $m->getMulti(["$p.x", "$p.none", "$p.y", "$p.z"]));
$say('getDelayed', $m->getDelayed(["$p.x", "$p.y"], true)); $all = $m->fetchAll(); foreach ($all as &$one) unset($one['cas']); sort($all); $say('fetchAll', $all);
$say('large', $m->set("$p.l", str_repeat('0123456789abcdef', 50000))); $say('large', md5($m->get("$p.l")));
$say('delete', $m->delete("$p.a")); $say('delete again', $m->delete("$p.a")); $say('deleteMulti', $m->deleteMulti(["$p.x", "$p.none"]));
$say('expired', $m->set("$p.e", 1, -1)); $say('get', $m->get("$p.e"));
$say('flush', $m->flush());
$say('after', $m->get("$p.y"));
$say('version', count($m->getVersion())); $say('stats', isset(array_values($m->getStats())[0]['pid']));
$say('noreply', $m->setOption(Memcached::OPT_NOREPLY, true)); $say('set', $m->set("$p.q", 1)); $m->setOption(Memcached::OPT_NOREPLY, false); $say('get', $m->get("$p.q"));
$m->setOption(Memcached::OPT_BUFFER_WRITES, true); for ($i = 0; $i < 50; $i++) $m->set("$p.b$i", $i); $say('flushBuffers', $m->flushBuffers()); $say('get', $m->get("$p.b49"));
`;

describe('the class Memcached', () => {
  test.each(['true', 'false'])(
    'binary protocol %s: every call answers as with memcached itself',
    async (binary) => {
      const { gateway } = await startGateway({}, { keys: 'all' });
      run += 1;
      const said = async (port: number): Promise<string[]> => {
        const { stdout, stderr } = await servers.php(
          `<?php $m = new Memcached(); $m->setOption(Memcached::OPT_BINARY_PROTOCOL, ${binary}); $m->addServer('127.0.0.1', ${port}); ${CLASS_STORY.replaceAll('#', `class${run}`)}`,
        );
        expect(stderr).toBe('');
        return stdout.trim().split('\n');
      };
      const wanted = await said(judge.port);
      expect(wanted.length).toBeGreaterThanOrEqual(40);
      expect(await said(gateway.port)).toEqual(wanted);
    },
  );

  test.each([
    ['memcached, text', 'Memcached', '$m->setOption(Memcached::OPT_BINARY_PROTOCOL, false);'],
    ['memcached, binary', 'Memcached', '$m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);'],
    ['memcache', 'Memcache', ''],
  ])('%s: ten thousand keys at once', async (_name, name, option) => {
    const { gateway } = await startGateway({}, { keys: 'all' });
    const { stdout } =
      await servers.php(`<?php $m = new ${name}(); $m->addServer('127.0.0.1', ${gateway.port}); ${option}
      $keys = []; for ($i = 0; $i < 10000; $i++) $keys[] = 'many.keys.of.an.ordinary.length.' . str_pad($i, 12, '0', STR_PAD_LEFT);
      foreach ([0, 5000, 9999] as $i) $m->set($keys[$i], "v$i");
      $got = ${name === 'Memcache' ? '$m->get($keys)' : '$m->getMulti($keys)'};
      echo count($got), ' ', $got[$keys[0]], $got[$keys[5000]], $got[$keys[9999]];`);
    expect(stdout).toBe('3 v0v5000v9999');
  });

  test('an item that is changed in place keeps its expiry', async () => {
    const { gateway } = await startGateway({}, { keys: 'all' });
    const { stdout } =
      await servers.php(`<?php $m = new Memcached(); $m->addServer('127.0.0.1', ${gateway.port});
      $m->setOption(Memcached::OPT_COMPRESSION, false);
      $m->set('short.n', '1', 2); $m->set('short.t', 'a', 2); $m->set('long.n', '1', 100);
      $m->increment('short.n'); $m->append('short.t', 'b'); $m->increment('long.n');
      echo $m->get('short.n'), $m->get('short.t'), $m->get('long.n');
      $until = microtime(true) + 15; while ($m->get('short.n') !== false || $m->get('short.t') !== false) { if (microtime(true) > $until) { echo ' still there'; break; } usleep(100000); }
      echo ' ', $m->get('long.n');`);
    expect(stdout).toBe('2ab2 2');
  });
});

/** Counts in a session; what PHP says of it. */
async function countThrough(path: string, ini: PhpIni = {}): Promise<string> {
  const { stdout } = await servers.php(
    '<?php session_id("countedsession"); echo @session_start() ? "open " : "refused "; $_SESSION["n"] = 1 + ($_SESSION["n"] ?? 0); echo @session_write_close() ? $_SESSION["n"] : "";',
    {
      ini: {
        'session.save_handler': 'memcached',
        'session.save_path': path,
        'memcached.sess_number_of_replicas': 0,
        ...ini,
      },
    },
  );
  return stdout;
}

test('through a unix socket, also one that a dead process left behind', async () => {
  const path = `${servers.folder}/gateway.sock`;
  const program = `require('net').createServer().listen('${path}', () => process.kill(process.pid, 'SIGKILL'))`;
  await startNode(['-e', program]).finished;
  expect(existsSync(path)).toBe(true);
  const { gateway } = await startGateway({ path });
  expect(gateway.address).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await countThrough(path)).toBe('open 1');
  expect(await countThrough(path)).toBe('open 2');
  await expect(startGateway({ path })).rejects.toMatchObject({ code: ErrorCode.PORT_IN_USE });
});

test('with a login', async () => {
  const { gateway } = await startGateway({ username: 'php', password: 'secret' });
  const login = (user: string, password: string): PhpIni => ({
    'memcached.sess_sasl_username': user,
    'memcached.sess_sasl_password': password,
  });
  expect(await countThrough(gateway.address, login('php', 'secret'))).toMatch(/^open \d/);
  expect(await countThrough(gateway.address, login('php', 'wrong'))).toMatch(/^refused/);
  expect(await countThrough(gateway.address, login('other', 'secret'))).toMatch(/^refused/);
  expect(await countThrough(gateway.address)).toMatch(/^refused/);
  expect(await countThrough(gateway.address, { 'memcached.sess_binary_protocol': 0 })).toMatch(/^refused/);
});

test.each(Object.entries(HANDLERS))(
  'two gateways, %s: what PHP processes write to one session at the same time is all there',
  async (_name, ini) => {
    const handler = ini(1)['session.save_handler'] as 'memcached';
    const gateways = [await startGateway({}, { handler }), await startGateway({}, { handler })];
    run += 1;
    const id = `together${run}`;
    await gateways[0]?.store.writeRaw(id, Buffer.from('n|i:0;'));
    // Only what PHP was told is stored counts: under load its own patience may end, and a read that fails is an empty session to it,
    // whose write is refused by a warning alone.
    const script = `<?php $saved = 0; for ($i = 0; $i < 15; $i++) { do session_id('${id}'); while (!@session_start()); $read = isset($_SESSION['n']); $_SESSION['n'] = 1 + ($_SESSION['n'] ?? 0); error_clear_last(); if (@session_write_close() && error_get_last() === null && $read) $saved++; $_SESSION = []; } echo $saved;`;
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        servers.php(script, {
          ini: {
            ...ini(gateways[index % 2]?.gateway.port ?? 0),
            'session.use_cookies': false,
            'session.cache_limiter': '',
            'memcached.sess_lock_expire': 30,
          },
        }),
      ),
    );
    const saved = answers.reduce((sum, { stdout }) => sum + Number(stdout), 0);
    expect(saved).toBeGreaterThan(0);
    const session = await gateways[0]?.store.load(id);
    expect(session?.data['n']).toBe(saved);
  },
);

test('pecl-memcache takes a late answer for an empty session and tells that it saved it, unless its timeout is longer', async () => {
  const node = servers.memcached[0];
  if (node === undefined) throw new Error('there is a node');
  const script =
    '<?php session_id("latesession"); $open = @session_start(); $_SESSION["n"] = 1 + ($_SESSION["n"] ?? 0); echo json_encode([$open, $_SESSION["n"], @session_write_close()]);';
  const count = async (query: string): Promise<unknown> => {
    const path = `tcp://${node.id}${query}`;
    const ini = { 'session.save_handler': 'memcache', 'session.save_path': path, 'memcache.lock_timeout': 1 };
    return JSON.parse((await servers.php(script, { ini })).stdout);
  };
  expect(await count('?timeout=30')).toEqual([true, 1, true]);
  const late = node.faults.latency({ ms: 1500 });
  try {
    expect(await count('?timeout=30')).toEqual([true, 2, true]);
    expect(await count('')).toEqual([true, 1, true]);
  } finally {
    late.heal();
  }
  expect(await count('?timeout=30')).toEqual([true, 3, true]);
});

test('Node and PHP behind the gateway share sessions and their locks', async () => {
  const { gateway } = await startGateway();
  const store = await createSessionStore({ nodes: servers.memcached.map(({ id }) => id) });
  open.push(store);
  const ini = HANDLERS['memcached, binary']?.(gateway.port) ?? {};
  await servers.php(
    '<?php session_id("sharedsession"); session_start(); $_SESSION["php"] = 1; session_write_close();',
    { ini },
  );
  const session = await store.load('sharedsession');
  expect(session.data).toEqual({ php: 1 });
  session.data['node'] = 2;
  await store.save(session);
  const { stdout } = await servers.php(
    '<?php session_id("sharedsession"); session_start(); echo json_encode($_SESSION); session_destroy();',
    { ini },
  );
  expect(stdout).toBe('{"php":1,"node":2}');
  await eventually('it is gone for Node', async () => !(await store.load('sharedsession')).exists);
});
