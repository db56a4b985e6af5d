import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTopologyFile } from '../../../../src/failover/php-tier/topology-file.js';
import type { TopologyFileOptions } from '../../../../src/failover/php-tier/topology-file-options.js';
import type { TopologySource } from '../../../../src/failover/php-tier/topology-source.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-topology-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One node, db1:3306, which is the primary. */
function source(): TopologySource {
  const now = performance.now();
  const node = {
    id: 'db1:3306',
    address: { host: 'db1', port: 3_306 },
    weight: 1,
    state: 'up',
    seenAt: now,
    upSince: now,
    lag: { ms: 0, at: now },
    facts: { readOnly: false, channels: [], lag: { ms: 0 } },
  };
  const writer = { kind: 'primary', node: node.id };
  const state = { writer, epoch: 1, failure: null, tilted: false, nodes: [] };
  return {
    topology: () => ({ nodes: [node], writer, epoch: 1, warnings: [] }),
    failover: Object.assign(new EventEmitter(), { state }),
  } as unknown as TopologySource;
}

async function write(addresses: TopologyFileOptions['addresses']): Promise<string> {
  const file = join(folder, 't.php');
  const keeper = await startTopologyFile(source(), { file, addresses });
  await keeper.close();
  return readFileSync(file, 'utf8');
}

test('an address in the form of `failover.replication.addresses` stands in the file as a host and a port', async () => {
  const text = await write({ 'db1:3306': 'php-db1:3307' });
  expect(text).toContain("'host' => 'php-db1',");
  expect(text).toContain("'port' => 3307,");
  expect(text).not.toContain('undefined');
});

test('a name that no node has is told, and hinders nothing', async () => {
  const warned = once(process, 'warning');
  expect(await write({ db9: 'php-db9' })).toContain("'host' => 'db1',");
  expect(String((await warned)[0])).toMatch(
    /addresses names db9:3306, and no node is called that; known are: db1:3306/,
  );
});
