/** The negative control: PHP's own handler on two nodes with a replica, through the same faults, and what Node's store makes of them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

const COUNT = 100;
const NATIVE = {
  'memcached.sess_number_of_replicas': '1',
  'memcached.sess_remove_failed_servers': '1',
  'memcached.sess_server_failure_limit': '1',
};

let servers: LocalCluster;
beforeEach(async () => {
  servers = await startLocalCluster({ databases: false });
});
afterEach(async () => {
  await servers.close();
});

interface Fault {
  readonly name: string;
  /** Does something to the nodes; `settle` waits for what a store may have to do, `visit` uses every session once. */
  run(settle: () => Promise<unknown>, visit: () => Promise<unknown>): Promise<void>;
}

const restart = async (index: number): Promise<void> => {
  await servers.memcached[index]?.kill();
  await servers.memcached[index]?.start();
};

const FAULTS: readonly Fault[] = [
  { name: 'one node restarts empty', run: async () => restart(0) },
  {
    name: 'one node restarts empty, everybody visits, then the other one restarts',
    async run(settle, visit) {
      await restart(0);
      await settle();
      await visit();
      await restart(1);
    },
  },
  {
    name: 'one node is away while everybody visits, and comes back empty',
    async run(settle, visit) {
      await servers.memcached[0]?.kill();
      await visit();
      await servers.memcached[0]?.start();
      await settle();
    },
  },
];

async function native(mode: 'write' | 'visit'): Promise<number> {
  const script = `<?php error_reporting(0); $kept = 0;
    for ($i = 0; $i < ${COUNT}; $i++) {
      session_id(sprintf('native%020d', $i));
      if (!@session_start()) continue;
      ${mode === 'write' ? "$_SESSION['user'] = $i;" : "if (isset($_SESSION['user'])) { $kept++; $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1; }"}
      session_write_close(); $_SESSION = [];
    }
    echo $kept;`;
  const { stdout } = await servers.php(script, { ini: NATIVE });
  return Number(stdout.trim().split('\n').at(-1));
}

async function node(store: SessionStore, mode: 'write' | 'visit'): Promise<number> {
  let kept = 0;
  for (let index = 0; index < COUNT; index += 1) {
    const session = await store.load(`node${String(index).padStart(22, '0')}`);
    if (mode === 'write') session.data['user'] = index;
    else if (session.data['user'] === index) {
      kept += 1;
      session.data['visits'] = Number(session.data['visits'] ?? 0) + 1;
    }
    await store.save(session);
  }
  return kept;
}

test.each(FAULTS)('$name', async (fault) => {
  await native('write');
  await fault.run(
    () => Promise.resolve(),
    () => native('visit'),
  );
  const php = await native('visit');
  for (const each of servers.memcached) if (!each.running) await each.start();
  await using store = await createSessionStore({
    nodes: servers.memcached.map(({ id }) => id),
    monitorIntervalMs: 200,
  });
  await node(store, 'write');
  await fault.run(
    () => store.resync(),
    () => node(store, 'visit'),
  );
  const ours = await node(store, 'visit');
  console.log(JSON.stringify({ fault: fault.name, sessions: COUNT, keptByPhp: php, keptByNode: ours }));
  expect(ours).toBe(COUNT);
  // What this is the control of: the faults do destroy sessions.
  expect(php).toBeLessThan(COUNT);
});
