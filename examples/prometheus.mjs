// The metrics of the cluster beside those of the process, for Prometheus and docs/grafana-dashboard.json.
import { createServer } from 'node:http';
import { collectDefaultMetrics, register } from 'prom-client';
import { createCluster } from 'stormlamp';
import { prometheusMetrics } from 'stormlamp/prometheus';

const cluster = await createCluster();
collectDefaultMetrics();
const metrics = prometheusMetrics(cluster, { register });

const server = createServer(async (req, res) => {
  try {
    if (req.url === '/metrics') {
      res.setHeader('content-type', register.contentType);
      return res.end(await register.metrics());
    }
    const [rows] = await cluster.mysql.query('SELECT COUNT(*) AS n FROM cart');
    res.end(`${rows[0].n} items\n`);
  } catch (error) {
    res.writeHead(500).end(); // this request fails, not the process
    console.error(error);
  }
});
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);

process.once('SIGTERM', async () => {
  server.close();
  metrics.close();
  await cluster.close();
});
