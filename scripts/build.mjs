/** `npm run build`: compiles the package to `dist`. */
import { ensureBuild, ensureDependencies } from './workspace.mjs';

await ensureDependencies();
process.exitCode = (await ensureBuild({ force: true })) ? 0 : 1;
