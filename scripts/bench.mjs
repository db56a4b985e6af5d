/**
 * `npm run bench`: measures on real servers of this machine, all peers in one run and interleaved. `quick` takes fewer
 * rounds, `--json` prints one JSON document on standard output instead of a table.
 */
import { ensureBuild, ensureDependencies } from './workspace.mjs';

await ensureDependencies();
if (!(await ensureBuild())) process.exit(1);
const words = process.argv.slice(2);
const unknown = words.find((word) => word !== 'quick' && word !== '--json');
if (unknown !== undefined) {
  process.stderr.write(`Unknown argument '${unknown}'. Usage: npm run bench -- [quick] [--json]\n`);
  process.exit(2);
}
const { benchQueries } = await import('../bench/queries.mjs');
const result = await benchQueries({ rounds: words.includes('quick') ? 3 : 9 });
if (words.includes('--json')) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
else console.table(result.rows);
