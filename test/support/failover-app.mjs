/**
 * One application process: writes as fast as it is told, notes what it was told of every write, and makes changes of the primary
 * when it is asked to. Started by `AppFleet`.
 */
import { appendFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster, isStormlampError } from '../../dist/index.js';

const {
  name,
  mysql,
  failover,
  writers,
  pauseMs,
  journal,
  hooks = {},
  killAt,
  ways = [],
} = JSON.parse(process.argv[2] ?? '{}');
const clock = () => performance.timeOrigin + performance.now();
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

const readyHooks = {};
for (const [hook, answer] of Object.entries(hooks)) {
  readyHooks[hook] = ({ opId, plan, from, to, epoch, outageMs }) => {
    send({
      event: 'hook',
      at: clock(),
      detail: { hook, opId: opId ?? plan?.opId, from, to, epoch, outageMs },
    });
    // A hook that hangs never answers.
    return answer === 'hang' ? new Promise(() => undefined) : answer;
  };
}

const cluster = await start();
const manager = cluster.failover;
manager.on('change-step', ({ step, phase }) => {
  // As when the power goes: nothing is told, nothing is closed.
  if (killAt?.step === step.id.split('@')[0] && killAt.phase === phase) process.kill(process.pid, 'SIGKILL');
});
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

let stopping = false;
let held = false;
let underWay = 0;
const loops = Array.from({ length: writers }, (_, index) => writer(`${name}.${index}`));
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
    const until = performance.now() + ms;
    while (performance.now() < until);
  },
  shiftClock: (ms) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + ms;
  },
  preflight: () => manager.preflight(),
  hold: async () => {
    held = true;
    while (underWay > 0) await sleep(5);
  },
  go: () => {
    held = false;
  },
  async stop() {
    held = false;
    stopping = true;
    await Promise.all(loops);
  },
  async close() {
    stopping = true;
    await Promise.all(loops);
    await cluster.close();
    setImmediate(() => process.disconnect());
  },
};

async function writer(me) {
  for (let number = 0; !stopping; number += 1) {
    while (held && !stopping) await sleep(5);
    const id = `${me}.${number}`;
    const began = clock();
    underWay += 1;
    note(`b ${id} ${began}`);
    try {
      if (number % 4 === 3) {
        await cluster.mysql.transaction(async (connection) => {
          await connection.query('INSERT INTO ledger (id, part) VALUES (?, 1)', [id]);
          await connection.query('INSERT INTO ledger (id, part) VALUES (?, 2)', [id]);
        });
      } else await cluster.mysql.query('INSERT INTO ledger (id, part) VALUES (?, 1)', [id]);
      note(`a ${id} ${began} ${clock()} ${number % 4 === 3 ? 2 : 1}`);
    } catch (error) {
      const unknown = isUnknown(error);
      note(`${unknown ? 'u' : 'r'} ${id} ${began} ${clock()} ${error.code ?? error.message}`);
      // Who is refused does not hammer.
      await sleep(50);
    }
    underWay -= 1;
    if (pauseMs > 0) await sleep(pauseMs);
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
