/** What docs/gateway.md shows works when it is pasted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayConfig } from '../../src/cli/gateway-config.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { resolveSessionOptions } from '../../src/session/session-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { docBlocks } from '../support/doc-blocks.js';
import { ROOT, startNode } from '../support/run-node.js';

let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  folder = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await servers?.close();
});

test('its program runs', async () => {
  const [code = ''] = docBlocks('gateway.md', 'js');
  const [first, second] = servers.memcached;
  const file = join(folder, 'gateway.mjs');
  writeFileSync(
    file,
    code.replace('cache1:11211', first?.id ?? '').replace('cache2:11211', second?.id ?? ''),
  );
  expect(await startNode([file]).finished).toMatchObject({
    code: 0,
    stdout: 'listening: true\n',
    stderr: '',
  });
});

test('its configuration file is taken', async () => {
  const [json = '', change = ''] = docBlocks('gateway.md', 'json');
  const file = join(folder, 'stormlamp.config.json');
  writeFileSync(file, json);
  const { sessions, gateway } = await gatewayConfig({}, {}, folder);
  expect(resolveSessionOptions(sessions)).toMatchObject({ acks: 'all', copies: 2 });
  expect(resolveGatewayOptions(gateway)).toMatchObject({ maxConnections: 500 });
  writeFileSync(file, change);
  const later = await gatewayConfig({}, {}, folder);
  expect(resolveGatewayOptions(later.gateway)).toMatchObject({ listen: { mode: 0o600 } });
  expect(later.nodeChange).toMatchObject({ step: 'prepare' });
  expect(later.nodeChange?.nodes).toHaveLength(3);
});

test('its PHP settings, and the flags of its command and of the unit, exist', async () => {
  const [ini = ''] = docBlocks('gateway.md', 'ini');
  const settings = Object.fromEntries(
    ini
      .trim()
      .split('\n')
      .map((line) => line.split(' = ').map((word) => word.replaceAll('"', ''))),
  ) as Record<string, string>;
  const names = JSON.stringify(Object.keys(settings));
  const { stdout } = await servers.php(
    `<?php foreach (json_decode('${names}') as $n) echo $n, ini_get($n) === false ? ' unknown' : '', "\\n";`,
    {
      ini: settings,
    },
  );
  expect(stdout.trim().split('\n')).toEqual(Object.keys(settings));
  const { stdout: help } = await startNode([join(ROOT, 'dist', 'cli', 'main.js'), 'gateway', '--help'])
    .finished;
  const unit = readFileSync(join(ROOT, 'examples', 'stormlamp-gateway.service'), 'utf8');
  const command = docBlocks('gateway.md', 'sh').join('\n');
  for (const [flag] of `${command} ${unit}`.matchAll(/--[a-z][a-z-]+/g)) {
    if (flag !== '--now') expect(help).toContain(flag);
  }
});
