/** The statement classifier: cached and not, short and long texts. The same text in a new string is what a query builder gives. */
import { startLocalCluster } from '../../dist/testing/index.js';
import { processCpuUs } from '../process-cpu.mjs';

const BATCH = 100;
const COPIES = 4096;
const SHORT = 'SELECT name FROM item WHERE id = ?';
const MIDDLE =
  "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.state = 'open' AND o.created > ? AND c.country IN (?, ?, ?) ORDER BY o.created DESC LIMIT 20 /* dashboard list */";
/** As many columns as fill so many bytes. */
const long = (bytes) => {
  const columns = Array.from(
    { length: bytes / 22 },
    (_, index) => `column_${1e4 + index} AS c_${index % 10}`,
  );
  return `SELECT ${columns.join(', ')} FROM t`;
};
const TEXTS = {
  '35 bytes': { text: SHORT, copies: COPIES },
  '200 bytes': { text: MIDDLE, copies: COPIES },
  '2 kB': { text: long(2_000), copies: 512 },
  '20 kB': { text: long(20_000), copies: 128 },
  '200 kB': { text: long(200_000), copies: 16 },
};

export const suite = {
  title: `Classifier (one call is ${BATCH} statements, one of 20 kB or 200 kB)`,
  works: ({ quick }) =>
    [
      'cached, same string',
      'cached, new strings',
      'cached, new strings, 35 bytes',
      'cached, new strings, 2 kB',
      ...Object.keys(TEXTS).map((name) => `uncached, ${name}`),
    ].map((name) => ({ name, ms: quick ? 150 : 300, warmMs: 1000, atOnce: [1] })),
  goals: [
    ['cached statements of 200 bytes a second', 'cached, new strings', { least: 2_000_000, each: BATCH }],
    ['uncached statements of 200 bytes a second', 'uncached, 200 bytes', { least: 200_000, each: BATCH }],
  ]
    .map(([text, work, goal]) => ({ text, work, atOnce: 1, field: 'perSecond', ...goal }))
    .concat({
      text: 'CPU per byte of 200 kB over that of 20 kB (linear: 1)',
      work: 'uncached, 200 kB',
      reference: 'stormlamp',
      referenceWork: 'uncached, 20 kB',
      scale: 10,
      atOnce: 1,
      field: 'cpuUs',
      most: 1.2,
    }),
  setup: async () => {
    const servers = await startLocalCluster({ flavor: 'mysql', replicas: 0, memcached: 0, php: false });
    const { mysql } = servers.options();
    const [{ port, realPort, pid }] = servers.databases;
    return {
      context: { url: mysql.primary.replace(`:${port}/`, `:${realPort}/`), pid },
      notes: [
        "The server's own reading of a statement, as a yardstick: `STATEMENT_DIGEST()` of the same texts, which it computes as often itself; the CPU is the server's.",
      ],
      close: () => servers.close(),
    };
  },
};

/** Different comments at the end keep a text's shape and make it another text. */
function variants({ text, copies }) {
  return Array.from({ length: copies }, (_, index) => `${text} -- ${index}`);
}

const batchOf = (name) => (/0 kB/.test(name) && name !== '2 kB' ? 1 : BATCH);

export const peers = {
  async stormlamp() {
    const { ClassificationCache } = await import('../../dist/mysql/classifier/classification-cache.js');
    const { classify } = await import('../../dist/index.js');
    const cache = new ClassificationCache({ flavor: 'mysql' });
    const times = (batch, work) => (number) => {
      for (let index = 0; index < batch; index += 1) work(number * batch + index);
    };
    // A string made anew has no hash yet, as when a query builder put it together.
    const lookUp = (sql) => cache.classify(sql);
    const lookUpNew = (text) => {
      const bytes = Buffer.from(text);
      return times(BATCH, () => lookUp(bytes.latin1Slice()));
    };
    const works = {
      'cached, same string': times(BATCH, () => lookUp(MIDDLE)),
      'cached, new strings': lookUpNew(MIDDLE),
      'cached, new strings, 35 bytes': lookUpNew(SHORT),
      'cached, new strings, 2 kB': lookUpNew(long(2_000)),
    };
    for (const [name, text] of Object.entries(TEXTS)) {
      const texts = variants(text);
      works[`uncached, ${name}`] = times(batchOf(name), (number) => classify(texts[number % texts.length]));
    }
    return { works };
  },

  async "MySQL's digest"({ url, pid }) {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection({ uri: url });
    const works = {};
    for (const [name, { text }] of Object.entries(TEXTS)) {
      const batch = batchOf(name);
      // Markers are no part of a text that a server is to read.
      const sql = `SELECT BENCHMARK(${batch}, STATEMENT_DIGEST(?))`;
      const values = [text.replaceAll('?', '4711')];
      works[`uncached, ${name}`] = {
        run: async ({ ms }) => {
          const before = processCpuUs(pid);
          const latencies = [];
          const until = performance.now() + ms;
          for (let from = performance.now(); from < until; ) {
            await connection.query(sql, values);
            const now = performance.now();
            latencies.push(now - from);
            from = now;
          }
          latencies.sort((a, b) => a - b);
          const at = (share) => latencies[Math.floor(latencies.length * share)] * 1000;
          return {
            calls: latencies.length,
            cpuUs: (processCpuUs(pid) - before) / latencies.length,
            p50Us: at(0.5),
            p99Us: at(0.99),
          };
        },
      };
    }
    return { works, close: () => connection.end() };
  },
};
