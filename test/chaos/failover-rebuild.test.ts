/** A replica that cannot follow any more is made anew, on every kind of server, for both reasons. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dumpRebuild } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { carefulRebuild } from '../support/careful-rebuild.js';
import { table } from '../support/chaos-report.js';
import { clientProgram } from '../support/client-programs.js';
import { rebuildBesideStory, rebuildBothStory, rebuildStory } from '../support/rebuild-story.js';
import { saveStory } from '../support/save-story.js';

const rows: (string | number)[][] = [];
afterAll(() => console.log(table(['server', 'why', 'until it follows again'], rows)));

const STORIES = DATABASES.flatMap((server) =>
  // MariaDB's client of the system does not read the logs of newer servers, so that nothing can be saved there.
  (['errant', 'purged'] as const)
    .filter((why) => why === 'purged' || server.name !== 'MariaDB 11.8')
    .map((why) => ({ ...server, why })),
);

test.each(STORIES)('$name, $why', { timeout: 300_000 }, async ({ why, ...server }) => {
  const took = await rebuildStory(server, why);
  rows.push([server.name, why, `${Math.round(took)} ms`]);
  expect(took).toBeGreaterThan(0);
});

test.each(DATABASES)('$name: two nodes at once', { timeout: 600_000 }, async (server) => {
  rows.push([server.name, 'two, purged', `${Math.round(await rebuildBothStory(server))} ms`]);
});

test.each(DATABASES.filter(({ name }) => name !== 'MariaDB 11.8'))(
  '$name: one beside another process',
  { timeout: 600_000 },
  rebuildBesideStory,
);

test.each(DATABASES)(
  '$name: nothing is thrown away before a copy can be made',
  { timeout: 180_000 },
  (server) => carefulRebuild(server, server.name !== 'MariaDB 11.8'),
);

test.each(DATABASES.filter(({ name }) => name !== 'MariaDB 11.8'))(
  '$name: what is not in the logs any more is not called saved',
  { timeout: 120_000 },
  saveStory,
);

test('a rebuild by a dump that is called off leaves nothing set on the node', {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-called-off-'));
  await using servers = await startLocalCluster({ flavor: 'mariadb', replicas: 1, php: false, memcached: 0 });
  const [node] = servers.replicas;
  if (node === undefined) throw new Error('a replica is needed');
  const trusts = async (): Promise<boolean> => {
    const [row] = await node.query('SELECT @@GLOBAL.log_bin_trust_function_creators AS trusts');
    return Number(row?.['trusts']) === 1;
  };
  try {
    const [dump, client, binlog] = await Promise.all(
      ['mariadb-dump', 'mariadb', 'mariadb-binlog'].map((name) => clientProgram('mariadb', name)),
    );
    // The rehearsal goes well, and the dump itself has no end.
    const endless = join(folder, 'dump.sh');
    const command = dump?.map((word) => `'${word}'`).join(' ');
    writeFileSync(
      endless,
      `#!/bin/sh\ncase "$*" in *--no-data*|*--version*) exec ${command} "$@";; esac\nexec sleep 600\n`,
      { mode: 0o755 },
    );
    const end = new AbortController();
    const rebuilding = dumpRebuild({
      credentials: servers.accounts.admin,
      programs: { dump: [endless], client, binlog },
    })({
      node: node.id,
      from: servers.primary.id,
      why: 'errant',
      gtids: '',
      signal: end.signal,
      deadline: 0,
      log: () => {},
    });
    rebuilding.catch(() => undefined);
    await eventually('it is loaded', trusts);
    end.abort();
    await expect(rebuilding).rejects.toThrow();
    expect(await trusts()).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
