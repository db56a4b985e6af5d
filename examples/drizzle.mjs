// Drizzle: the cluster is its client.
import { eq } from 'drizzle-orm';
import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { drizzle } from 'drizzle-orm/mysql2';
import { createCluster } from 'stormlamp';

const cart = mysqlTable('cart', {
  id: int().autoincrement().primaryKey(),
  owner: varchar({ length: 50 }),
  item: varchar({ length: 50 }),
});

const cluster = await createCluster();
const db = drizzle({ client: cluster.mysql });

await cluster.mysql.run({}, async () => {
  await db.insert(cart).values({ owner: 'drizzle', item: 'lamp' });
  const { owner, item } = cart;
  console.log(await db.select({ owner, item }).from(cart).where(eq(owner, 'drizzle')));
});
await cluster.close();
