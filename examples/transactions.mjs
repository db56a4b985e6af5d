// Transactions: all or nothing, run again after a deadlock or a change of the primary, savepoints, read-only ones on a replica.
import { createCluster, isStormlampError } from 'stormlamp';

const cluster = await createCluster();
const { mysql } = cluster;

await mysql.transaction(async (tx) => {
  await tx.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', ['bob', 'lamp']);
  // A transaction in a transaction is a savepoint: this part is taken back alone.
  await mysql
    .transaction(async (inner) => {
      await inner.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', ['bob', 'candle']);
      throw new Error('sold out');
    })
    .catch((error) => console.log(`without the candle: ${error.message}`));
});

const items = await mysql.transaction(
  async (tx) => {
    const [rows] = await tx.query("SELECT item FROM cart WHERE owner = 'bob'");
    return rows.map(({ item }) => item);
  },
  { readOnly: true, after: await mysql.token() }, // on a replica that has the write
);
console.log(`bob's cart: ${items.join(', ')}`);

// The one error that nobody can decide for you: the connection was lost during COMMIT.
try {
  await mysql.transaction((tx) => tx.execute("DELETE FROM cart WHERE owner = 'bob'"), { timeoutMs: 5_000 });
} catch (error) {
  if (!isStormlampError(error, 'ERR_OUTCOME_UNKNOWN')) throw error;
  console.log('look in the database whether it happened');
}
await cluster.close();
