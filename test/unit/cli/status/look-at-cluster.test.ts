/** What the status makes of mounts, on real folders. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plainPaint } from '../../../../src/cli/paint.js';
import { lookAtCluster } from '../../../../src/cli/status/look-at-cluster.js';
import { statusText } from '../../../../src/cli/status/status-text.js';
import { createSessionStore } from '../../../../src/session/create-session-store.js';

let folder: string;
let mounts: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'status-'));
  mounts = ['a', 'b'].map((name) => join(folder, name));
  for (const mount of mounts) mkdirSync(mount);
  await (await createSessionStore({ mounts })).close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function look(): Promise<readonly [boolean, string]> {
  const report = await lookAtCluster({ options: { sessions: { mounts } }, source: 'a test' });
  return [report.ok, statusText(report, 200, plainPaint).join('\n')];
}

test('a mount that is being filled is a problem in words, and for the exit code', async () => {
  expect(await look()).toEqual([true, expect.stringMatching(/^Everything is well\.\n/)]);
  const mark = join(mounts[1] ?? '', '.stormlamp', 'mount.json');
  writeFileSync(mark, JSON.stringify({ ...JSON.parse(readFileSync(mark, 'utf8')), filled: false }));
  expect(await look()).toEqual([
    false,
    expect.stringMatching(/^Problems:\n {2}- \S+\/b is filling: it takes sessions and answers no reads/),
  ]);
});
