/**
 * `npm run chaos`: the long runs of `test/chaos`, all of them or those that are named: `npm run chaos -- sessions`.
 * `--seconds=N`, `--workers=N`, `--operations=N` and `--pairs=N` change how long, how hard and how much; `--seed=N` repeats
 * a run that draws lots. A summary of all scenarios is told in the end, and written to `chaos-report.md`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runScript, SetupError } from './setup-error.mjs';
import { ensureBuild, ensureDependencies, ROOT, run, runBin } from './workspace.mjs';

const FOLDER = join(ROOT, 'test', 'chaos');
const OPTIONS = ['seconds', 'workers', 'operations', 'pairs', 'seed'];
const stories = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => file.slice(0, -'.test.ts'.length))
  .sort();

function refuse(message) {
  process.stderr.write(
    `${message}\nThe runs are: ${stories.join(', ')}. Options: ${OPTIONS.map((name) => `--${name}=N`).join(', ')}\n`,
  );
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' }])),
    });
  } catch (error) {
    return refuse(error.message);
  }
}

const { positionals, values } = readArguments();
const unknown = positionals.filter((name) => !existsSync(join(FOLDER, `${name}.test.ts`)));
if (unknown.length > 0) refuse(`There is no run called ${unknown.join(', ')}`);
const env = { STORMLAMP_CHAOS: '1' };
for (const [name, value] of Object.entries(values)) {
  if (!/^[1-9]\d*$/.test(value)) refuse(`--${name} is a whole number of at least 1`);
  env[`STORMLAMP_CHAOS_${name.toUpperCase()}`] = value;
}

await runScript(async () => {
  await ensureDependencies();
  await ensureBuild();
  const main = join(ROOT, 'dist', 'cli', 'main.js');
  const install = await run(process.execPath, [main, 'servers', 'install', '--all']);
  if (install.code !== 0) throw new SetupError('The servers are not all there: see the message above.');
  const files = (positionals.length === 0 ? stories : positionals).map((name) =>
    join(FOLDER, `${name}.test.ts`),
  );
  const reporters = ['default', join(ROOT, 'test', 'support', 'chaos-reporter.ts')];
  const told = reporters.map((reporter) => `--reporter=${reporter}`);
  const { code } = await runBin('vitest', ['run', '--project', 'chaos', ...told, ...files], {
    output: 'stdout',
    env: { ...env, NODE_ENV: 'test' },
  });
  process.exitCode = code;
});
