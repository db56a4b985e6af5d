/** Every test of the MySQL client, and of how it knows its servers, on the newest MariaDB; `npm test` runs the quick ones of them there. */
import { describe } from 'vitest';

process.env['STORMLAMP_CLIENT_DATABASES'] = 'MariaDB 11.8';

const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  'the way into use': () => import('../integration/mysql-start.test.js'),
  'in place of a mysql2 pool': () => import('../integration/mysql-drop-in.test.js'),
  'every row of the comparison': () => import('../integration/mysql2-comparison.test.js'),
  routing: () => import('../integration/mysql-routing.test.js'),
  transactions: () => import('../integration/mysql-transactions.test.js'),
  'the pool of a node': () => import('../integration/mysql-node-pool.test.js'),
  'the mode of SQL': () => import('../integration/mysql-sql-mode.test.js'),
  TLS: () => import('../integration/mysql-tls.test.js'),
  'connections that the server closed': () => import('../integration/mysql-closed-idle.test.js'),
  errors: () => import('../integration/mysql-errors.test.js'),
  guards: () => import('../integration/mysql-guards.test.js'),
  'what is left behind': () => import('../integration/mysql-left-behind.test.js'),
  failures: () => import('../integration/mysql-failures.test.js'),
  model: () => import('../integration/mysql-model.test.js'),
  'looks at a server': () => import('../integration/replication-probe.test.js'),
  'nodes that are found': () => import('../integration/discovery.test.js'),
  'a monitor for many processes': () => import('../integration/shared-monitor.test.js'),
  'what a statement asks about the one before': () => import('../integration/asked-before.test.js'),
  'statements that are killed': () => import('../integration/mysql-kill.test.js'),
  'reads while a replica is promoted': () => import('../integration/promotion-reads.test.js'),
  'own writes': () => import('../integration/read-your-writes.test.js'),
  'requests and tokens': () => import('../integration/request-scope.test.js'),
  'writes that are hard to see': () => import('../integration/hidden-writes.test.js'),
  'a primary that refuses connections': () => import('../integration/refused-primary.test.js'),
  'a primary that was replaced': () => import('../integration/replaced-primary.test.js'),
  'a cut in silence': () => import('../integration/silent-cut.test.js'),
  'where lag is read': () => import('../integration/lag-sources.test.js'),
  peers: () => import('../peers/peers.test.js'),
};

for (const [name, load] of Object.entries(SUITES)) {
  describe(name, async () => {
    await load();
  });
}
