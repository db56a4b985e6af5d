/** PHP's real clients on the gateway and on memcached itself: whole sessions, and single commands, in turn. */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { startLocalCluster } from '../dist/testing/index.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'cli', 'main.js');

/** Counts what it gets done in a given time. */
const WORK = {
  sessions: `$n = 0; while (microtime(true) < $until) { session_id(sprintf('bench%d-%d', getmypid(), $n % 50)); session_start();
    $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; $_SESSION['data'] = $data; session_write_close(); $_SESSION = []; $n++; } echo $n;`,
  get: `$m->set('bench', $data); $n = 0; while (microtime(true) < $until) { $m->get('bench'); $n++; } echo $n;`,
  set: `$n = 0; while (microtime(true) < $until) { $m->set('bench' . ($n % 50), $data); $n++; } echo $n;`,
  'getMulti of 20': `for ($i = 0; $i < 20; $i++) $m->set("bench$i", $data); $keys = array_map(fn ($i) => "bench$i", range(0, 19));
    $n = 0; while (microtime(true) < $until) { $m->getMulti($keys); $n++; } echo $n;`,
};

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Starts the gateway as a user would, in a process of its own. */
async function startGateway(nodes) {
  const child = spawn(
    process.execPath,
    [MAIN, 'gateway', '--nodes', nodes, '--listen', '127.0.0.1:0', '--keys', 'all', '--json'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (/^\}/m.test(text)) break;
  }
  const { address } = JSON.parse(text);
  return { address, stop: () => new Promise((done) => child.once('exit', done).kill('SIGTERM')) };
}

/** Work per second of `clients` PHP processes on `address`. */
async function round(servers, work, address, clients, seconds) {
  const [host, port] = address.split(':');
  const script = `<?php $data = str_repeat('0123456789abcdef', 128); $until = (float) $argv[1];
    $m = new Memcached(); $m->setOption(Memcached::OPT_BINARY_PROTOCOL, true); $m->setOption(Memcached::OPT_COMPRESSION, false); $m->addServer('${host}', ${port});
    while (microtime(true) < $until - ${seconds}) usleep(1000); ${WORK[work]}`;
  const until = Date.now() / 1000 + seconds + 0.7;
  const answers = await Promise.all(
    Array.from({ length: clients }, () =>
      servers.php(script, {
        args: [String(until)],
        ini: {
          'session.save_path': address,
          'memcached.sess_number_of_replicas': 0,
          'session.use_cookies': false,
          'session.cache_limiter': '',
          max_execution_time: 0,
          'memcached.sess_lock_expire': 30,
        },
      }),
    ),
  );
  return answers.reduce((sum, { stdout }) => sum + Number(stdout), 0) / seconds;
}

/** Runs everything in turn and gives the medians. */
async function benchGateway({ rounds, clients = 4, seconds = 1 }) {
  const servers = await startLocalCluster({ databases: false });
  const direct = servers.memcached.map(({ host, realPort }) => `${host}:${realPort}`);
  const gateway = await startGateway(direct.join(','));
  try {
    const rows = [];
    for (const work of Object.keys(WORK)) {
      const found = { direct: [], gateway: [] };
      for (let turn = 0; turn < rounds; turn += 1) {
        found.direct.push(await round(servers, work, direct[0], clients, seconds));
        found.gateway.push(await round(servers, work, gateway.address, clients, seconds));
      }
      const [one, other] = [median(found.direct), median(found.gateway)];
      rows.push({
        work,
        clients,
        'memcached, per second': Math.round(one),
        'gateway on two copies, per second': Math.round(other),
        ratio: Number((other / one).toFixed(2)),
      });
    }
    return { cpus: cpus().length, rounds, rows };
  } finally {
    await gateway.stop();
    await servers.close();
  }
}

if (import.meta.filename === process.argv[1]) {
  const result = await benchGateway({ rounds: Number(process.argv[2] ?? 5) });
  console.table(result.rows);
}
