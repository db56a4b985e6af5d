/** Where the processor time of a call goes: profiles of what misses its goal, and of what it is compared with. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startLocalCluster } from '../../dist/testing/index.js';
import { Contestant } from '../contest.mjs';
import { sharesOf } from '../cpu-profile.mjs';
import { round } from '../figures.mjs';
import { DEFAULT_RATE, fill } from '../growth/resync.mjs';
import { roundOf, startGateway } from './gateway.mjs';

const PEERS = [
  ['queries', 'point SELECT, query', 50, ['stormlamp', 'mysql2 PoolCluster', 'mysql2/promise pool']],
  ['sessions', 'load 2 kB', 100, ['stormlamp, two copies', 'memjs']],
  [
    'sessions',
    'save 2 kB',
    100,
    ['stormlamp, two copies', 'stormlamp, two copies, last-write-wins', 'memjs'],
  ],
  ['middleware', 'read the session', 50, ['stormlamp, two copies', 'express-session + connect-redis']],
  ['middleware', 'change the session', 50, ['stormlamp, two copies', 'express-session + connect-redis']],
  ['codec', 'encode 2 kB', 1, ['stormlamp', 'php-serialize']],
  ['codec', 'encode 20 kB', 1, ['stormlamp', 'php-serialize']],
  ['codec', 'encode 200 kB', 1, ['stormlamp', 'php-serialize']],
  ['codec', 'decode 200 kB', 1, ['stormlamp', 'php-serialize']],
];
const FILLED = 500_000;
const GATEWAY = ['sessions', 'get', 'set', 'getMulti of 20'];
const ANSWER_MS = 60_000;
/** What is less than this is gathered as the rest. */
const LEAST_SHARE = 0.015;

export const suite = {
  title: 'Profiles',
  setup: async () => ({ context: undefined, close: async () => undefined }),
  async measure({ quick, onProgress, signal, found }) {
    found.rounds = 0;
    found.notes.push(
      'Each peer alone, warmed up, in one round under the profiler of V8 (a sample every 0.2 ms). The shares are of the time in which the process was not idle; a process that waits for a processor counts as busy with what it was at, which makes `write to sockets` larger, since a write wakes the server; *CPU of that time* says how much processor time the whole process took meanwhile, the threads of the collector, the compiler and the profiler with it: what waits for nothing shows 110 to 115 %, and what is less than that was waiting. `write to sockets` is the system call, in which Linux does the work of a loopback connection for both ends.',
    );
    const ms = quick ? 1_000 : 4_000;
    const rows = [];
    for (const [name, work, atOnce, peers] of PEERS) {
      const file = join(import.meta.dirname, `${name}.mjs`);
      const { suite: other } = await import(pathToFileURL(file).href);
      if (signal.aborted) return;
      onProgress(`${name}, ${work}`);
      const { context, close } = await other.setup({ quick: true, onProgress, signal });
      try {
        for (const peer of peers) {
          if (signal.aborted) return;
          rows.push(await profileOf({ file, peer, work, atOnce, context, ms, signal }));
        }
      } finally {
        await close();
      }
    }
    for (const work of GATEWAY) {
      if (signal.aborted) return;
      onProgress(`gateway, ${work}`);
      rows.push(await profileOfGateway(work, quick ? 1 : 4));
    }
    if (signal.aborted) return;
    onProgress('a fill');
    rows.push(await profileOfFill(quick ? FILLED / 10 : FILLED, signal));
    found.tables.push({ title: 'Where the time of a call goes', rows });
  },
};

async function profileOf({ file, peer, work, atOnce, context, ms, signal }) {
  const contestant = new Contestant(file, peer, signal);
  try {
    await contestant.ask({ type: 'open', context }, ANSWER_MS);
    const message = { work, ms, workers: atOnce };
    await contestant.ask({ ...message, type: 'round', warm: true }, ANSWER_MS);
    const measured = await contestant.ask({ ...message, type: 'profile' }, ANSWER_MS);
    await contestant.ask({ type: 'close' }, ANSWER_MS);
    return rowOf(`${work}, ${atOnce} at once`, peer, measured);
  } finally {
    contestant.end();
  }
}

/** Node writes the profile of a whole process when it ends: its start is a small part of this one. */
async function profileOfGateway(work, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-profile-'));
  const servers = await startLocalCluster({ databases: false, memcached: 2 });
  let gateway;
  try {
    const nodes = servers.memcached.map(({ realPort }) => `127.0.0.1:${realPort}`).join(',');
    gateway = await startGateway(nodes, [
      '--cpu-prof',
      '--cpu-prof-interval=200',
      `--cpu-prof-dir=${folder}`,
    ]);
    const way = { work, clients: 4, seconds, address: gateway.address, binary: true, pid: gateway.pid };
    await roundOf(servers, way);
    const { cpuUs } = await roundOf(servers, way);
    await gateway.stop();
    const { busyUs: _busyUs, ...shares } = sharesOf(writtenProfile(folder));
    return rowOf(`PHP: ${work}, 4 processes`, 'the gateway', { cpuUs, ...shares });
  } finally {
    await gateway?.stop();
    await servers.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The process that copies sessions to an empty node, at the default rate, with loads beside it. */
async function profileOfFill(sessions, signal) {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-profile-'));
  try {
    const execArgv = ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`];
    const { cpuUs } = await fill(sessions, DEFAULT_RATE, signal, execArgv);
    const { busyUs: _busyUs, ...shares } = sharesOf(writtenProfile(folder));
    return rowOf(`a session of 2 kB copied, of ${sessions}`, 'the process that fills', { cpuUs, ...shares });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writtenProfile(folder) {
  const [file] = readdirSync(folder);
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

function rowOf(work, peer, { calls, cpuUs, busyUs, shares, largest }) {
  const percent = (share) => `${round(100 * share, 0)} %`;
  const sorted = Object.entries(shares).sort(([, a], [, b]) => b - a);
  const shown = sorted.filter(([, share]) => share >= LEAST_SHARE);
  const rest = sorted.slice(shown.length).reduce((sum, [, share]) => sum + share, 0);
  return {
    work,
    'of whom': peer,
    'CPU µs/call': round(cpuUs),
    'CPU of that time': busyUs === undefined ? null : `${round((100 * cpuUs * calls) / busyUs, 0)} %`,
    'shares of the time': [...shown, ['the rest', rest]]
      .map(([part, share]) => `${part} ${percent(share)}`)
      .join(', '),
    'largest function of ours': largest.share === 0 ? null : `${largest.name} ${percent(largest.share)}`,
  };
}
