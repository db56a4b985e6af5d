/** A process with a session store that fills nodes, and tells its parent when it has filled one. */
import { createSessionStore } from '../../dist/index.js';

const store = await createSessionStore(JSON.parse(process.argv[2]));
process.on('message', ({ node }) => {
  let cpu = process.cpuUsage();
  let startedAt = Date.now();
  const failures = [];
  store.on('resync-started', () => {
    cpu = process.cpuUsage();
    startedAt = Date.now();
  });
  store.on('resync-failed', ({ error }) => failures.push(error.message));
  store.on('resynced', (event) => {
    if (event.kind !== 'fill' || event.node !== node) return;
    const { user, system } = process.cpuUsage(cpu);
    const { copied, elapsedMs } = event;
    process.send({ copied, elapsedMs, cpuUs: user + system, startedAt, endedAt: Date.now(), failures });
  });
});
process.once('disconnect', () => process.exit());
process.send('ready');
