// Knex: `connectionPool` gives it the cluster in place of its own pool, which would keep connections for itself.
import knex from 'knex';
import { createCluster } from 'stormlamp';

const cluster = await createCluster();
const db = knex({ client: 'mysql2', version: '8.0', connectionPool: cluster.mysql.callbackPool() });

await cluster.mysql.run({}, async () => {
  await db('cart').insert({ owner: 'knex', item: 'lamp' });
  const rows = await db('cart').select('owner', 'item').where({ owner: 'knex' });
  console.log(rows.map((row) => ({ ...row })));
});
await cluster.close();
