/** `npm run bench`, as docs/performance.md shows it, with its shortest suite: it measures, and prints one document. */
import { expect, test } from 'vitest';
import { runProgram } from '../../src/testing/servers/run-program.js';

interface Measured {
  readonly quick: boolean;
  readonly missing: readonly string[];
  readonly suites: readonly {
    readonly name: string;
    readonly isWhole: boolean;
    readonly notes: readonly string[];
    readonly rows: readonly { readonly peer: string }[];
  }[];
}

test('quick, one suite, as JSON', { timeout: 600_000 }, async () => {
  const run = await runProgram('npm', ['run', '--silent', 'bench', '--', 'quick', 'codec', '--json'], {
    timeoutMs: 590_000,
  });
  expect(run.code, run.stderr).toBe(0);
  const { quick, missing, suites } = JSON.parse(run.stdout) as Measured;
  expect([quick, missing]).toEqual([true, []]);
  expect(suites.map(({ name, isWhole, notes }) => [name, isWhole, notes])).toEqual([['codec', true, []]]);
  const peers = new Set(suites[0]?.rows.map(({ peer }) => peer));
  expect([...peers]).toEqual(expect.arrayContaining(['JSON', 'php-serialize', 'stormlamp']));
});
