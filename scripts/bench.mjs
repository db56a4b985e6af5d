/**
 * `npm run bench`: measures stormlamp beside what it replaces, on real servers of this machine, all peers in one run
 * and taking turns. Without names all suites run; `quick` takes fewer rounds and sizes.
 */
import { join } from 'node:path';
import { tellFailure } from './setup-error.mjs';
import { ensureBenchPeers, ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

const SUITES = ['queries', 'classifier', 'codec', 'sessions', 'middleware', 'telemetry'];
const USAGE = `Usage: npm run bench -- [${SUITES.join('] [')}] [quick] [--json] [--save]
  quick   fewer rounds and sizes: minutes instead of the better part of an hour
  --json  one JSON document on standard output instead of tables
  --save  writes docs/performance.md anew (all suites, not quick)
`;

function refuse(message) {
  process.stderr.write(`${message}\n${USAGE}`);
  process.exit(2);
}

const words = process.argv.slice(2);
if (words.includes('--help')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const quick = words.includes('quick');
const names = words.filter((word) => SUITES.includes(word));
const unknown = words.find((word) => !['quick', '--json', '--save', ...SUITES].includes(word));
if (unknown !== undefined) refuse(`Unknown argument '${unknown}'.`);
if (words.includes('--save') && (quick || names.length > 0))
  refuse('--save needs all suites, and not `quick`: the page must not mix runs.');

try {
  await ensureDependencies();
  await ensureBuild();
  await ensureBenchPeers();
} catch (error) {
  tellFailure(error);
  process.exit();
}
const { runSuites } = await import('../bench/run-suites.mjs');
const { tables, page } = await import('../bench/report.mjs');

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => abort.abort(new Error(signal)));
try {
  const result = await runSuites(names.length === 0 ? SUITES : names, { quick, signal: abort.signal });
  process.stdout.write(words.includes('--json') ? `${JSON.stringify(result, null, 2)}\n` : tables(result));
  if (words.includes('--save')) page(result, join(ROOT, 'docs', 'performance.md'));
} catch (error) {
  process.stderr.write(`${abort.signal.aborted ? 'Stopped.' : (error.stack ?? error)}\n`);
  process.exitCode = abort.signal.aborted ? 130 : 1;
}
