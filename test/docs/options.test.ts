/** docs/options.md is what the code says now, and the defaults that comments name are those that are used. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { detectorDefaults } from '../../src/failover/detector/detector-policy.js';
import { MYSQL_DEFAULTS } from '../../src/mysql/mysql-options.js';
import { POOL_DEFAULTS } from '../../src/mysql/pool-options.js';
import { resolveReadOptions } from '../../src/mysql/read-options.js';
import { resolveSessionOptions } from '../../src/session/session-options.js';
import { ROOT, startNode } from '../support/run-node.js';

test('the page is up to date', async () => {
  const { code, stderr } = await startNode(['scripts/generate-options.mjs', '--check']).finished;
  expect([code, stderr]).toEqual([0, '']);
});

test('the defaults that it names are used', () => {
  const page = readFileSync(join(ROOT, 'docs/options.md'), 'utf8');
  const rows = page.matchAll(/^\| `([\w.]+)` \| .*? \| ([^|]*) \| [^|]*\|$/gm);
  const named = new Map([...rows].map(([, path, standard = '']) => [path, standard]));
  const sessions = resolveSessionOptions({ nodes: ['cache1:11211', 'cache2:11211'] });
  const used = {
    'mysql.pool': POOL_DEFAULTS,
    'mysql.scope': MYSQL_DEFAULTS.scope,
    mysql: { timeoutMs: MYSQL_DEFAULTS.timeoutMs, blockMs: MYSQL_DEFAULTS.blockMs },
    'mysql.reads': resolveReadOptions({}),
    'failover.detector': detectorDefaults,
    sessions,
    'sessions.cookie': sessions.cookie,
    'sessions.ids': { strict: sessions.strict, ...sessions.idFormat },
  };
  let compared = 0;
  for (const [path, values] of Object.entries(used))
    for (const [name, value] of Object.entries(values)) {
      const cell = named.get(`${path}.${name}`);
      const isSimple = ['number', 'string', 'boolean'].includes(typeof value);
      if (cell === undefined || !isSimple) continue;
      // Nobody should have to look in the code for what is used when nothing is said.
      expect([`${path}.${name}`, cell]).not.toEqual([`${path}.${name}`, '']);
      const said = cell.replaceAll(/[`' ]/g, '');
      // Words are no default to compare with.
      if (!/^[\w./-]*$/.test(said)) continue;
      expect([`${path}.${name}`, said]).toEqual([`${path}.${name}`, String(value)]);
      compared += 1;
    }
  expect(compared).toBeGreaterThan(30);
});
