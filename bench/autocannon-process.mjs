/** Sends an application its requests from a process of its own, so that the client's CPU is not counted as the server's. */
import autocannon from 'autocannon';

process.on('message', async ({ url, cookies, connections, ms }) => {
  let next = 0;
  const result = await autocannon({
    url,
    connections,
    duration: ms / 1000,
    sampleInt: ms,
    // Every connection is a user: one request after the other, all in the same session.
    setupClient: (client) => {
      if (cookies.length === 0) return;
      client.setHeaders({ cookie: cookies[next % cookies.length] });
      next += 1;
    },
  });
  process.send({
    calls: result['2xx'],
    failed: result.non2xx + result.errors + result.timeouts,
    p50Us: result.latency.p50 * 1000,
    p99Us: result.latency.p99 * 1000,
  });
});
process.once('disconnect', () => process.exit());
