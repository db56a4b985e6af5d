/**
 * Writes `test/spec/placement.fixture.json`: where the PHP extensions of this machine place keys, as told by themselves
 * (`Memcached::getServerByKey`, `Memcache::findServer`) and as found in memcached servers after live PHP sessions. With
 * `--check` nothing is written, and a difference is an error.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { settleFixture } from './fixtures.mjs';
import { ensureBuild, ROOT } from './workspace.mjs';

await ensureBuild();
const { resolveServers } = await import(
  pathToFileURL(join(ROOT, 'dist', 'testing', 'servers', 'resolve-servers.js')).href
);
const { memcached, php } = await resolveServers(['memcached', 'php']);

/** Nodes whose placement is asked for without servers: default ports, other ports, names, addresses, sockets. */
const NODE_LISTS = [
  ['cache1:11211'],
  ['127.0.0.1:22001', '127.0.0.1:22002'],
  ['cache1:11211', 'cache2:11211'],
  ['10.0.0.1:11211', '10.0.0.2:11212', 'cache3.example:11213'],
  ['[::1]:11211', '::1:22001', 'localhost:11211'],
  ['a:11211', 'b:11211', 'c:11211', 'd:11211', 'e:11211'],
  ['10.1.0.1:21001', '10.1.0.2:21002', '10.1.0.3:21003', '10.1.0.4:21004', '10.1.0.5:21005'],
];
const WEIGHTS = [
  [1, 2],
  [3, 1],
  [1, 2, 3],
  [7, 1, 1],
  [1, 1, 1, 1, 10],
  [2, 3, 5, 7, 11],
  // Where single and double precision give different numbers of points.
  [1, 1, 5, 9, 9],
  [1, 3, 7, 7, 7],
];

function keys() {
  const texts = ['a', 'A', '0', 'lock.a', `${'x'.repeat(240)}`, 'é', 'ключ', '会话'];
  for (let index = 0; index < 120; index += 1) {
    const id = createHash('sha256').update(`key ${index}`).digest('hex').slice(0, 26);
    texts.push(index % 3 === 0 ? `lock.${id}` : id);
  }
  const bytes = ['80', 'ff', '61ff', 'c3', '7f80', 'fffefdfc', '6b6579f0'];
  return [...texts.map((text) => Buffer.from(text).toString('hex')), ...bytes];
}

function configurations() {
  const weighted = NODE_LISTS.flatMap((nodes) =>
    WEIGHTS.filter((weights) => weights.length === nodes.length).map((weights) => ({ nodes, weights })),
  );
  const lists = [...NODE_LISTS.map((nodes) => ({ nodes, weights: nodes.map(() => 1) })), ...weighted];
  return lists.flatMap((list) => [
    ...['ketama', 'ketama_weighted', 'modula'].map((distribution) => ({
      extension: 'memcached',
      distribution,
      ...list,
    })),
    ...['consistent', 'standard'].flatMap((strategy) =>
      ['crc32', 'fnv'].map((hash) => ({ extension: 'memcache', strategy, hash, ...list })),
    ),
  ]);
}

const ASK = `<?php
error_reporting(E_ALL & ~E_DEPRECATED);
$in = json_decode(stream_get_contents(STDIN), true);
$out = [];
foreach ($in['configurations'] as $c) {
  if ($c['extension'] === 'memcached') {
    $m = new Memcached();
    $m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
  } else {
    ini_set('memcache.hash_strategy', $c['strategy']);
    ini_set('memcache.hash_function', $c['hash']);
    $m = new Memcache();
  }
  $known = [];
  foreach ($c['nodes'] as $i => $node) {
    $at = strrpos($node, ':');
    $host = substr($node, 0, $at);
    $port = (int) substr($node, $at + 1);
    $known["$host:$port"] = $i;
    if ($c['extension'] === 'memcached') $m->addServer($host, $port, $c['weights'][$i]);
    else $m->addServer($host, $port, false, $c['weights'][$i]);
  }
  if ($c['extension'] === 'memcached') {
    // As the session handler does it: first the servers, then the distribution.
    if ($c['distribution'] === 'ketama') $m->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);
    if ($c['distribution'] === 'ketama_weighted') $m->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
  }
  $found = '';
  foreach ($in['keys'] as $hex) {
    $key = hex2bin($hex);
    if ($c['extension'] === 'memcached') {
      $s = $m->getServerByKey($key);
      if ($s === false) throw new Exception($m->getResultMessage());
      $name = $s['host'] . ':' . $s['port'];
    } else {
      // 'findServer' would turn spaces and control characters into '_'; none of the keys holds any.
      $name = $m->findServer($key);
    }
    $found .= $known[$name];
  }
  $c['found'] = $found;
  $out[] = $c;
}
echo json_encode($out);
`;

const LIVE = `<?php
error_reporting(E_ALL & ~E_DEPRECATED);
$in = json_decode(stream_get_contents(STDIN), true);
function holders($in, $key) {
  $found = [];
  foreach ($in['sockets'] as $i => $address) {
    $s = stream_socket_client($address);
    fwrite($s, "get $key\\r\\n");
    if (strncmp(fgets($s), 'VALUE', 5) === 0) $found[] = $i;
    fclose($s);
  }
  return $found;
}
$cases = [];
foreach ($in['ids'] as $id) {
  session_id($id);
  if (!session_start()) throw new Exception("no session $id");
  $lock = holders($in, $in['lockPrefix'] . $id . $in['lockSuffix']);
  $_SESSION['n'] = 1;
  session_write_close();
  $cases[] = ['id' => $id, 'lock' => $lock, 'data' => holders($in, $in['prefix'] . $id)];
}
echo json_encode($cases);
`;

function program(name, { command, prefixArgs, env }, args, { input = '', cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...prefixArgs, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`${name} ended with ${code}: ${Buffer.concat(chunks).toString()}`));
    });
    child.stdin.end(input);
  });
}

function runPhp(ini, script, input, cwd) {
  const settings = Object.entries(ini).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
  return program(
    'php',
    php.cli,
    [
      '-n',
      ...php.extensionArgs.filter((one) => one !== '-n'),
      ...settings,
      '-r',
      script.slice('<?php'.length),
    ],
    { input: JSON.stringify(input), cwd },
  );
}

async function listening(target) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const ok = await new Promise((resolve) => {
      const socket = connect(target, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nobody listens at ${JSON.stringify(target)}`);
}

function startMemcached(args) {
  const user = userInfo().uid === 0 ? ['-u', userInfo().username] : [];
  return spawn(memcached.command, [...memcached.prefixArgs, ...user, '-U', '0', '-m', '16', ...args], {
    env: { ...process.env, ...memcached.env },
    stdio: 'inherit',
  });
}

/** Live sessions of one configuration on the servers of `nodes`. */
async function liveCase(handler, servers, ini, ids, folder) {
  const settings = { 'session.use_cookies': 0, 'session.cache_limiter': '', 'session.save_handler': handler };
  const memc = handler === 'memcached';
  const weight = (server) =>
    server.weight === undefined ? '' : memc ? `:${server.weight}` : `?weight=${server.weight}`;
  const path = servers
    .map((server) => `${memc ? server.memcached : server.memcache}${weight(server)}`)
    .join(',');
  const input = {
    ids,
    sockets: servers.map(({ socket }) => socket),
    prefix: memc ? 'memc.sess.key.' : '',
    lockPrefix: memc ? 'memc.sess.key.lock.' : '',
    lockSuffix: memc ? '' : '.lock',
  };
  const cases = JSON.parse(
    await runPhp({ ...settings, 'session.save_path': path, ...ini }, LIVE, input, folder),
  );
  return {
    extension: handler,
    ini,
    nodes: servers.map(({ memcached: a, memcache: b }) => (memc ? a : b)),
    weights: servers.map(({ weight: w = 1 }) => w),
    cases,
  };
}

/** Ports are hashed, so they are always the same, and only one run at a time can have them. */
async function turn() {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const guard = createServer();
    const ours = await new Promise((resolve) => {
      guard.once('error', () => resolve(false));
      guard.listen(23_100, '127.0.0.1', () => resolve(true));
    });
    if (ours) return guard;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('Another run keeps port 23100 of 127.0.0.1');
}

async function live() {
  const guard = await turn();
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-placement-'));
  const children = [];
  try {
    const ports = [23_101, 23_102, 23_103, 23_104];
    for (const port of ports) children.push(startMemcached(['-l', '127.0.0.1', '-p', String(port)]));
    const socket = join(folder, 'placement.sock');
    children.push(startMemcached(['-s', socket]));
    for (const port of ports) await listening({ host: '127.0.0.1', port });
    await listening({ path: socket });
    // The path is hashed, so it is the same for every user and folder: PHP runs in `folder`.
    const path = '/proc/self/cwd/placement.sock';
    const tcp = ports.map((port) => ({
      memcached: `127.0.0.1:${port}`,
      memcache: `tcp://127.0.0.1:${port}`,
      socket: `tcp://127.0.0.1:${port}`,
    }));
    const unix = { memcached: path, memcache: `unix://${path}`, socket: `unix://${path}` };
    const weighted = tcp.slice(0, 3).map((server, index) => ({ ...server, weight: index + 1 }));
    let serial = 0;
    const ids = () => {
      serial += 1;
      return Array.from({ length: 16 }, (_, index) =>
        createHash('sha256').update(`live ${serial} ${index}`).digest('hex').slice(0, 26),
      );
    };
    const R = 'memcached.sess_number_of_replicas';
    const T = 'memcached.sess_consistent_hash_type';
    const D = 'memcache.session_redundancy';
    const plan = [
      ['memcached', tcp.slice(0, 1), {}],
      ['memcached', tcp.slice(0, 2), { [R]: 0 }],
      ['memcached', tcp.slice(0, 2), { [R]: 1 }],
      ['memcached', tcp, { [R]: 0 }],
      ['memcached', tcp, { [R]: 1 }],
      ['memcached', tcp, { [R]: 2 }],
      ['memcached', tcp, { [T]: 'ketama_weighted' }],
      ['memcached', tcp, { 'memcached.sess_consistent_hash': 0 }],
      ['memcached', weighted, {}],
      ['memcached', weighted, { [T]: 'ketama_weighted', [R]: 1 }],
      ['memcached', weighted, { 'memcached.sess_consistent_hash': 0 }],
      ['memcached', [unix, ...tcp.slice(0, 2)], {}],
      ['memcache', tcp.slice(0, 1), {}],
      ['memcache', tcp.slice(0, 2), { [D]: 1 }],
      ['memcache', tcp.slice(0, 2), {}],
      ['memcache', tcp, { [D]: 1 }],
      ['memcache', tcp, { [D]: 2 }],
      ['memcache', tcp, { [D]: 3 }],
      ['memcache', tcp, { [D]: 4 }],
      ['memcache', tcp, { [D]: 5, 'memcache.hash_function': 'fnv' }],
      ['memcache', tcp, { 'memcache.hash_strategy': 'standard' }],
      ['memcache', tcp, { [D]: 4, 'memcache.hash_strategy': 'standard' }],
      ['memcache', tcp, { [D]: 4, 'memcache.hash_strategy': 'standard', 'memcache.hash_function': 'fnv' }],
      ['memcache', tcp, { [D]: 4, 'memcache.max_failover_attempts': 3 }],
      ['memcache', tcp, { 'memcache.hash_function': 'fnv' }],
      ['memcache', weighted, {}],
      ['memcache', weighted, { 'memcache.hash_strategy': 'standard' }],
      ['memcache', [unix, ...tcp.slice(0, 2)], {}],
    ];
    const out = [];
    for (const [handler, servers, ini] of plan)
      out.push(await liveCase(handler, servers, ini, ids(), folder));
    return out;
  } finally {
    await Promise.all(
      children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined;
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGTERM');
        return ended;
      }),
    );
    guard.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const versions = JSON.parse(
  await runPhp(
    {},
    `<?php echo json_encode(['php' => PHP_VERSION, 'memcached' => phpversion('memcached'), 'memcache' => phpversion('memcache'), 'machine' => php_uname('m')]);`,
    {},
  ),
);
const asked = { keys: keys(), configurations: configurations() };
const fixture = {
  madeBy: 'scripts/generate-placement-fixtures.mjs',
  versions,
  keys: asked.keys,
  asked: JSON.parse(await runPhp({}, ASK, asked)),
  live: await live(),
};
const lines = (list) => `[\n${list.map((one) => `    ${JSON.stringify(one)}`).join(',\n')}\n  ]`;
settleFixture(
  'placement',
  `{\n  "madeBy": ${JSON.stringify(fixture.madeBy)},\n  "versions": ${JSON.stringify(versions)},\n  "keys": ${JSON.stringify(fixture.keys)},\n  "asked": ${lines(fixture.asked)},\n  "live": ${lines(fixture.live)}\n}\n`,
  ['keys', 'asked', 'live'],
);
