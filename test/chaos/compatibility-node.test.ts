/** Runs the tests that matter on other releases of Node, and writes that section of docs/compatibility.md from what it saw. */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeNodeSection } from '../support/node-section.js';
import { NODE_RELEASES, otherNode } from '../support/other-node.js';
import { ROOT, startNode } from '../support/run-node.js';

const ROWS = [
  ['unit tests', ['--project', 'unit']],
  [
    'reads, writes and transactions on real servers',
    ['test/integration/mysql-routing.test.ts', 'test/integration/mysql-transactions.test.ts'],
  ],
  [
    'sessions shared with PHP, and by Express',
    ['test/integration/php-session.test.ts', 'test/integration/express-session.test.ts'],
  ],
  ['planned switchover', ['test/integration/failover-switchover.test.ts']],
  ['every example, that in CommonJS too', ['test/docs/examples.test.ts']],
  ['every command by a configuration in TypeScript', ['test/integration/other-node.test.ts']],
] as const;

const TYPES = ROWS.at(-1)?.[0];
const seen = new Map<string, Map<string, string>>();

describe.each(NODE_RELEASES)('Node %s', (version) => {
  test.each(ROWS)('%s', async (row, args) => {
    const column = seen.get(version) ?? new Map<string, string>();
    seen.set(version, column);
    // Node 20 runs no TypeScript, which the unit tests see it say.
    if (row === TYPES && version.startsWith('20.')) {
      column.set(row, '–');
      return;
    }
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { code, stdout, stderr } = await startNode([vitest, 'run', ...args], {
      program: await otherNode(version),
      env: { STORMLAMP_CHAOS: '', STORMLAMP_NEWER_NODE: version },
      timeoutMs: 1_800_000,
    }).finished;
    column.set(row, code === 0 ? 'yes' : 'no');
    expect(code, stdout + stderr).toBe(0);
  });
});

afterAll(() => {
  const isWhole = NODE_RELEASES.every((version) => seen.get(version)?.size === ROWS.length);
  if (!isWhole) return;
  const cells = (of: (version: string) => string): string => NODE_RELEASES.map(of).join(' | ');
  const rows = ROWS.map(([row]) => `| ${row} | ${cells((version) => seen.get(version)?.get(row) ?? '')} |`);
  writeNodeSection(`## Node

Written by \`npm run chaos -- compatibility-node\`: the tests of each row, run by that release. Older ones than the first are not let in (\`engines\`).

| | ${cells((version) => `Node ${version}`)} |
|---|${NODE_RELEASES.map(() => '---|').join('')}
${rows.join('\n')}
`);
});
