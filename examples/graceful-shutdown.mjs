// On SIGTERM: not ready any more, the requests under way are answered, then the connections are closed.
import { createServer } from 'node:http';
import { createCluster } from 'stormlamp';
import { health } from 'stormlamp/express';

const cluster = await createCluster();
const probes = health(cluster);
let stopping = false;

const server = createServer((req, res) => {
  if (stopping) res.setHeader('connection', 'close'); // or the server waits for a prober that keeps its connection
  if (stopping && req.url === '/readyz') return res.writeHead(503).end('stopping');
  probes(req, res, async () => {
    try {
      const [rows] = await cluster.mysql.query('SELECT SLEEP(?) AS slept, COUNT(*) AS n FROM cart', [0.5]);
      if (stopping) res.setHeader('connection', 'close'); // of what was under way before, too
      res.end(`counted ${rows[0].n}`);
    } catch (error) {
      res.writeHead(500).end(); // this request fails, not the process
      console.error(error);
    }
  });
});
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);

process.once('SIGTERM', async () => {
  stopping = true;
  // Behind a load balancer, wait here until it has seen /readyz fail.
  await new Promise((closed) => {
    server.close(closed);
    server.closeIdleConnections();
  });
  await cluster.close(); // waits for statements and saves that are under way
  console.log('stopped');
});
