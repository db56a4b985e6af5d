/** One peer of a contest: opens it when told, runs the rounds that it is told to run, and says what they cost. */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { pathToFileURL } from 'node:url';
import { sharesOf } from './cpu-profile.mjs';

const [file, name] = process.argv.slice(2);
/** How long the calls of a round took, one after the other: made once, so that rounds do not pay for it. */
const latencies = new Float64Array(500_000);
let peer;

process.on('message', (message) => {
  handle(message).then(
    (answer) => process.send(answer),
    (error) => process.send({ type: 'failed', reason: reasonOf(error) }),
  );
});
process.once('disconnect', () => process.exit());

async function handle(message) {
  switch (message.type) {
    case 'open': {
      const { peers } = await import(pathToFileURL(file).href);
      peer = await peers[name](message.context);
      return { type: 'opened', works: Object.keys(peer.works), heapMb: heapMb() };
    }
    case 'profile': {
      const profiler = await startProfiler();
      const measured = await round(peer.works[message.work], message);
      return { type: 'profiled', ...measured, ...sharesOf(await profiler.stop()) };
    }
    case 'round':
      return { type: 'measured', ...(await round(peer.works[message.work], message)) };
    default: {
      const used = heapMb();
      await peer.close?.();
      return { type: 'closed', heapMb: used };
    }
  }
}

/**
 * What `ms` of work cost, `workers` at a time. A function is called again and again: CPU of this process (its garbage
 * collector included), throughput and latency. A work that is done elsewhere has a `run` of its own, which says how many
 * calls there were and how long they took, and may say what CPU they cost.
 */
async function round(work, { ms, workers, warm }) {
  // No forced collection here: it would throw away code made for shapes of which no object lives at that moment.
  const cpu = process.cpuUsage();
  const kept = heldUp();
  const from = performance.now();
  const done = await (work.run === undefined
    ? repeat(work, { ms, workers, warm })
    : work.run({ ms, workers }));
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const [waitUs, taken] = heldUp().map((now, at) => (now - kept[at]) / done.calls);
  return { cpuUs: (user + system) / done.calls, perSecond: done.calls / seconds, waitUs, taken, ...done };
}

/** For how long the main thread has waited for a processor, in microseconds, and how often it was taken off one. */
function heldUp() {
  const [, waitNs = 0] = readFileSync('/proc/self/schedstat', 'latin1').split(' ').map(Number);
  const status = readFileSync('/proc/self/status', 'latin1');
  return [waitNs / 1000, Number(/nonvoluntary_ctxt_switches:\s*(\d+)/.exec(status)?.[1] ?? 0)];
}

async function repeat(call, { ms, workers, warm }) {
  const start = performance.now();
  // The engine learns while it runs: on a busy machine it is given the time that others took.
  const cpu = process.cpuUsage();
  const isOver = (now) => {
    if (now - start < ms) return false;
    const { user, system } = process.cpuUsage(cpu);
    return !warm || (user + system) / 1000 > ms / 2 || now - start > 5 * ms;
  };
  let calls = 0;
  const worker = async (index) => {
    let from = start;
    while (!isOver(from) && calls < latencies.length) {
      const number = calls;
      calls += 1;
      await call(number, index);
      const now = performance.now();
      latencies[number] = now - from;
      from = now;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, index) => worker(index)));
  const sorted = latencies.slice(0, calls).sort();
  const at = (share) => sorted[Math.min(calls - 1, Math.floor(calls * share))] * 1000;
  return { calls, p50Us: at(0.5), p99Us: at(0.99) };
}

async function startProfiler() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  return {
    stop: async () => {
      const { profile } = await session.post('Profiler.stop');
      session.disconnect();
      return profile;
    },
  };
}

function heapMb() {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

function reasonOf(error) {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
