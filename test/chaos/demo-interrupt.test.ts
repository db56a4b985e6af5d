/** The demo is ended from outside in every one of its steps: one exit code, one document, nothing left behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEMO_STEPS } from '../../src/cli/demo/demo-story.js';
import { startNode } from '../support/run-node.js';

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'interrupt-'));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

const MOMENTS = ['starting the servers', 'The shop is open', ...DEMO_STEPS.map(({ title }) => `> ${title}`)];

test.each([
  ...MOMENTS.map((moment) => [moment, 'SIGINT'] as const),
  ['db1 is dead', 'SIGINT'] as const,
  ['db1 is dead', 'SIGTERM'] as const,
])('at "%s", by %s', async (moment, signal) => {
  const demo = startNode(['dist/cli/main.js', 'demo', '--once', '--json'], {
    env: { TMPDIR: temporary },
    timeoutMs: 300_000,
  });
  await expect.poll(() => demo.output().includes(moment), { timeout: 240_000, interval: 5 }).toBe(true);
  demo.child.kill(signal);
  const { code, stdout, stderr } = await demo.finished;
  expect({ code, stderr: stderr.includes('    at ') ? stderr : '' }).toEqual({ code: 130, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_ABORTED' } });
  expect(readdirSync(temporary)).toEqual([]);
});
