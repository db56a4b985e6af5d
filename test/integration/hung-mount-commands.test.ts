/** Commands where a call on one of several mounts hangs: they tell it, and end with their exit code. A FIFO without a writer hangs as such a call does. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessionStore } from '../../src/index.js';
import { processesWith } from '../support/processes-with.js';
import { startNode, stormlamp } from '../support/run-node.js';
import { eventually } from './eventually.js';

const ID = 'hungmount01234567890123456';
let folder: string;
let mounts: readonly [string, string];
let config: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hung-mount-'));
  mounts = [join(folder, 'a'), join(folder, 'b')];
  for (const mount of mounts) mkdirSync(mount);
  config = join(folder, 'stormlamp.config.json');
  const store = await createSessionStore({ mounts });
  await store.writeRaw(ID, Buffer.from('n|i:1;'));
  await store.close();
  configure(300);
});
afterEach(async () => {
  await eventually('no process is left', () => processesWith(folder).length === 0);
  rmSync(folder, { recursive: true, force: true });
});

/** A process that had to be killed, which is well above all deadlines, has no exit code. Each of them can be found by the folder. */
function limits(): { timeoutMs: number; env: Record<string, string> } {
  return { timeoutMs: 40_000, env: { STORMLAMP_TEST_FOLDER: folder } };
}

function configure(operationTimeoutMs: number): void {
  writeFileSync(config, JSON.stringify({ sessions: { mounts, operationTimeoutMs } }));
}
function hang(...path: readonly string[]): void {
  const file = join(mounts[0], ...path);
  rmSync(file);
  execFileSync('mkfifo', [file]);
}

test('`session get` shows the copy that can be read, `status` and `doctor` tell what hangs, and all of them end', async () => {
  hang(`sess_${ID}`);
  hang('.stormlamp', 'mount.json');
  const [copies, status, doctor] = await Promise.all(
    [`session get ${ID}`, 'status', 'doctor --no-php'].map(async (command) => {
      const args = [...command.split(' '), '--config', config, '--json'];
      const { code, signal, stdout } = await stormlamp(args, limits());
      expect([command, code, signal]).toEqual([command, 1, null]);
      return stdout;
    }),
  );
  expect(JSON.parse(copies ?? '')).toMatchObject({
    ok: false,
    copies: [
      { node: mounts[0], state: 'unreachable', error: expect.stringContaining('300 ms') },
      { node: mounts[1], state: 'held', bytes: 6 },
    ],
    data: { n: 1 },
  });
  expect(JSON.parse(status ?? '')).toMatchObject({
    ok: false,
    sessions: {
      places: [
        { node: mounts[0], standing: 'down: hung' },
        { node: mounts[1], up: true },
      ],
    },
  });
  expect(doctor).toContain('did not come back within 300 ms');
});

test('`session get` where none hangs reads both, and says what there is not', async () => {
  const [told, other] = await Promise.all(
    [ID, ID.replaceAll('0', 'x')].map((id) =>
      stormlamp(['session', 'get', id, '--config', config], limits()),
    ),
  );
  expect([told?.code, told?.stderr]).toEqual([0, '']);
  expect(told?.stdout).toContain('n = 1');
  expect([other?.code, other?.stdout]).toEqual([1, expect.stringContaining('There is no such session.')]);
});

test('`session get` ends at the first Ctrl-C', async () => {
  hang(`sess_${ID}`);
  configure(600_000);
  const { child, finished } = startNode(
    ['dist/cli/main.js', 'session', 'get', ID, '--config', config],
    limits(),
  );
  await eventually('it asks', () => processesWith(folder).length > 1);
  child.kill('SIGINT');
  const { code, stderr } = await finished;
  expect([code, stderr]).toEqual([130, expect.stringContaining('Interrupted')]);
});
