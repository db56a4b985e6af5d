/** What every script needs first: the dependencies of the lock file and a build that is no older than the sources. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ROOT, run, runBin } from './run-child.mjs';
import { SetupError } from './setup-error.mjs';
import { withWorkspaceLock } from './workspace-lock.mjs';

export { ROOT, run, runBin } from './run-child.mjs';

/** Folders that tests and builds make in the project's folder begin so. */
const TEMPORARY = '.stormlamp-';
const LEFTOVER_AGE_MS = 3_600_000;

/** Also for `NODE_ENV=production` and the like, which would leave out the compiler. */
const CI_ARGS = ['ci', '--include=dev', '--loglevel=error', '--no-fund', '--no-audit'];
const PING_ARGS = [
  'ping',
  '--loglevel=error',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-timeout=20000',
];
/** How npm names the failures of a network, and not those of a registry that answers. */
const NO_NETWORK =
  /code (EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENETDOWN|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT)/;

function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli === undefined ? run('npm', args, options) : run(process.execPath, [cli, ...args], options);
}

/**
 * Installs the packages of a lock file. npm asks for every single one of them, again and again, before it gives up; so
 * it is told when there is no network, and then takes what it has, or fails at once.
 */
async function installFromLock(args) {
  const ping = await npm(PING_ARGS, { quiet: true });
  const failure = ping.code === 0 ? undefined : NO_NETWORK.exec(ping.text)?.[1];
  if (failure !== undefined) {
    process.stderr.write(`The npm registry cannot be reached (${failure}); trying with npm's cache.\n`);
  }
  const { code } = await npm([...CI_ARGS, ...(failure === undefined ? [] : ['--offline']), ...args]);
  if (code === 0) return;
  throw new SetupError(
    failure === undefined
      ? `npm ci ended with exit code ${code}: see its message above.`
      : `The npm registry cannot be reached (${failure}), and npm's cache does not hold all packages: connect this machine, or set npm's registry or proxy, and run this again.`,
  );
}

function dependenciesAreInstalled() {
  const hidden = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const found = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, info]) => path === '' || info.optional === true || found[path]?.version === info.version,
  );
}

async function installPackages() {
  process.stderr.write('Installing the npm packages of the lock file ...\n');
  // npm draws no progress without a terminal, so say at least that it is still at work.
  const started = Date.now();
  const alive = setInterval(() => {
    process.stderr.write(
      `  ... still installing npm packages (${Math.round((Date.now() - started) / 1000)} s)\n`,
    );
  }, 10_000);
  await installFromLock([]).finally(() => clearInterval(alive));
}

/** Installs what the lock file says, unless it is there already; then it needs no network. */
export async function ensureDependencies() {
  if (dependenciesAreInstalled()) return;
  await withWorkspaceLock(async () => {
    if (!dependenciesAreInstalled()) await installPackages();
  });
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    time = Math.max(time, statSync(path).mtimeMs, entry.isDirectory() ? newest(path) : 0);
  }
  return time;
}

function isBuilt() {
  const stamp = join(ROOT, 'dist', '.built');
  const inputs = Math.max(newest(join(ROOT, 'src')), statSync(join(ROOT, 'tsconfig.json')).mtimeMs);
  return existsSync(stamp) && statSync(stamp).mtimeMs > inputs;
}

/** Compiles beside `dist` and swaps: a program that runs from it finds its files at every moment. */
async function build() {
  process.stderr.write('Building ...\n');
  const [dist, fresh, old] = ['dist', `${TEMPORARY}build`, `${TEMPORARY}old-build`].map((name) =>
    join(ROOT, name),
  );
  for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  const startedAt = new Date();
  try {
    const { code } = await runBin('tsc', ['-p', '.', '--outDir', fresh]);
    if (code !== 0) throw new SetupError("The build failed: see the compiler's messages above.");
    writeFileSync(join(fresh, '.built'), '');
    // A source that was changed meanwhile is newer than this.
    utimesSync(join(fresh, '.built'), startedAt, startedAt);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  } finally {
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  }
}

/**
 * Compiles `src` to `dist` when anything in it is newer than the last build.
 *
 * @throws SetupError when it does not compile.
 */
export async function ensureBuild({ force = false } = {}) {
  if (!force && isBuilt()) return;
  await withWorkspaceLock(async () => {
    if (force || !isBuilt()) await build();
  });
}

/** Removes folders that tests made in the project's folder before they were killed. */
export function sweepLeftovers() {
  for (const name of readdirSync(ROOT)) {
    const path = join(ROOT, name);
    // A younger one may be in use.
    if (!name.startsWith(TEMPORARY) || Date.now() - statSync(path).mtimeMs < LEFTOVER_AGE_MS) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

/** Installs the packages that only the benchmarks compare with, unless they are there already. */
export async function ensureBenchPeers() {
  const folder = join(ROOT, 'bench');
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const stamp = join(folder, 'node_modules', '.installed-lock.json');
  const isInstalled = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === lock;
  if (isInstalled()) return;
  await withWorkspaceLock(async () => {
    if (isInstalled()) return;
    process.stderr.write('Installing the packages to compare with ...\n');
    await installFromLock(['--prefix', folder]);
    writeFileSync(stamp, lock);
  });
}
