/** Point SELECTs through stormlamp and through the mysql2 pools that it replaces, on one primary with two replicas. */
import { cpus } from 'node:os';
import { createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { createCluster } from '../dist/index.js';
import { startLocalCluster } from '../dist/testing/index.js';

const AT_ONCE = [1, 10, 50];
const CALLS = 3000;
const SQL = 'SELECT name FROM item WHERE id = ?';

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** CPU microseconds per call and calls per second of one round. */
async function round(call, atOnce) {
  let left = CALLS;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await call(1 + (left % 100));
    }
  };
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(Array.from({ length: atOnce }, worker));
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  return { cpuUs: (used.user + used.system) / CALLS, perSecond: CALLS / seconds };
}

/** Runs all peers, round by round in turn, and gives the medians. */
export async function benchQueries({ rounds }) {
  const servers = await startLocalCluster({ memcached: 0, php: false });
  const closers = [];
  try {
    await servers.primary.query('CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50))');
    const rows = Array.from({ length: 100 }, (_, index) => `(${index + 1}, 'item ${index + 1}')`);
    await servers.primary.query(`INSERT INTO shop.item VALUES ${rows.join(',')}`);
    await servers.waitForReplication();
    // Past the proxies, whose work would be counted as the peers' own: they run in this process.
    const direct = (url) =>
      servers.databases.reduce((text, node) => text.replace(`:${node.port}/`, `:${node.realPort}/`), url);
    const options = servers.options().mysql;
    const mysql = { ...options, primary: direct(options.primary), replicas: options.replicas.map(direct) };
    const promisePool = createPromisePool({ uri: mysql.primary, connectionLimit: 10 });
    closers.push(() => promisePool.end());
    const callbackPool = createPool({ uri: mysql.primary, connectionLimit: 10 });
    closers.push(() => new Promise((done) => callbackPool.end(done)));
    const cluster = await createCluster({ mysql });
    closers.push(() => cluster.close());
    const peers = {
      'mysql2/promise pool': (id) => promisePool.query(SQL, [id]),
      'mysql2 callback pool': (id) =>
        new Promise((done, fail) =>
          callbackPool.query(SQL, [id], (error, found) => (error ? fail(error) : done(found))),
        ),
      stormlamp: (id) => cluster.mysql.query(SQL, [id]),
    };
    const seen = new Map();
    for (let number = 0; number <= rounds; number += 1) {
      process.stderr.write(number === 0 ? 'warming up\n' : `round ${number} of ${rounds}\n`);
      for (const atOnce of AT_ONCE) {
        for (const [name, call] of Object.entries(peers)) {
          const measured = await round(call, atOnce);
          if (number === 0) continue;
          const key = `${name}, ${atOnce} at once`;
          seen.set(key, [...(seen.get(key) ?? []), measured]);
        }
      }
    }
    const table = [...seen].map(([work, all]) => ({
      work,
      cpuUsPerCall: Number(median(all.map((one) => one.cpuUs)).toFixed(1)),
      callsPerSecond: Math.round(median(all.map((one) => one.perSecond))),
    }));
    return {
      machine: `${cpus().length} × ${cpus()[0]?.model}`,
      node: process.version,
      rounds,
      callsPerRound: CALLS,
      rows: table,
    };
  } finally {
    for (const close of closers.reverse()) await close();
    await servers.close();
  }
}
