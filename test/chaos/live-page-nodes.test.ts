/** The live page of a cluster of hundreds of nodes: it is drawn in time, and what matters is seen. */
import { EventEmitter } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyCluster } from '../../src/cluster-readiness.js';
import { dashboard } from '../../src/dashboard/index.js';
import { eventually } from '../integration/eventually.js';
import { Chromium } from '../support/chromium.js';

const NODES = 500;
/** Of these, every hundredth is down, and replicas follow one of ten relays. */
const ids = Array.from({ length: NODES }, (_, at) => `db${at}.example.com:3306`);
let looks = 0;

function madeUpCluster(): AnyCluster {
  const isDown = (at: number): boolean => at > 0 && at % 100 === 0;
  const seed = (id: string) => ({ id, address: { host: id, port: 3306 }, configuredRole: 'any', weight: 1 });
  const nodes = () => {
    looks += 1;
    const now = performance.now();
    return ids.map((id, at) =>
      isDown(at)
        ? { ...seed(id), state: 'down', failure: 'refused', error: new Error('refused'), lastRole: 'replica' }
        : {
            ...seed(id),
            state: 'up',
            role: at === 0 ? 'primary' : 'replica',
            facts: { flavor: 'mariadb', version: '11.8.3', readOnly: at > 0, channels: [], gtid: '' },
            lag: at === 0 ? null : { ms: at, at: now },
            latencyMs: 1 + (at % 7),
            seenAt: now,
            upstream: at === 0 ? [] : at <= 10 ? [ids[0]] : [ids[1 + (at % 10)], ids[0]],
          },
    );
  };
  const phases = { connect: { phase: 'closed' }, read: { phase: 'closed' }, write: { phase: 'closed' } };
  const topology = () => ({
    epoch: 1,
    nodes: nodes(),
    writer: { kind: 'primary', node: ids[0] },
    warnings: [],
  });
  const stats = () =>
    ids.map((node, at) => ({
      node,
      pool: { total: 3, idle: 3, borrowed: 0, waiting: 0, max: 10 },
      inFlight: 0,
      reads: looks * at,
      writes: at === 0 ? looks * 10 : 0,
      faults: 0,
      breakers: phases,
    }));
  const failover = Object.assign(new EventEmitter(), {
    state: {
      mode: 'follow',
      epoch: 1,
      failure: null,
      because: '',
      tilted: false,
      failover: { warranted: false },
      nodes: ids.map((node, at) => ({
        node,
        suspicion: isDown(at) ? 'down' : 'up',
        because: isDown(at) ? `${node} refuses connections` : '',
      })),
    },
    history: () => Promise.resolve([]),
  });
  const readFitness = () => ({ serves: true, unfit: [], mayChange: false });
  const mysql = Object.assign(new EventEmitter(), { topology, stats, readFitness });
  return { mysql, failover, topology } as unknown as AnyCluster;
}

let browser: Chromium;
let server: Server;
let url: string;
beforeAll(async () => {
  browser = await Chromium.start();
  const page = dashboard(madeUpCluster(), { title: 'Shop' });
  server = createServer(page);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}, 1_800_000);
afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

test('all nodes are in the table, the drawing shows those with problems and stays readable, and little is sent', async () => {
  await browser.open(url);
  await eventually(
    'it was drawn some times',
    async () => Number(await browser.evaluate('document.body.dataset.drawn')) >= 5,
  );
  const seen = (await browser.evaluate(`(() => {
    const from = performance.now();
    for (let n = 0; n < 5; n += 1) draw();
    const drawMs = (performance.now() - from) / 5;
    const svg = document.querySelector('#topology-drawing svg');
    return {
      drawMs,
      width: svg.viewBox.baseVal.width,
      drawn: [...svg.querySelectorAll('text[font-weight]')].map(({ textContent }) => textContent),
      rows: document.querySelectorAll('#topology-table tbody tr').length,
      lines: document.querySelectorAll('#chart-reads > svg path').length,
      text: document.querySelector('#topology-drawing').innerText,
      isWide: document.documentElement.scrollWidth > innerWidth,
    };
  })()`)) as Record<string, unknown>;
  const bytes = (await (await fetch(`${url}state.json`)).text()).length;
  console.log(
    `${NODES} nodes: a picture is drawn in ${Math.round(seen['drawMs'] as number)} ms from ${bytes} bytes`,
  );
  expect(seen).toMatchObject({ rows: NODES, lines: 3, isWide: false });
  expect(seen['drawn']).toHaveLength(30);
  expect(seen['drawn']).toEqual(expect.arrayContaining([ids[0], ids[100], ids[200], ids[300], ids[400]]));
  expect(seen['width']).toBeLessThan(1_500);
  expect(seen['text']).toContain('And 470 more');
  expect(bytes).toBeLessThan(1_000 * NODES);
});
