/** A process with a session store that fills nodes, and tells its parent when it has filled one. */
import { createSessionStore } from '../../dist/index.js';

const store = await createSessionStore(JSON.parse(process.argv[2]));
process.on('message', ({ node }) => {
  let cpu = process.cpuUsage();
  store.on('resync-started', () => {
    cpu = process.cpuUsage();
  });
  store.on('resynced', (event) => {
    if (event.kind !== 'fill' || event.node !== node) return;
    const { user, system } = process.cpuUsage(cpu);
    process.send({ copied: event.copied, elapsedMs: event.elapsedMs, cpuUs: user + system });
  });
});
process.once('disconnect', () => process.exit());
process.send('ready');
