// A CommonJS application: `require` gives the same package.
const { createCluster } = require('stormlamp');

async function main() {
  const cluster = await createCluster();
  const [rows] = await cluster.mysql.query('SELECT COUNT(*) AS items FROM cart');
  console.log(`${rows[0].items >= 0 ? 'counted' : 'lost'} the items`);
  await cluster.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
