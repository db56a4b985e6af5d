// Told when the primary changes: hooks are awaited and may do things, events only tell.
import { createCluster } from 'stormlamp';

const cluster = await createCluster({
  mysql: {
    primary: process.env.STORMLAMP_MYSQL_PRIMARY,
    replicas: process.env.STORMLAMP_MYSQL_REPLICAS.split(','),
  },
  failover: {
    mode: 'follow', // somebody else promotes, as a DBA does
    hooks: {
      onDetected: ({ kind, because }) => console.log(`trouble: ${kind}: ${because}`),
      afterPromote: async ({ from, to, epoch }) => {
        // The place to tell service discovery, DNS or a load balancer; `epoch` only grows.
        console.log(`promoted: ${from} -> ${to}, epoch ${epoch}`);
      },
      afterFailover: ({ outageMs }) =>
        console.log(`done: no writes for ${outageMs > 0 ? 'a moment' : '0 ms'}`),
    },
  },
});
cluster.failover.on('primary-lost', ({ node, kind }) => console.log(`lost: ${node} (${kind})`));
console.log('watching');

process.once('SIGTERM', () => cluster.close());
