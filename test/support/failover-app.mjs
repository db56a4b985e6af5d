/**
 * One application process: writes and reads as fast as it is told, notes what it was told of every write and shown by every read, and
 * makes changes of the primary when it is asked to. Started by `AppFleet`.
 */
import { appendFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster, isStormlampError } from '../../dist/index.js';
import { answeringHooks } from './answering-hooks.mjs';
import { endAt } from './end-at.mjs';
import { startReaders } from './failover-readers.mjs';

const {
  name,
  mysql,
  failover,
  writers,
  readers = {},
  pauseMs,
  journal,
  hooks = {},
  killAt,
  ways = [],
} = JSON.parse(process.argv[2] ?? '{}');
const monotonic = performance.now.bind(performance);
const clock = () => performance.timeOrigin + monotonic();
const note = (line) => appendFileSync(journal, `${line}\n`);
const send = (message) => process.connected && process.send(message);

for (const { port, path } of ways) {
  const server = createServer((near) => {
    const far = connect(path);
    near.pipe(far);
    far.pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  server.unref();
}

/** As whoever supervises a service does: on a machine that is too busy to answer in time it is started again. */
async function start() {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await createCluster({ mysql, failover: { ...failover, hooks: readyHooks } });
    } catch (error) {
      if (attempt === 10 || !isStormlampError(error)) throw error;
      await sleep(500);
    }
  }
}

const readyHooks = answeringHooks(hooks, (detail) => send({ event: 'hook', at: clock(), detail }));
const cluster = await start();
const manager = cluster.failover;
if (killAt !== undefined) endAt(manager, killAt);
for (const event of [
  'lease-gained',
  'lease-lost',
  'change-done',
  'failover-blocked',
  'node-diverged',
  'rebuild-needed',
  'leadership-changed',
]) {
  manager.on(event, (detail) => send({ event, at: clock(), detail: plain(detail) }));
}
cluster.mysql.on('primary-changed', (detail) =>
  send({ event: 'primary-changed', at: clock(), detail: plain(detail) }),
);
manager.on('change-step', ({ step, phase, detail }) =>
  send({ event: 'step', at: clock(), detail: { id: step.id, phase, detail } }),
);
manager.on('change-started', ({ plan }) => send({ event: 'change-started', at: clock(), detail: plan }));
manager.on('change-aborted', ({ plan, at, error, clusterState }) =>
  send({
    event: 'change-aborted',
    at: clock(),
    detail: { kind: plan.kind, step: at, message: error.message, clusterState },
  }),
);
manager.on('statement', ({ node, sql, outcome }) =>
  send({ event: 'statement', at: clock(), detail: { node, sql, outcome } }),
);

/** What keeps writers and readers from going on. */
const gate = {
  stopping: false,
  held: false,
  underWay: 0,
  async passed() {
    while (this.held && !this.stopping) await sleep(5);
  },
};
const loops = [
  ...Array.from({ length: writers }, (_, index) => writer(`${name}.${index}`)),
  ...startReaders({
    me: name,
    mysql: cluster.mysql,
    counts: readers,
    write: (id) => write(id, false),
    gate,
    clock,
    note: (line) => appendFileSync(`${journal}.reads`, `${line}\n`),
    pauseMs,
  }),
];
process.on('message', async ({ id, command, argument }) => {
  try {
    send({ id, result: plain(await commands[command](argument)) });
  } catch (error) {
    send({ id, error: { code: error.code, message: error.message } });
  }
});
send({ event: 'ready', at: clock(), detail: {} });

const commands = {
  switchover: (options) => manager.switchover(options),
  failover: (options) => manager.failover(options),
  rejoin: (node) => manager.rejoin(node),
  plan: ({ kind, to }) => manager.plan(kind, to),
  history: (count) => manager.history(count),
  acknowledge: ({ opId, who }) => manager.acknowledge(opId, who),
  state: () => manager.state,
  block: (ms) => {
    const until = monotonic() + ms;
    while (monotonic() < until);
  },
  shiftClock: (ms) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + ms;
  },
  hideStops: () => {
    // As on a virtual machine that is suspended: the monotonic clock stands still with it.
    let [last, hidden] = [monotonic(), 0];
    performance.now = () => {
      const real = monotonic();
      if (real - last > 2_000) hidden += real - last;
      last = real;
      return real - hidden;
    };
  },
  preflight: () => manager.preflight(),
  hold: async () => {
    gate.held = true;
    while (gate.underWay > 0) await sleep(5);
  },
  go: () => {
    gate.held = false;
  },
  async stop() {
    gate.held = false;
    gate.stopping = true;
    await Promise.all(loops);
  },
  async close() {
    gate.stopping = true;
    await Promise.all(loops);
    await cluster.close();
    setImmediate(() => process.disconnect());
  },
};

async function writer(me) {
  for (let number = 0; !gate.stopping; number += 1) {
    await gate.passed();
    gate.underWay += 1;
    // Who is refused does not hammer.
    if ((await write(`${me}.${number}`, number % 4 === 3)) === 0) await sleep(50);
    gate.underWay -= 1;
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

/** Writes one row, or two in a transaction, each with the server that took it; how many were acknowledged. */
async function write(id, isTransaction) {
  const insert = (connection, part) =>
    connection.query('INSERT INTO ledger (id, part, port) VALUES (?, ?, @@port)', [id, part]);
  const rows = isTransaction ? 2 : 1;
  const began = clock();
  note(`b ${id} ${began}`);
  try {
    if (isTransaction) {
      await cluster.mysql.transaction(async (connection) => {
        await insert(connection, 1);
        await insert(connection, 2);
      });
    } else await insert(cluster.mysql, 1);
    note(`a ${id} ${began} ${clock()} ${rows}`);
    return rows;
  } catch (error) {
    note(`${isUnknown(error) ? 'u' : 'r'} ${id} ${began} ${clock()} ${error.code ?? error.message}`);
    return 0;
  }
}

function isUnknown(error) {
  for (let depth = 0, cause = error; depth < 8 && cause instanceof Error; depth += 1, cause = cause.cause) {
    if (isStormlampError(cause, 'ERR_OUTCOME_UNKNOWN')) return true;
  }
  return false;
}

function plain(value) {
  if (value === undefined) return null;
  return JSON.parse(
    JSON.stringify(value, (_, each) =>
      each instanceof Error ? { code: each.code, message: each.message } : each,
    ),
  );
}
