/** One peer of a contest: opens it when told, runs the rounds that it is told to run, and says what they cost. */
import { pathToFileURL } from 'node:url';

const [file, name] = process.argv.slice(2);
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
    case 'round':
      return { type: 'measured', ...(await round(peer.works[message.work], message)) };
    default: {
      const used = heapMb();
      await peer.close?.();
      return { type: 'closed', heapMb: used };
    }
  }
}

/** CPU of this process (its garbage collector included), throughput and latency of `calls` calls, `workers` at a time. */
async function round(call, { calls, workers }) {
  const latencies = new Float64Array(calls);
  let started = 0;
  const worker = async (index) => {
    while (started < calls) {
      const number = started;
      started += 1;
      const from = performance.now();
      await call(number, index);
      latencies[number] = performance.now() - from;
    }
  };
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const from = performance.now();
  await Promise.all(Array.from({ length: workers }, (_, index) => worker(index)));
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort();
  const at = (share) => latencies[Math.min(calls - 1, Math.floor(calls * share))] * 1000;
  return {
    cpuUs: (user + system) / calls,
    perSecond: calls / seconds,
    p50Us: at(0.5),
    p99Us: at(0.99),
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
