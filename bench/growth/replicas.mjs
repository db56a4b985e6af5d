/** One client with 1 to 8 real replicas: what a statement costs, and what looking at the servers costs while nothing is asked. */

import { createMysqlCluster } from '../../dist/index.js';
import { startLocalCluster } from '../../dist/testing/index.js';
import { median, round, spread } from '../figures.mjs';

const POINT = 'SELECT name FROM item WHERE id = ?';
const AT_ONCE = 50;
const ITEMS = 1000;

/** Measures, and then lets `next` use the servers while they are there. */
export async function growthOfReplicas(options, next) {
  const { quick, rounds, onProgress, signal, found } = options;
  const most = quick ? 2 : 8;
  const servers = await startLocalCluster({ replicas: most, memcached: 2, php: false });
  try {
    await servers.primary.query('CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50))');
    const values = Array.from({ length: ITEMS }, (_, id) => `(${id}, 'item ${id}')`);
    await servers.primary.query(`INSERT INTO shop.item VALUES ${values.join(', ')}`);
    await servers.waitForReplication();
    // Past the cluster's own proxies, which run in this process.
    const direct = (url) =>
      servers.databases.reduce((text, node) => text.replace(`:${node.port}/`, `:${node.realPort}/`), url);
    const { mysql } = servers.options();
    const urls = { primary: direct(mysql.primary), replicas: mysql.replicas.map(direct) };
    const rows = new Map();
    for (let turn = 0; turn < Math.ceil(rounds / 2); turn += 1) {
      for (let count = 1; count <= most; count *= 2) {
        if (signal.aborted) break;
        onProgress(`round ${turn + 1}, ${count} replicas`);
        const replicas = urls.replicas.slice(0, count);
        const list = rows.get(count) ?? [];
        rows.set(count, list);
        list.push(await one({ ...mysql, primary: urls.primary, replicas, discover: false }));
      }
    }
    const middle = (count, field) => median(rows.get(count).map((row) => row[field]));
    found.tables.push({
      title: `Replicas (point SELECT, ${AT_ONCE} at a time)`,
      rows: [...rows.keys()].map((count) => ({
        replicas: count,
        'CPU µs per SELECT': round(middle(count, 'cpuUs')),
        'half of the rounds': spread(rows.get(count).map(({ cpuUs }) => cpuUs)),
        'SELECTs a second': Math.round(middle(count, 'perSecond')),
        'CPU ms per second at rest': round(middle(count, 'restMs'), 2),
      })),
    });
    if (!signal.aborted) await next({ ...options, servers, urls, mysql });
  } finally {
    await servers.close();
  }
}

async function one(options) {
  const cluster = await createMysqlCluster(options);
  try {
    const ask = (number) => cluster.query(POINT, [number % ITEMS]);
    await spend(ask, 300);
    const busy = await spend(ask, 500);
    const before = process.cpuUsage();
    await new Promise((done) => setTimeout(done, 2_000));
    const { user, system } = process.cpuUsage(before);
    return { ...busy, restMs: (user + system) / 2_000 };
  } finally {
    await cluster.close();
  }
}

async function spend(ask, ms) {
  const cpu = process.cpuUsage();
  const from = performance.now();
  let calls = 0;
  const worker = async () => {
    while (performance.now() - from < ms) {
      calls += 1;
      await ask(calls);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: (user + system) / calls, perSecond: calls / ((performance.now() - from) / 1000) };
}
