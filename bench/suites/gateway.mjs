/** PHP's real clients on the gateway, on nutcracker and on memcached itself: whole sessions, and single commands, in turn. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startLocalCluster } from '../../dist/testing/index.js';
import { median, outcome, round, spread } from '../figures.mjs';
import { startNutcracker } from '../nutcracker.mjs';
import { processCpuUs } from '../process-cpu.mjs';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const CLIENTS = [1, 4];
/** PHP's own start is over before the time begins that counts. */
const HEAD_START_S = 0.6;

/** Counts what it gets done in a given time. */
const WORKS = {
  sessions: `$n = 0; while (microtime(true) < $until) { session_id(sprintf('bench%d-%d', getmypid(), $n % 50)); session_start();
    $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; $_SESSION['data'] = $data; session_write_close(); $_SESSION = []; $n++; } echo $n;`,
  get: `$m->set('bench', $data); $n = 0; while (microtime(true) < $until) { if ($m->get('bench') !== $data) exit('lost'); $n++; } echo $n;`,
  set: `$n = 0; while (microtime(true) < $until) { if (!$m->set('bench' . ($n % 50), $data)) exit('refused'); $n++; } echo $n;`,
  'getMulti of 20': `for ($i = 0; $i < 20; $i++) $m->set("bench$i", $data); $keys = array_map(fn ($i) => "bench$i", range(0, 19));
    $n = 0; while (microtime(true) < $until) { if (count($m->getMulti($keys)) !== 20) exit('lost'); $n++; } echo $n;`,
};

export const suite = {
  title: 'Gateway for PHP',
  setup,
  measure,
};

async function setup({ onProgress }) {
  const closers = [];
  const close = async () => {
    for (const one of closers.reverse()) await one();
  };
  try {
    const servers = await startLocalCluster({ databases: false, memcached: 2 });
    closers.push(() => servers.close());
    const ports = servers.memcached.map(({ realPort }) => realPort);
    const direct = ports.map((port) => `127.0.0.1:${port}`);
    const gateway = await startGateway(direct.join(','));
    closers.push(gateway.stop);
    const ways = [
      { name: 'memcached', address: direct[0], binary: true },
      { name: 'gateway, two copies', address: gateway.address, binary: true, pid: gateway.pid },
      { name: 'memcached, text', address: direct[0], binary: false },
      { name: 'gateway, two copies, text', address: gateway.address, binary: false, pid: gateway.pid },
    ];
    let isWhole = true;
    const notes = [
      'php-memcached in PHP processes of its own, values of 2 kB; a session is locked, read, changed, written and unlocked. CPU is that of what stands between PHP and memcached. PHP, what stands between and memcached share the cores of this machine.',
      'nutcracker keeps one copy and speaks the text protocol only.',
    ];
    try {
      const proxy = await startNutcracker(ports, onProgress);
      closers.push(proxy.close);
      ways.push({
        name: 'nutcracker, text',
        address: `127.0.0.1:${proxy.port}`,
        binary: false,
        pid: proxy.pid,
      });
    } catch (error) {
      notes.push(`nutcracker could not be started: ${error.message}`);
      isWhole = false;
    }
    return { context: { servers, ways, isWhole }, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts the gateway as a user would, in a process of its own, with more arguments for Node. */
export async function startGateway(nodes, nodeArgs = []) {
  const args = ['gateway', '--nodes', nodes, '--listen', '127.0.0.1:0', '--keys', 'all', '--json'];
  const child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (/^\}/m.test(text)) break;
  }
  const { address } = JSON.parse(text);
  const stop = () =>
    new Promise((done) => {
      if (child.exitCode !== null || child.signalCode !== null) done();
      else child.once('exit', done).kill('SIGTERM');
    });
  return { address, pid: child.pid, stop };
}

async function measure({ context: { servers, ways, isWhole }, rounds, quick, onProgress, signal, found }) {
  const results = new Map();
  const seconds = quick ? 0.5 : 1;
  const turns = Math.ceil((rounds * 2) / 3);
  found.rounds = turns;
  found.isWhole = isWhole;
  onProgress('warming up');
  for (const work of Object.keys(WORKS)) {
    for (const way of ways) {
      if (signal.aborted || way.pid === undefined) continue;
      await roundOf(servers, { work, clients: CLIENTS.at(-1), seconds: 2 * seconds, ...way });
    }
  }
  for (let turn = 0; turn < turns && !signal.aborted; turn += 1) {
    onProgress(`round ${turn + 1} of ${turns}`);
    for (const work of Object.keys(WORKS)) {
      for (const clients of CLIENTS) {
        for (const way of ways) {
          if (signal.aborted) break;
          const key = `${work}\0${clients}\0${way.name}`;
          const list = results.get(key) ?? [];
          results.set(key, list);
          list.push(await roundOf(servers, { work, clients, seconds, ...way }));
        }
      }
    }
  }
  report(results, ways, found);
}

function report(results, ways, found) {
  const of = (work, clients, { name }) => results.get(`${work}\0${clients}\0${name}`) ?? [];
  const middle = (list, field) => median(list.map((one) => one[field]));
  for (const work of Object.keys(WORKS)) {
    const rows = [];
    for (const clients of CLIENTS) {
      for (const way of ways) {
        const mine = of(work, clients, way);
        const theirs = of(work, clients, ways[way.binary ? 0 : 2]);
        const ratio = median(mine.map((one, index) => one.perSecond / theirs[index]?.perSecond));
        rows.push({
          'PHP processes': clients,
          through: way.name,
          'a second': Math.round(middle(mine, 'perSecond')),
          'half of the rounds': spread(
            mine.map(({ perSecond }) => perSecond),
            0,
          ),
          'of memcached directly': round(ratio, 2),
          'CPU µs each': way.pid === undefined ? null : round(middle(mine, 'cpuUs')),
        });
        if (way.name !== 'gateway, two copies' || clients !== CLIENTS.at(-1)) continue;
        const text = `${work} a second for ${clients} PHP processes, gateway over memcached`;
        found.goals.push(outcome({ text, least: 0.5 }, Number.isNaN(ratio) ? undefined : ratio));
      }
    }
    found.tables.push({ title: `PHP: ${work}`, rows });
  }
}

/** Work per second of PHP processes on an address, and what each cost whoever stands between. */
export async function roundOf(servers, { work, address, binary, pid, clients, seconds }) {
  const [host, port] = address.split(':');
  const script = `<?php $data = str_repeat('0123456789abcdef', 128); $until = (float) $argv[1];
    $m = new Memcached(); $m->setOption(Memcached::OPT_BINARY_PROTOCOL, ${binary}); $m->setOption(Memcached::OPT_COMPRESSION, false);
    $m->setOption(Memcached::OPT_TCP_NODELAY, true); $m->addServer('${host}', ${port});
    while (microtime(true) < $until - ${seconds}) usleep(1000); ${WORKS[work]}`;
  const before = pid === undefined ? 0 : processCpuUs(pid);
  const until = Date.now() / 1000 + seconds + HEAD_START_S;
  const ini = {
    'session.save_handler': 'memcached',
    'session.save_path': address,
    'memcached.sess_binary_protocol': binary,
    'memcached.sess_number_of_replicas': 0,
    'memcached.sess_lock_expire': 30,
    'session.use_cookies': false,
    'session.cache_limiter': '',
    max_execution_time: 0,
  };
  const answers = await Promise.all(
    Array.from({ length: clients }, () => servers.php(script, { args: [String(until)], ini })),
  );
  const total = answers.reduce((sum, { stdout }) => {
    const done = Number(stdout);
    if (!Number.isInteger(done)) throw new Error(`PHP printed ${stdout.slice(0, 200)}`);
    return sum + done;
  }, 0);
  return {
    perSecond: total / seconds,
    cpuUs: pid === undefined ? Number.NaN : (processCpuUs(pid) - before) / total,
  };
}
