/** `npm run build`: compiles the package to `dist`. */
import { runScript } from './setup-error.mjs';
import { ensureBuild, ensureDependencies } from './workspace.mjs';

await runScript(async () => {
  await ensureDependencies();
  await ensureBuild({ force: true });
});
