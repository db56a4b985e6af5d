// One machine of the hot-spare pair: takes part in the race for the virtual address, and tells what happens.
import { startLeaderLease, virtualIp } from '../../../dist/index.js';

const { voters, address, device, leaseMs } = JSON.parse(process.argv[2] ?? '{}');
const lease = await startLeaderLease({
  name: 'vip',
  cluster: 'spare',
  voters,
  leaseMs,
  resource: virtualIp({ address, device }),
});
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
lease.on('phase-changed', ({ after, because }) => tell({ phase: after, because }));
lease.on('resource-failed', ({ during, error }) => tell({ failed: during, message: error.message }));
lease.on('lease-overrun', ({ lateMs }) => tell({ lateMs }));
const keep = setInterval(() => undefined, 1_000);
process.on('SIGTERM', async () => {
  await lease.close();
  clearInterval(keep);
});
