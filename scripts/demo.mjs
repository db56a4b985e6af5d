/** `npm run demo`: does everything that a fresh clone needs, then plays the demo of the command line program. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

await ensureDependencies();
if (!(await ensureBuild())) process.exit(1);
const child = spawn(
  process.execPath,
  [join(ROOT, 'dist', 'cli', 'main.js'), 'demo', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
// The terminal sends Ctrl-C to the demo as well; it cleans up and tells how it ended.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('close', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});
