/** A real browser goes back and forth between a PHP page and a Node page: one login, one logout, whatever side it is on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { Chromium } from '../support/chromium.js';
import { nodePage, PHP_PAGE, playLoginStory } from '../support/login-story.js';
import { SESSION_PLACES, sessionPlace } from '../support/session-places.js';

let servers: LocalCluster;
let root: string;
let browser: Chromium;
beforeAll(async () => {
  browser = await Chromium.start();
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-browser-'));
}, 1_800_000);
afterAll(async () => {
  await browser?.close();
  await servers?.close();
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
});

test('the browser is a real one', async () => {
  const version = await browser.version();
  console.log(version);
  expect(version).toMatch(/Chrom/);
});

test.each(SESSION_PLACES)('login, new ids and logout on either side, with sessions on %s', async (name) => {
  const { ini, options } = sessionPlace(name, servers, root);
  const php = await servers.phpSite(PHP_PAGE, { ini });
  const store = await createSessionStore({ ...options, regenerateGraceMs: 0 });
  const node = await nodePage(store);
  try {
    await playLoginStory(browser, { php: php.url, node: node.url });
  } finally {
    node.server.closeAllConnections();
    await new Promise((done) => node.server.close(done));
    await store.close();
    await php.kill();
  }
});
