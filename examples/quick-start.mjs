// A write on the primary, reads on the replicas, and a session that PHP can read.
import { createCluster } from 'stormlamp';

const cluster = await createCluster();
cluster.mysql.on('route', ({ sql, role, because }) => console.log(`${role}: ${sql} (${because})`));

await cluster.mysql.run({}, async () => {
  await cluster.mysql.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', ['ada', 'lamp']);
  const [rows] = await cluster.mysql.query('SELECT item FROM cart WHERE owner = ?', ['ada']);
  console.log(`ada's cart: ${rows.map(({ item }) => item).join(', ')}`);
});

const session = cluster.sessions.create();
session.data.user = { name: 'ada' };
const { copies } = await cluster.sessions.save(session);
console.log(`session ${session.id} has ${copies.length} copies`);

await cluster.close();
