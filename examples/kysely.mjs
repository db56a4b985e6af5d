// Kysely: writes go to the primary and reads to the replicas, with nothing but another pool.
import { Kysely, MysqlDialect } from 'kysely';
import { createCluster } from 'stormlamp';

const cluster = await createCluster();
const db = new Kysely({ dialect: new MysqlDialect({ pool: cluster.mysql.callbackPool() }) });

await cluster.mysql.run({}, async () => {
  await db.insertInto('cart').values({ owner: 'kysely', item: 'lamp' }).execute();
  console.log(await db.selectFrom('cart').select(['owner', 'item']).where('owner', '=', 'kysely').execute());
});
await cluster.close();
