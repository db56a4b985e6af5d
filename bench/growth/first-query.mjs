/** A process that imports one library, reads one row with it, and tells its parent what that took. */
const POINT = 'SELECT name FROM item WHERE id = ?';
const CONNECTIONS = 10;
const [kind] = process.argv.slice(2);

const CLIENTS = {
  'mysql2/promise pool': async () => {
    const { createPool } = await import('mysql2/promise');
    return ({ mysql }) => createPool({ uri: mysql.primary, connectionLimit: CONNECTIONS });
  },
  'AWS wrapper': async () => {
    const { AwsMySQLPoolClient } = await import('aws-advanced-nodejs-wrapper/mysql');
    return ({ mysql }) => {
      const url = new URL(mysql.primary);
      return new AwsMySQLPoolClient(
        {
          host: url.hostname,
          port: Number(url.port),
          user: url.username,
          password: decodeURIComponent(url.password),
          database: url.pathname.slice(1),
          plugins: 'readWriteSplitting',
        },
        { maxConnections: CONNECTIONS },
      );
    };
  },
  'stormlamp, MySQL': async () => {
    const { createMysqlCluster } = await import('../../dist/index.js');
    return ({ mysql }) => createMysqlCluster({ ...mysql, pool: { max: CONNECTIONS / 2 } });
  },
  'stormlamp, MySQL and sessions': async () => {
    const { createCluster } = await import('../../dist/index.js');
    return async ({ mysql, sessions }) => {
      const cluster = await createCluster({ mysql: { ...mysql, pool: { max: CONNECTIONS / 2 } }, sessions });
      await cluster.sessions.load('a'.repeat(26));
      return cluster.mysql;
    };
  },
};

process.once('message', async (context) => {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const create = await CLIENTS[kind]();
  const importMs = performance.now() - from;
  const client = await create(context);
  await client.query(POINT, [1]);
  const firstRowMs = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all(Array.from({ length: 2 * CONNECTIONS }, (_, id) => client.query(POINT, [id])));
  await new Promise((done) => setTimeout(done, 200));
  globalThis.gc();
  const { rss, heapUsed } = process.memoryUsage();
  process.send({
    importMs,
    firstRowMs,
    cpuMs: (user + system) / 1000,
    heapMb: heapUsed / 1e6,
    rssMb: rss / 1e6,
  });
});
process.once('disconnect', () => process.exit());
