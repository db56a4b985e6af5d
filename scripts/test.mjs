/**
 * `npm test`: sets everything up, runs every check and every test, and ends with the line `N passed, N failed`.
 * Arguments are passed to vitest; with any, only vitest runs: `npm test -- test/unit/php`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetupError, tellFailure } from './setup-error.mjs';
import { ensureBuild, ensureDependencies, ROOT, run, runBin, sweepLeftovers } from './workspace.mjs';

let passed = 0;
let failed = 0;

function say(text) {
  process.stdout.write(`${text}\n`);
}

async function check(name, work) {
  const started = Date.now();
  const ok = await work().catch((error) => {
    if (!(error instanceof SetupError) || error.code === 'ERR_ABORTED') throw error;
    process.stderr.write(`${error.message}\n`);
    return false;
  });
  if (ok) passed += 1;
  else failed += 1;
  say(`${ok ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return ok;
}

async function succeeds(promise) {
  const { code, text } = await promise;
  if (code !== 0 && text !== '') process.stderr.write(text);
  return code === 0;
}

async function vitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-test-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    // As vitest itself has it when nothing is said: libraries behave otherwise with `production`.
    const options = { output: 'stdout', env: { NODE_ENV: 'test' } };
    const { code } = await runBin('vitest', ['run', ...reporters, ...args], options);
    const result = JSON.parse(readFileSync(report, 'utf8'));
    passed += result.numPassedTests;
    failed += result.numFailedTests;
    // A file that cannot be loaded, or an unhandled rejection, fails no test by itself.
    const broken = result.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    );
    failed += broken.length;
    if (code !== 0 && result.numFailedTests + broken.length === 0) failed += 1;
    const skipped = result.numPendingTests + result.numTodoTests;
    if (skipped > 0) {
      say(`${skipped} tests were skipped: a skipped test counts as failed here`);
      failed += skipped;
    }
  } catch (error) {
    if (error.code === 'ERR_ABORTED') throw error;
    say(`vitest gave no report: ${error.message}`);
    failed += 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  sweepLeftovers();
  await ensureDependencies();
  const only = process.argv.slice(2);
  if (await check('build', () => ensureBuild({ force: only.length === 0 }).then(() => true))) {
    if (only.length === 0) {
      await check('types of the tests', () => succeeds(runBin('tsc', ['-p', 'test'], { quiet: true })));
      await check('lint', () =>
        succeeds(runBin('biome', ['check', '--error-on-warnings', '.'], { quiet: true })),
      );
      await check('unused code', () => succeeds(runBin('knip', [], { quiet: true })));
      await check('package contents (publint)', () =>
        succeeds(runBin('publint', ['--strict'], { quiet: true })),
      );
      await check('package types (attw)', () =>
        succeeds(runBin('attw', ['--pack', '.', '--profile', 'esm-only'], { quiet: true })),
      );
      await check('reference documentation', () => succeeds(runBin('typedoc', [], { quiet: true })));
    }
    const servers =
      only.length === 0 || only.some((argument) => /integration|peers|docs|chaos/.test(argument));
    const ready =
      !servers ||
      (await check('servers', () =>
        succeeds(
          run(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), 'servers', 'install', '--all']),
        ),
      ));
    if (ready) await vitest(only);
  }
} catch (error) {
  failed += 1;
  tellFailure(error);
} finally {
  say('');
  say(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode ??= 1;
}
