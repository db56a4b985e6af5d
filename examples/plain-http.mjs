// PHP's session without any framework.
import { createServer } from 'node:http';
import { createCluster } from 'stormlamp';
import { loadSession } from 'stormlamp/express';

const cluster = await createCluster();
const server = createServer(async (req, res) => {
  try {
    const http = await loadSession(cluster, req, res);
    http.session.visits = (http.session.visits ?? 0) + 1;
    await http.save(); // before the first byte: this sets the cookie
    res.end(`visit ${http.session.visits}\n`);
  } catch (error) {
    res.writeHead(500).end();
    console.error(error);
  }
});
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);
