// A cache in the process over one on memcached, which PHP's Memcached class reads, too.
import { createCluster } from 'stormlamp';

const cluster = await createCluster({
  mysql: {
    primary: process.env.STORMLAMP_MYSQL_PRIMARY,
    replicas: process.env.STORMLAMP_MYSQL_REPLICAS.split(','),
  },
  cache: { nodes: process.env.STORMLAMP_MEMCACHED.split(',') }, // in production not those of the sessions
});

let queries = 0;
async function itemsOf(owner) {
  return cluster.cache.wrap(
    `items:${owner}`,
    async () => {
      queries += 1;
      // A replica that has not got the change yet would give everybody the old value, until its life is over.
      const [rows] = await cluster.mysql.query({
        sql: 'SELECT item FROM cart WHERE owner = ?',
        values: [owner],
        preference: 'primary',
      });
      return rows.map(({ item }) => item);
    },
    { ttlMs: 60_000, tags: [`owner:${owner}`] },
  );
}

// However many ask at once, here or on other machines, one makes the value.
await Promise.all(Array.from({ length: 50 }, () => itemsOf('carol')));
console.log(`50 readers, ${queries} query`);

await cluster.mysql.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', ['carol', 'lamp']);
await cluster.cache.invalidateTags(['owner:carol']);
console.log(`after the change: ${await itemsOf('carol')}`);
await cluster.close();
