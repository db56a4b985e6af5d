/** What docs/cache.md shows works when it is pasted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('its programs run and print what they say', async () => {
  const [first, second] = servers.memcached;
  const outputs: string[] = [];
  for (const [index, code] of docBlocks('cache.md', 'js').entries()) {
    const file = join(folder, `cache-${index}.mjs`);
    writeFileSync(
      file,
      code.replace('cache1:11211', first?.id ?? '').replace('cache2:11211', second?.id ?? ''),
    );
    const { code: status, stdout, stderr } = await startNode([file]).finished;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    outputs.push(stdout.trim());
  }
  expect(outputs).toEqual(['ada', '13']);
});

test('its PHP runs', async () => {
  const [code = ''] = docBlocks('cache.md', 'php');
  const [first, second] = servers.memcached.map(({ id }) => id.split(':'));
  const script = code
    .replace("'cache1', 11211", `'${first?.[0]}', ${first?.[1]}`)
    .replace("'cache2', 11211", `'${second?.[0]}', ${second?.[1]}`);
  expect((await servers.php(script)).stdout).toBe('ada');
});
