import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkPools } from '../../../../../src/cli/doctor/pools/check-pools.js';
import { parsePhpIni } from '../../../../../src/session/php-settings.js';
import { resolveStoreOptions } from '../../../../../src/session/store-options.js';

test('of what a pool sets for itself, where it is and which setting of PHP goes with it are told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'check-pools-'));
  const fpm = join(folder, 'www.conf');
  writeFileSync(fpm, '[www]\nphp_value[max_execution_time] = 300\n');
  // Nobody listens there.
  const given = { nodes: ['127.0.0.1:1', '127.0.0.1:2'] };
  const settings = parsePhpIni(`session.save_handler = memcached
session.save_path = "${given.nodes}"
session.use_strict_mode = On
session.cookie_samesite = Lax
memcached.sess_number_of_replicas = 1
memcached.sess_lock_expire = 60
memcached.sess_lock_retries = 40
`);
  const { signal } = new AbortController();
  const look = { info: '', settings, known: [], given, ours: resolveStoreOptions(given), signal };
  try {
    const checks = await checkPools({ ...look, php: { program: 'php', args: [], fpm } });
    expect(checks).toMatchObject([
      {
        state: 'warning',
        found: expect.stringContaining('60 s, while a page may run 300 s'),
        fix: `correct what it sets for itself: max_execution_time (${fpm}:2); set \`memcached.sess_lock_expire = 600\``,
      },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
