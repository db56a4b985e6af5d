/** What takes long of the failover manager on each kind of server, on the newest MariaDB; `npm test` runs it on the others. */
import { describe } from 'vitest';

process.env['STORMLAMP_CLIENT_DATABASES'] = 'MariaDB 11.8';

const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  'a primary that closes itself': () => import('../integration/self-fence.test.js'),
  'the event that closes it': () => import('../integration/self-fence-event.test.js'),
  'who may make the event': () => import('../integration/self-fence-privileges.test.js'),
  'who may make every change': () => import('../integration/acting-privileges.test.js'),
  'the loss that is told beforehand': () => import('../integration/failover-loss.test.js'),
  'a site that was begun anew': () => import('../integration/site-restart.test.js'),
  'a process that was begun when the primary was dead': () =>
    import('../integration/failover-begun-late.test.js'),
  'an old primary that answers': () => import('../integration/failover-forced.test.js'),
};

for (const [name, load] of Object.entries(SUITES)) {
  describe(name, async () => {
    await load();
  });
}
