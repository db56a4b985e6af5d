/**
 * A process that serves for a long time: it asks the database inside and outside scopes, and loads, changes and saves
 * sessions. Now and then it tells its parent how large it is, what it holds open, and how long the work took. `ill` makes
 * it sick on purpose: a check that does not see that says nothing.
 */
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../../dist/index.js';

const WORKERS = 16;
const USERS = 500;
/** Between two turns of a worker: a process that is busy, not one that drowns. */
const PAUSE_MS = 5;

process.once('message', async ({ options, sampleMs, ill }) => {
  const cluster = await createCluster(options);
  let latencies = [];
  let failed = 0;
  let turns = 0;
  let isOver = false;
  const kept = [];
  const started = performance.now();
  let lastError;
  let told = { turns: 0, cpu: process.cpuUsage() };

  const idOf = (user) => `soak${user}`.padEnd(26, 'a');
  for (let user = 0; user < USERS; user += 1)
    await cluster.sessions.writeRaw(idOf(user), Buffer.from('turn|i:0;'));

  const turn = async (worker) => {
    turns += 1;
    const user = turns % USERS;
    const { mysql, sessions } = cluster;
    const session = await sessions.load(idOf(user));
    session.data.turn = turns;
    session.data[`of${worker}`] = { at: turns, text: 'x'.repeat(turns % 300) };
    await sessions.save(session);
    await mysql.run({}, async () => {
      await mysql.query('UPDATE soak SET turns = turns + 1, text = ? WHERE id = ?', [
        `turn ${turns}`,
        worker,
      ]);
      const [[row]] = await mysql.query('SELECT text FROM soak WHERE id = ?', [worker]);
      if (typeof row?.text !== 'string') throw new Error('The row is not there');
    });
    await mysql.execute('SELECT turns FROM soak WHERE id = ?', [user % WORKERS]);
    // Texts that never come again, as programs write that put values into them.
    await mysql.query(`SELECT turns FROM soak WHERE id = ${user % WORKERS} /* ${turns} */`);
    if (turns % 10 === 0) {
      await mysql.transaction(async (connection) => {
        await connection.query('UPDATE soak SET turns = turns + 1 WHERE id = ?', [worker]);
      });
    }
    if (ill === 'latency') await sleep((performance.now() - started) ** 3 / 4e9);
  };
  const work = async (worker) => {
    while (!isOver) {
      const from = performance.now();
      try {
        await turn(worker);
        latencies.push(performance.now() - from);
      } catch (error) {
        failed += 1;
        lastError = error.stack;
      }
      await sleep(PAUSE_MS);
    }
  };
  const running = Array.from({ length: WORKERS }, (_, worker) => work(worker));

  const sample = setInterval(() => {
    if (ill === 'heap') kept.push(Array.from({ length: 300_000 }, (_, index) => index + turns));
    if (ill === 'handles') kept.push(...[1, 2].map(() => createServer().listen(0, '127.0.0.1')));
    const sorted = latencies.sort((a, b) => a - b);
    latencies = [];
    const { user, system } = process.cpuUsage(told.cpu);
    const cpuMsPerTurn = (user + system) / 1_000 / (turns - told.turns);
    globalThis.gc();
    told = { turns, cpu: process.cpuUsage() };
    const { heapUsed, external } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    process.send({
      turns,
      failed,
      lastError,
      heapMb: (heapUsed + external) / 1e6,
      handles: resources.filter((kind) => kind !== 'Timeout').length,
      timers: resources.filter((kind) => kind === 'Timeout').length,
      files: readdirSync('/proc/self/fd').length,
      p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
      cpuMsPerTurn,
    });
  }, sampleMs);
  const exit = () => process.exit(1);
  // Whoever asked for this is gone.
  process.once('disconnect', exit);
  process.once('message', async () => {
    process.off('disconnect', exit);
    clearInterval(sample);
    isOver = true;
    await Promise.all(running);
    for (const one of kept) one.close?.();
    await cluster.close();
    process.send({ closed: true });
    process.disconnect();
  });
});
