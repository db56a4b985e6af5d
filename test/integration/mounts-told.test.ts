/** Mounts that are full or read-only, on real file systems: everybody who is asked says so. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkSessions } from '../../src/cli/doctor/check-sessions.js';
import { lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { dashboard } from '../../src/dashboard/index.js';
import { health } from '../../src/express/index.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { storeMetrics } from '../../src/telemetry/store-metrics.js';
import { eventually } from './eventually.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

let room: MountRoom;
let a: FaultyMount;
let b: FaultyMount;
let cluster: Cluster;
let sessions: { mounts: string[]; monitorIntervalMs: number };
let url: string;
let close: () => Promise<void>;

beforeEach(async () => {
  room = await MountRoom.open();
  [a, b] = [await room.add('a', '400k'), await room.add('b', '400k')];
  sessions = { mounts: [a.path, b.path], monitorIntervalMs: 100 };
  cluster = (await createCluster({ sessions })) as unknown as Cluster;
  const page = dashboard(cluster);
  const ready = health(cluster, { needs: ['sessions'] });
  const server: Server = createServer((request, response) =>
    request.url === '/readyz' ? ready(request, response) : page(request, response),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  close = async () => {
    page.close();
    server.closeAllConnections();
    server.close();
    await cluster.close();
    await room.close();
  };
});
afterEach(() => close());

async function problems(): Promise<readonly string[]> {
  const state = (await (await fetch(`${url}/state.json`)).json()) as {
    readonly problems: readonly { readonly severity: string; readonly text: string }[];
  };
  return state.problems.map(({ severity, text }) => `${severity} ${text}`);
}
function gauge(name: string): readonly number[] {
  return (
    storeMetrics
      .find((metric) => metric.name === name)
      ?.read(cluster)
      .map(({ value }) => value) ?? []
  );
}
const writable = (): readonly number[] => gauge('stormlamp_session_node_writable');
async function judged(): Promise<readonly string[]> {
  const checks = await checkSessions(sessions);
  return checks
    .filter(({ what }) => what === 'takes writes')
    .map(({ state, subject, found }) => `${state} ${subject} ${found}`);
}

test('the live page, the metric, readiness, status and the doctor', async () => {
  expect([await problems(), writable(), (await fetch(`${url}/readyz`)).status]).toEqual([[], [1, 1], 200]);
  await a.fill();
  await eventually('it is told', async () => (await problems()).length === 1);
  expect(await problems()).toEqual([
    `warning Session node ${a.path} takes no writes (full): sessions have a copy less`,
  ]);
  expect([writable(), (await fetch(`${url}/readyz`)).status]).toEqual([[0, 1], 200]);

  await b.readOnly();
  await eventually('nothing can be saved', async () => (await problems()).length === 2);
  expect(await problems()).toEqual([
    `critical Session node ${a.path} takes no writes (full), nor does another one: no session can be saved`,
    `critical Session node ${b.path} takes no writes (read-only), nor does another one: no session can be saved`,
  ]);
  const answer = await fetch(`${url}/readyz`);
  expect([writable(), answer.status, await answer.json()]).toEqual([
    [0, 0],
    503,
    expect.objectContaining({ sessions: false, because: ['no session node takes writes'] }),
  ]);
  const report = await lookAtCluster({ options: { sessions }, source: 'a test' });
  expect([report.ok, problemsOf(report)]).toEqual([
    false,
    [
      expect.stringMatching(/\/a takes no sessions \(impaired: full\): ENOSPC/),
      expect.stringMatching(/\/b takes no sessions \(impaired: read-only\): EROFS/),
    ],
  ]);
  expect(await judged()).toEqual([
    expect.stringMatching(/^failed .*\/a full: ENOSPC/),
    expect.stringMatching(/^failed .*\/b read-only: EROFS/),
  ]);

  await a.empty();
  await b.writable();
  await eventually('all is well again', async () => (await problems()).length === 0);
  expect([writable(), (await fetch(`${url}/readyz`)).status]).toEqual([[1, 1], 200]);
  expect((await lookAtCluster({ options: { sessions }, source: 'a test' })).ok).toBe(true);
});

test('a mount that is being filled is read by nobody, and alone it is of no use', async () => {
  const mark = join(b.path, '.stormlamp/mount.json');
  const marked: object = JSON.parse(await readFile(mark, 'utf8'));
  await writeFile(mark, JSON.stringify({ ...marked, filled: false }));
  await eventually('it is told', async () => (await problems()).length === 1);
  expect(await problems()).toEqual([
    `warning Session node ${b.path} is being filled: it answers no reads until it has the sessions of the others`,
  ]);
  expect([gauge('stormlamp_session_node_up'), writable()]).toEqual([
    [1, 0],
    [1, 1],
  ]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);

  await a.unmount();
  await eventually('the other one is gone', async () => (await problems()).length === 2);
  const session = cluster.sessions.create();
  session.data['user'] = 'ada';
  await expect(cluster.sessions.save(session)).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  await expect(cluster.sessions.load(session.id)).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  expect((await problems()).every((problem) => problem.startsWith('critical '))).toBe(true);
  expect([gauge('stormlamp_session_node_up'), writable()]).toEqual([
    [0, 0],
    [0, 0],
  ]);
  const answer = await fetch(`${url}/readyz`);
  expect([answer.status, await answer.json()]).toEqual([
    503,
    expect.objectContaining({ because: ['no session node answers'] }),
  ]);
  await a.mount();
});
