/** A memcached node that came back empty and is filled, with sessions loaded beside that from another process. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { createSessionStore } from '../../dist/index.js';
import { startLocalCluster } from '../../dist/testing/index.js';
import { median, outcome, quantile, round, spread } from '../figures.mjs';
import { pipelinedMemcached } from '../pipelined-memcached.mjs';

const FILLER = join(import.meta.dirname, 'resync-filler.mjs');
const VALUE = Buffer.from(`user|s:1980:"${'x'.repeat(1_980)}";`);
const SESSIONS = [1_000, 10_000, 100_000, 500_000, 1_000_000];
const GOAL = 500_000;
/** Loads beside the fill come at a steady pace, as users do. */
const LOADS_PER_SECOND = 500;
const NORMAL_MS = 3_000;
const FILL_LIMIT_MS = 240_000;
const STOP_LIMIT_MS = 10_000;

/** How often the number of sessions that the goals are about is filled at the default rate: one pause of a node decides a single fill. */
const GOAL_FILLS = 3;
/** Of `resyncItemsPerSecond`. */
export const DEFAULT_RATE = 50_000;

/** Fills for each number of sessions. */
export async function growthOfResync({ quick, onProgress, signal, found }) {
  const fills = [];
  for (const sessions of quick ? SESSIONS.slice(0, 3) : SESSIONS) {
    const rates = [0, ...Array(sessions === GOAL ? GOAL_FILLS : 0).fill(DEFAULT_RATE)];
    for (const rate of rates) {
      if (signal.aborted) break;
      onProgress(`${sessions} sessions`);
      fills.push({ sessions, rate, ...(await fill(sessions, rate, signal)) });
    }
  }
  const goal = fills.filter(({ sessions, rate }) => sessions === GOAL && rate === DEFAULT_RATE);
  if (goal.length > 0) {
    const of = (figure) => median(goal.map(figure));
    const text = `sessions of 2 kB copied a second to an empty node, of ${GOAL}`;
    const perSecond = of((one) => one.perSecond);
    const spreadOf = (figure, digits) => spread(goal.map(figure), digits);
    found.goals.push({
      ...outcome({ text, least: 40_000 }, perSecond, 1e6 / of((one) => one.cpuUs)),
      spread: spreadOf((one) => one.perSecond, 0),
    });
    const slower = (one) => one.during.p99 / one.normal.p99;
    found.goals.push({
      ...outcome(
        { text: 'p99 of loads while a node is filled, over what it is at other times', most: 2 },
        of(slower),
      ),
      spread: spreadOf(slower, 2),
    });
  }
  found.tables.push({
    title: 'Sessions of 2 kB copied to a node that came back empty',
    rows: fills.map((one) => ({
      sessions: one.sessions,
      '`resyncItemsPerSecond`': one.rate,
      'copied a second': Math.round(one.perSecond),
      'CPU µs per session': round(one.cpuUs),
      's from its return': round(one.backS),
      'failed attempts': one.failures.length,
      'load p50 ms': round(one.normal.p50, 2),
      'p99 ms': round(one.normal.p99, 2),
      'p50 ms while filling': round(one.during.p50, 2),
      'p99 ms while filling': round(one.during.p99, 2),
      'loads since its return': one.loads,
      'of them `ERR_STORE_DOWN`': one.failed,
      missing: one.missing,
    })),
  });
}

const idOf = (index) => index.toString(32).padStart(26, '0');

/** Fills a node, and what that took; `execArgv` is for the process that fills. */
export async function fill(sessions, rate, signal, execArgv = []) {
  const megabytes = String(Math.ceil((sessions * 3) / 1024) + 64);
  const servers = await startLocalCluster({
    databases: false,
    php: false,
    memcached: 2,
    serverArgs: { memcached: ['-m', megabytes] },
  });
  let filler;
  let store;
  try {
    const [target, source] = servers.memcached;
    for (const node of [target, source]) await put(node.realPort, sessions);
    const nodes = servers.memcached.map(({ realPort }) => `127.0.0.1:${realPort}`);
    filler = await startFiller({ nodes, resyncItemsPerSecond: rate }, execArgv);
    store = await createSessionStore({ nodes, resync: false });
    const load = async (latencies) => {
      const [from, at] = [performance.now(), Date.now()];
      const value = await store.readRaw(idOf(Math.floor(Math.random() * sessions))).catch((error) => {
        if (error.code !== 'ERR_STORE_DOWN') throw error;
      });
      latencies.push({ at, ms: performance.now() - from });
      if (value === null) throw new Error('a session that is on the other node was told to be nowhere');
      return value !== undefined;
    };
    // Code is compiled, and what wrote the sessions has calmed down, before anything is called normal.
    const ahead = [];
    await steadily(load, ahead, () => ahead.length >= (LOADS_PER_SECOND * NORMAL_MS) / 1000, signal);
    const normal = [];
    await steadily(load, normal, () => normal.length >= (LOADS_PER_SECOND * NORMAL_MS) / 1000, signal);
    const filled = filler.filled(nodes[0]);
    let done;
    filled.then(
      (answer) => {
        done = answer;
      },
      () => {
        done = null;
      },
    );
    await target.kill();
    await target.start();
    const backAt = Date.now();
    const since = [];
    const failed = await steadily(load, since, () => done !== undefined, signal);
    const { copied, elapsedMs, cpuUs, startedAt, endedAt, failures } = await filled;
    const during = since.filter(({ at }) => at >= startedAt && at <= endedAt);
    const missing = await count(target.realPort, sessions);
    return {
      perSecond: (copied * 1000) / elapsedMs,
      cpuUs: cpuUs / copied,
      normal: quantiles(normal),
      during: quantiles(during),
      loads: since.length,
      backS: (endedAt - backAt) / 1000,
      failures,
      failed,
      missing,
    };
  } finally {
    await filler?.stop();
    await store?.close();
    await servers.close();
  }
}

/** Loads at a steady pace until it is over; how many had no answer. */
async function steadily(load, latencies, isOver, signal) {
  let failed = 0;
  let wrong;
  const started = performance.now();
  const running = new Set();
  for (let number = 0; !isOver() && !signal.aborted; number += 1) {
    const late = started + (number * 1000) / LOADS_PER_SECOND - performance.now();
    if (late > 0) await new Promise((done) => setTimeout(done, late));
    const one = load(latencies)
      .then((answered) => {
        if (!answered) failed += 1;
      })
      .catch((error) => {
        wrong ??= error;
      })
      .finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  if (wrong !== undefined) throw wrong;
  return failed;
}

const quantiles = (loads) => {
  const all = loads.map(({ ms }) => ms);
  return { p50: quantile(all, 0.5), p99: quantile(all, 0.99) };
};

async function put(port, sessions) {
  await inBatches(port, sessions, (client, key) => client.set(key, VALUE, 86_400));
}

/** How many sessions a node does not have. */
async function count(port, sessions) {
  let missing = 0;
  await inBatches(port, sessions, async (client, key) => {
    if ((await client.touch(key, 86_400)) === null) missing += 1;
  });
  return missing;
}

async function inBatches(port, sessions, call) {
  const client = pipelinedMemcached(port);
  for (let at = 0; at < sessions; at += 2_000) {
    const length = Math.min(2_000, sessions - at);
    await Promise.all(
      Array.from({ length }, (_, index) => call(client, `memc.sess.key.${idOf(at + index)}`)),
    );
  }
  client.close();
}

/** The process that fills, as one of many does. */
async function startFiller(options, execArgv) {
  const child = fork(FILLER, [JSON.stringify(options)], { execArgv, stdio: ['ignore', 2, 2, 'ipc'] });
  const answer = () =>
    new Promise((done, fail) => {
      child.once('message', done);
      child.once('exit', () => fail(new Error('the process that fills ended')));
    });
  await answer();
  return {
    filled: (node) => {
      const late = new Promise((_, fail) => {
        setTimeout(() => fail(new Error(`not filled in ${FILL_LIMIT_MS / 1000} s`)), FILL_LIMIT_MS).unref();
      });
      child.send({ node });
      return Promise.race([answer(), late]);
    },
    // It writes its profile when it ends by itself.
    stop: () =>
      new Promise((done) => {
        if (child.exitCode !== null || child.signalCode !== null) return done();
        const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
        child.once('exit', () => {
          clearTimeout(late);
          done();
        });
        child.disconnect();
      }),
  };
}
