// TypeORM: its mysql driver makes its pool with a function that we give it.
import { createCluster } from 'stormlamp';
import { DataSource, EntitySchema } from 'typeorm';

const Cart = new EntitySchema({
  name: 'cart',
  columns: {
    id: { type: Number, primary: true, generated: true },
    owner: { type: String },
    item: { type: String },
  },
});

const cluster = await createCluster();
const source = new DataSource({
  type: 'mysql',
  database: 'shop',
  driver: { createPool: () => cluster.mysql.callbackPool() },
  entities: [Cart],
});
await source.initialize();

await cluster.mysql.run({}, async () => {
  const carts = source.getRepository(Cart);
  await carts.save({ owner: 'typeorm', item: 'lamp' });
  const rows = await carts.find({ where: { owner: 'typeorm' }, select: { owner: true, item: true } });
  console.log(rows.map((row) => ({ ...row })));
});
await source.destroy(); // closes the cluster's pool
await cluster.close();
