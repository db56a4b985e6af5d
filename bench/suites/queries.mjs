/** Queries through stormlamp, through the pools that it replaces, and through the proxies that people use instead. */
import { startLocalCluster } from '../../dist/testing/index.js';
import { startHaproxy, startRouter } from '../sql-proxies.mjs';

export const POOL_SIZE = 10;
const POINT = 'SELECT name FROM item WHERE id = ?';
const HUNDRED = 'SELECT id, name, price, changed FROM item WHERE id BETWEEN ? AND ? + 99';
const INSERT = 'INSERT INTO note (item, text) VALUES (?, ?)';
const ITEMS = 1000;

export const suite = {
  name: 'queries',
  title: 'Queries',
  // Longer rounds and fewer: after two seconds of rest a process, and the server's threads, need some hundredths to be themselves again.
  rounds: 5,
  works: ({ quick }) =>
    [
      { name: 'point SELECT, query', atOnce: quick ? [1, 50] : [1, 10, 50, 200] },
      { name: 'point SELECT, execute', atOnce: quick ? [50] : [1, 10, 50, 200] },
      { name: '100 rows, query', atOnce: quick ? [50] : [1, 10, 50, 200] },
      { name: '100 rows, execute', atOnce: quick ? [] : [50] },
      { name: 'INSERT, query', atOnce: quick ? [50] : [1, 10, 50, 200], ms: 300, settles: true },
      { name: 'INSERT, execute', atOnce: quick ? [] : [50], ms: 300, settles: true },
      { name: 'transaction of two writes', atOnce: quick ? [50] : [1, 10, 50, 200], ms: 300, settles: true },
      { name: 'transaction of two writes, execute', atOnce: quick ? [] : [50], ms: 300, settles: true },
    ].map((work) => ({ ms: 600, warmMs: 1000, ...work })),
  goals: [
    [
      'CPU per point SELECT, 50 at once, over mysql2/promise pool',
      'mysql2/promise pool',
      50,
      'cpuUs',
      { most: 0.85 },
    ],
    [
      'CPU per point SELECT, 50 at once, over bare connections',
      'bare connections',
      50,
      'cpuUs',
      { most: 1.2 },
    ],
    [
      'point SELECTs a second, 50 at once, over mysql2/promise pool',
      'mysql2/promise pool',
      50,
      'perSecond',
      { least: 1.2 },
    ],
    [
      'point SELECTs a second, 50 at once, over MySQL Router',
      'MySQL Router',
      50,
      'perSecond',
      { least: 1.5 },
    ],
    [
      'point SELECTs a second, one at a time, over mysql2/promise pool',
      'mysql2/promise pool',
      1,
      'perSecond',
      { least: 1 },
    ],
    ['CPU per point SELECT, one at a time, over the AWS wrapper', 'AWS wrapper', 1, 'cpuUs', { most: 0.5 }],
    ['CPU per point SELECT, 50 at once, over the AWS wrapper', 'AWS wrapper', 50, 'cpuUs', { most: 0.5 }],
  ].map(([text, reference, atOnce, field, bound]) => ({
    text,
    work: 'point SELECT, query',
    reference,
    atOnce,
    field,
    ...bound,
  })),
  setup,
};

async function setup({ onProgress }) {
  const closers = [];
  const close = async () => {
    for (const one of closers.reverse()) await one();
  };
  try {
    const servers = await startLocalCluster({ flavor: 'mysql', memcached: 0, php: false });
    closers.push(() => servers.close());
    await servers.primary.query(
      'CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50), price DECIMAL(10,2), changed DATETIME)',
    );
    await servers.primary.query(
      'CREATE TABLE shop.note (id BIGINT AUTO_INCREMENT PRIMARY KEY, item INT, text VARCHAR(100))',
    );
    const rows = Array.from(
      { length: ITEMS },
      (_, index) => `(${index + 1}, 'item ${index + 1}', ${index}.50, '2026-01-02 03:04:05')`,
    );
    await servers.primary.query(`INSERT INTO shop.item VALUES ${rows.join(',')}`);
    await servers.waitForReplication();
    // Past the cluster's own proxies, whose work is not the peers'.
    const direct = (url) =>
      servers.databases.reduce((text, node) => text.replace(`:${node.port}/`, `:${node.realPort}/`), url);
    const { mysql } = servers.options();
    const primary = direct(mysql.primary);
    const replicas = mysql.replicas.map(direct);
    const portOf = (url) => Number(new URL(url).port);
    const context = { mysql: { ...mysql, primary, replicas } };
    const notes = [];
    for (const [name, start] of Object.entries({ router: startRouter, haproxy: startHaproxy })) {
      try {
        const proxy = await start(portOf(primary), replicas.map(portOf), onProgress);
        closers.push(proxy.close);
        context[name] = proxy.ports;
      } catch (error) {
        notes.push(`${name} could not be started: ${error.message}`);
      }
    }
    // What replicas still apply would be charged to whoever reads from them next.
    return { context, notes, settle: () => servers.waitForReplication(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

const itemOf = (number) => 1 + (number % (ITEMS - 100));

/** The works over something with mysql2's promise methods for reads and for writes. */
function worksOf(reader, writer, transact) {
  return {
    'point SELECT, query': (number) => reader.query(POINT, [itemOf(number)]),
    'point SELECT, execute': (number) => reader.execute(POINT, [itemOf(number)]),
    '100 rows, query': (number) => reader.query(HUNDRED, [itemOf(number), itemOf(number)]),
    '100 rows, execute': (number) => reader.execute(HUNDRED, [itemOf(number), itemOf(number)]),
    'INSERT, query': (number) => writer.query(INSERT, [itemOf(number), 'a note']),
    'INSERT, execute': (number) => writer.execute(INSERT, [itemOf(number), 'a note']),
    'transaction of two writes': (number) => transact(number, 'query'),
    'transaction of two writes, execute': (number) => transact(number, 'execute'),
  };
}

async function twoWrites(connection, number, method) {
  await connection.beginTransaction();
  await connection[method](INSERT, [itemOf(number), 'first']);
  await connection[method](INSERT, [itemOf(number), 'second']);
  await connection.commit();
}

/** The same, by statements. */
async function twoWritesBetween(connection, number, method) {
  await connection.query('START TRANSACTION', []);
  await connection[method](INSERT, [itemOf(number), 'first']);
  await connection[method](INSERT, [itemOf(number), 'second']);
  await connection.query('COMMIT', []);
}

const onPool = (pool) => async (number, method) => {
  const connection = await pool.getConnection();
  try {
    await twoWrites(connection, number, method);
  } finally {
    connection.release();
  }
};

const promised = (target) => ({
  query: (sql, values) =>
    new Promise((done, fail) =>
      target.query(sql, values, (error, rows) => (error ? fail(error) : done(rows))),
    ),
  execute: (sql, values) =>
    new Promise((done, fail) =>
      target.execute(sql, values, (error, rows) => (error ? fail(error) : done(rows))),
    ),
});

async function promisePools(read, write) {
  const { createPool } = await import('mysql2/promise');
  const reader = createPool({ uri: read, connectionLimit: POOL_SIZE });
  const writer = read === write ? reader : createPool({ uri: write, connectionLimit: POOL_SIZE });
  return {
    works: worksOf(reader, writer, onPool(writer)),
    close: () => Promise.all([reader.end(), writer === reader ? undefined : writer.end()]),
  };
}

const through = (port, url) => Object.assign(new URL(url), { port: String(port) }).href;

async function stormlamp({ mysql, poolSize = POOL_SIZE }, { around = (call) => call, observe } = {}) {
  const { createCluster } = await import('../../dist/index.js');
  const cluster = await createCluster({ mysql: { ...mysql, pool: { max: poolSize } } });
  await observe?.(cluster);
  const works = worksOf(cluster.mysql, cluster.mysql, onPool(cluster.mysql));
  return {
    works: Object.fromEntries(
      Object.entries(works).map(([name, call]) => [name, around(call, cluster.mysql)]),
    ),
    close: () => cluster.close(),
  };
}

const inScope = (call, mysql) => (number) => mysql.run({}, () => call(number));

/** Every statement a span of OpenTelemetry, which is made, ended and queued as for an exporter, and sent nowhere. */
async function traced(cluster) {
  const { openTelemetry } = await import('../../dist/telemetry/otel/index.js');
  const { BasicTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base');
  const exporter = { export: (_, done) => done({ code: 0 }), shutdown: async () => undefined };
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  openTelemetry(cluster, { tracerProvider });
}

export const peers = {
  async 'bare connections'({ mysql }) {
    const { createConnection } = await import('mysql2');
    const connections = Array.from({ length: POOL_SIZE }, () => createConnection({ uri: mysql.primary }));
    const all = connections.map(promised);
    let turn = 0;
    const next = () => {
      turn += 1;
      return all[turn % POOL_SIZE];
    };
    const target = {
      query: (sql, values) => next().query(sql, values),
      execute: (sql, values) => next().execute(sql, values),
    };
    const free = [...all];
    const waiting = [];
    const transact = async (number, method) => {
      const connection = free.pop() ?? (await new Promise((done) => waiting.push(done)));
      try {
        await twoWritesBetween(connection, number, method);
      } finally {
        const waiter = waiting.shift();
        if (waiter === undefined) free.push(connection);
        else waiter(connection);
      }
    };
    return {
      works: worksOf(target, target, transact),
      close: () => {
        for (const connection of connections) connection.destroy();
      },
    };
  },

  'mysql2/promise pool': ({ mysql }) => promisePools(mysql.primary, mysql.primary),

  async 'mysql2 callback pool'({ mysql }) {
    const { createPool } = await import('mysql2');
    const pool = createPool({ uri: mysql.primary, connectionLimit: POOL_SIZE });
    const target = promised(pool);
    const transact = (number, method) =>
      new Promise((done, fail) =>
        pool.getConnection((error, connection) => {
          if (error) return fail(error);
          twoWritesBetween(promised(connection), number, method)
            .finally(() => connection.release())
            .then(done, fail);
        }),
      );
    return { works: worksOf(target, target, transact), close: () => pool.end(() => undefined) };
  },

  async 'mysql2 PoolCluster'({ mysql }) {
    const { createPoolCluster } = await import('mysql2');
    const cluster = createPoolCluster();
    cluster.add('primary', { uri: mysql.primary, connectionLimit: POOL_SIZE });
    for (const [index, uri] of mysql.replicas.entries())
      cluster.add(`replica${index}`, { uri, connectionLimit: POOL_SIZE });
    const reader = promised(cluster.of('replica*', 'RR'));
    const writer = promised(cluster.of('primary'));
    return {
      works: worksOf(
        reader,
        writer,
        (number, method) =>
          new Promise((done, fail) =>
            cluster.getConnection('primary', (error, connection) => {
              if (error) return fail(error);
              twoWritesBetween(promised(connection), number, method)
                .finally(() => connection.release())
                .then(done, fail);
            }),
          ),
      ),
      close: () => cluster.end(() => undefined),
    };
  },

  async 'mariadb pool cluster'({ mysql }) {
    const { default: mariadb } = await import('mariadb');
    const optionsOf = (text) => {
      const url = new URL(text);
      return {
        host: url.hostname,
        port: Number(url.port),
        user: url.username,
        password: decodeURIComponent(url.password),
        database: url.pathname.slice(1),
        connectionLimit: POOL_SIZE,
        allowPublicKeyRetrieval: true,
      };
    };
    const cluster = mariadb.createPoolCluster();
    cluster.add('primary', optionsOf(mysql.primary));
    for (const [index, url] of mysql.replicas.entries()) cluster.add(`replica${index}`, optionsOf(url));
    const reader = cluster.of(/^replica/, 'RR');
    const writer = cluster.of(/^primary/, 'RR');
    return { works: worksOf(reader, writer, onPool(writer)), close: () => cluster.end() };
  },

  async 'AWS wrapper'({ mysql }) {
    const { AwsMySQLPoolClient } = await import('aws-advanced-nodejs-wrapper/mysql');
    const url = new URL(mysql.primary);
    const pool = new AwsMySQLPoolClient(
      {
        host: url.hostname,
        port: Number(url.port),
        user: url.username,
        password: decodeURIComponent(url.password),
        database: url.pathname.slice(1),
        plugins: 'readWriteSplitting',
      },
      { maxConnections: POOL_SIZE },
    );
    const target = {
      query: (sql, values) => pool.query(sql, values),
      // Its pool has no execute: prepared statements go through a connection that is taken and given back.
      execute: async (sql, values) => {
        const connection = await pool.getConnection();
        try {
          return await connection.execute(sql, values);
        } finally {
          await pool.releaseConnection(connection);
        }
      },
    };
    const transact = async (number, method) => {
      const connection = await pool.getConnection();
      try {
        await twoWrites(connection, number, method);
      } finally {
        await pool.releaseConnection(connection);
      }
    };
    return { works: worksOf(target, target, transact), close: () => pool.end() };
  },

  'MySQL Router': ({ mysql, router }) => {
    if (router === undefined) throw new Error('MySQL Router is not running');
    return promisePools(through(router.read, mysql.primary), through(router.write, mysql.primary));
  },

  HAProxy: ({ mysql, haproxy }) => {
    if (haproxy === undefined) throw new Error('HAProxy is not running');
    return promisePools(through(haproxy.read, mysql.primary), through(haproxy.write, mysql.primary));
  },

  stormlamp: (context) => stormlamp(context),

  'stormlamp in a scope': (context) => stormlamp(context, { around: inScope }),

  'stormlamp, traced': (context) => stormlamp(context, { observe: traced }),

  'stormlamp in a scope, traced': (context) => stormlamp(context, { around: inScope, observe: traced }),
};
