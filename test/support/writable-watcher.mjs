/**
 * Asks every server all the time, over its unix socket and past every fault, whether it takes writes. A process of its own, so that
 * it is late for nobody. Started by `WritableWatch`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';

const { nodes, user, password, everyMs } = JSON.parse(process.argv[2] ?? '{}');
/** One who does not answer for so long is asked on a new connection. */
const LIMIT_MS = 120_000;
const seen = new Map(nodes.map(({ id }) => [id, { looks: 0, isOpen: false, times: [] }]));

async function watch({ id, socketPath, sql }) {
  for (;;) {
    let connection;
    try {
      connection = await createConnection({ socketPath, user, password });
      connection.on('error', () => undefined);
      for (;;) {
        const [[row]] = await connection.query({ sql, timeout: LIMIT_MS });
        note(id, Number(row.writable) === 1, Number(row.at) * 1_000, Number(row.port));
        await sleep(everyMs);
      }
    } catch {
      // A server that is not there takes no writes.
      seen.get(id).isOpen = false;
      await sleep(everyMs);
    } finally {
      connection?.destroy();
    }
  }
}

/** Of a time in which it took writes the first and the last look are kept. */
function note(id, isWritable, at, port) {
  const own = seen.get(id);
  const last = own.times.at(-1);
  own.looks += 1;
  if (isWritable && own.isOpen && last.port === port) last.to = at;
  else if (isWritable) own.times.push({ from: at, to: at, port });
  own.isOpen = isWritable;
}

process.on('message', () => process.send(Object.fromEntries(seen)));
process.on('disconnect', () => process.exit(0));
process.send('ready');
await Promise.all(nodes.map(watch));
