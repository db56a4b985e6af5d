/**
 * `npm run bench`: measures stormlamp beside what it replaces, on real servers of this machine, all peers in one run
 * and taking turns. Without names all suites run; `quick` takes fewer rounds and sizes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tellFailure } from './setup-error.mjs';
import { ensureBenchPeers, ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

const SUITES = [
  'queries',
  'routing',
  'classifier',
  'codec',
  'sessions',
  'middleware',
  'gateway',
  'growth',
  'telemetry',
];
const USAGE = `Usage: npm run bench -- [${SUITES.join('] [')}] [quick] [--json] [--save]
  quick   fewer rounds and sizes: minutes instead of half an hour
  --json  one JSON document on standard output instead of tables
  --save  writes docs/performance.md and bench/results.json anew, after each suite (all suites, not quick)
Ctrl-C stops, and what has been measured until then is printed (and saved).
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
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(130);
    process.stderr.write('Stopping; once more to stop at once ...\n');
    abort.abort(new Error(signal));
  });
}
const save = (result) => {
  if (!words.includes('--save')) return;
  page(result, join(ROOT, 'docs', 'performance.md'));
  writeFileSync(join(ROOT, 'bench', 'results.json'), `${JSON.stringify(result, null, 2)}\n`);
};
let code = 0;
try {
  const wanted = names.length === 0 ? SUITES : names;
  const result = await runSuites(wanted, { quick, signal: abort.signal, onSuite: save });
  const text = words.includes('--json') ? `${JSON.stringify(result, null, 2)}\n` : tables(result);
  await new Promise((done) => process.stdout.write(text, done));
  if (abort.signal.aborted) code = 130;
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  code = 1;
}
// What a suite left behind must not keep the command.
process.exit(code);
