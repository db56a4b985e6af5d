/**
 * `npm run bench`: measures stormlamp beside what it replaces, on real servers of this machine, all peers in one run
 * and taking turns. Without names all suites run; `quick` takes fewer rounds and sizes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tellFailure } from './setup-error.mjs';
import { ensureBenchPeers, ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

const SUITES = [
  'queries',
  'selects',
  'routing',
  'classifier',
  'codec',
  'sessions',
  'middleware',
  'gateway',
  'growth',
  'telemetry',
  'profiles',
];
const USAGE = `Usage: npm run bench -- [${SUITES.join('] [')}] [quick] [--json] [--save]
  quick   fewer rounds and sizes: minutes instead of three quarters of an hour
  --json  one JSON document on standard output instead of tables
  --save  keeps the figures in docs/performance.md and bench/results.json, after each suite (not quick); those of
          suites that do not run stay, and each says at which commit it was measured
Ctrl-C stops, and what has been measured until then is printed (it replaces no whole figures). Exit code 1 when a suite
did not come to its end, or lost one of its peers.
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
const saves = words.includes('--save');
if (saves && quick) refuse('--save is not for `quick`: too few rounds to keep.');

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
const { isSameMachine, merged } = await import('../bench/saved-results.mjs');
const { machine } = await import('../bench/machine.mjs');
const wanted = names.length === 0 ? SUITES : names;

const RESULTS = join(ROOT, 'bench', 'results.json');
const found = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : undefined;
const saved = isSameMachine(found, machine()) ? found : undefined;
if (saves && saved === undefined && found !== undefined && wanted.length < SUITES.length) {
  refuse(
    `The kept figures are of another machine (${found.machine}, Node ${found.node}): save all suites here, or none.`,
  );
}

const isComplete = ({ suites, missing }) => missing.length === 0 && suites.every(({ isWhole }) => isWhole);

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(130);
    process.stderr.write('Stopping; once more to stop at once ...\n');
    abort.abort(new Error(signal));
  });
}
const save = (result) => {
  if (!saves) return;
  // Figures of another machine give way to whole ones only.
  if (saved === undefined && found !== undefined && !isComplete(result)) return;
  const kept = merged(saved, result, SUITES);
  page(kept, join(ROOT, 'docs', 'performance.md'));
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 2)}\n`);
};
let code = 0;
try {
  const result = await runSuites(wanted, { quick, signal: abort.signal, onSuite: save });
  const text = words.includes('--json') ? `${JSON.stringify(result, null, 2)}\n` : tables(result);
  await new Promise((done) => process.stdout.write(text, done));
  if (abort.signal.aborted) code = 130;
  else if (!isComplete(result)) code = 1;
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  code = 1;
}
// What a suite left behind must not keep the command.
process.exit(code);
