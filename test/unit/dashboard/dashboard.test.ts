/** The page beside a journal that cannot be read: it lies on servers that do not answer. */
import { createServer } from 'node:http';
import { expect, test, vi } from 'vitest';
import { dashboard } from '../../../src/dashboard/index.js';
import { fakeCluster } from '../../../src/testing/index.js';

test('shows the state without it, and leaves nothing when it is closed meanwhile', async () => {
  await using fake = await fakeCluster();
  const { cluster } = fake;
  let answer: (() => void) | undefined;
  const history = vi.spyOn(cluster.failover, 'history').mockImplementation(
    () =>
      new Promise((resolve) => {
        answer = () => resolve([]);
      }),
  );
  const routes = cluster.mysql.listenerCount('route');
  const page = dashboard(cluster);
  const server = createServer(page);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  try {
    const stream = await fetch(`${url}/events`);
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('event: state')) text += (await reader?.read())?.value ?? '';
    expect(history).toHaveBeenCalledTimes(1);
    expect(await (await fetch(`${url}/state.json`)).json()).toMatchObject({ nodes: expect.any(Array) });
    page.close();
    answer?.();
    while ((await reader?.read())?.done !== true);
    await vi.waitFor(() => expect(cluster.mysql.listenerCount('route')).toBe(routes));
    expect((await fetch(`${url}/events`)).status).toBe(503);
    expect(cluster.mysql.listenerCount('route')).toBe(routes);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
