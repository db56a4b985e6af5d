/** The page beside a journal that cannot be read: it lies on servers that do not answer. */
import { createServer } from 'node:http';
import { expect, test, vi } from 'vitest';
import { dashboard } from '../../../src/dashboard/index.js';
import { fakeCluster } from '../../../src/testing/index.js';

test('a plan that is confirmed twice is not said to have done nothing', async () => {
  await using fake = await fakeCluster();
  const page = dashboard(fake.cluster, { allowActions: true });
  const server = createServer(page);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  try {
    const [, token = ''] = /data-token="([^"]*)"/.exec(await (await fetch(url)).text()) ?? [];
    const post = async (path: string, body: object): Promise<[number, string]> => {
      const headers = { 'x-stormlamp-token': token };
      const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return [answer.status, await answer.text()];
    };
    const [, plan] = await post('/plan', { action: 'isolate', node: 'db2:3306' });
    const { id } = JSON.parse(plan) as { id: string };
    expect((await post('/confirm', { plan: id }))[0]).toBe(200);
    expect(await post('/confirm', { plan: id })).toEqual([
      409,
      'This plan was confirmed before, and carried out or begun: the page shows what it has come to.',
    ]);
    expect(await post('/confirm', { plan: 'another' })).toEqual([
      409,
      expect.stringContaining('Nothing was done'),
    ]);
  } finally {
    page.close();
    server.closeAllConnections();
    server.close();
  }
});

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
