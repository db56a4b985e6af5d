/** A replica that cannot follow any more is made anew, on every kind of server, for both reasons. */
import { afterAll, expect, test } from 'vitest';
import { DATABASES } from '../integration/database-matrix.js';
import { carefulRebuild } from '../support/careful-rebuild.js';
import { table } from '../support/chaos-report.js';
import { rebuildBothStory, rebuildStory } from '../support/rebuild-story.js';
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
