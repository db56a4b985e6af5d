/** What every script needs first: the dependencies of the lock file and a build that is no older than the sources. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '..');

/** Runs a program to its end; its output goes to standard error so that standard output stays free. */
export function run(command, args, options = {}) {
  const { output = 'stderr', env = {}, quiet = false } = options;
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : output === 'stdout' ? 'inherit' : 2, quiet ? 'pipe' : 2],
    });
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      text += chunk;
    });
    child.once('error', fail);
    child.once('close', (code, signal) => done({ code: code ?? 128, signal, text }));
  });
}

/** Runs a program of `node_modules/.bin` with this Node. */
export function runBin(name, args, options) {
  return run(join(ROOT, 'node_modules', '.bin', name), args, options);
}

function npm(args) {
  const cli = process.env.npm_execpath;
  return cli === undefined ? run('npm', args) : run(process.execPath, [cli, ...args]);
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

/** Installs what the lock file says, unless it is there already; then it needs no network. */
export async function ensureDependencies() {
  if (dependenciesAreInstalled()) return;
  process.stderr.write('Installing the npm packages of the lock file ...\n');
  // npm draws no progress without a terminal, so say at least that it is still at work.
  const started = Date.now();
  const alive = setInterval(() => {
    process.stderr.write(
      `  ... still installing npm packages (${Math.round((Date.now() - started) / 1000)} s)\n`,
    );
  }, 10_000);
  const { code } = await npm(['ci', '--loglevel=error', '--no-fund', '--no-audit']);
  clearInterval(alive);
  if (code !== 0) {
    process.stderr.write(
      'npm ci failed: see its message above. The npm registry must be reachable the first time.\n',
    );
    process.exit(1);
  }
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    time = Math.max(time, statSync(path).mtimeMs, entry.isDirectory() ? newest(path) : 0);
  }
  return time;
}

/** Compiles `src` to `dist` when anything in it is newer than the last build. */
export async function ensureBuild({ force = false } = {}) {
  const stamp = join(ROOT, 'dist', '.built');
  const inputs = Math.max(newest(join(ROOT, 'src')), statSync(join(ROOT, 'tsconfig.json')).mtimeMs);
  if (!force && existsSync(stamp) && statSync(stamp).mtimeMs > inputs) return true;
  process.stderr.write('Building ...\n');
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  const { code } = await runBin('tsc', ['-p', '.']);
  if (code === 0) writeFileSync(stamp, '');
  return code === 0;
}

/** Installs the packages that only the benchmarks compare with, unless they are there already. */
export async function ensureBenchPeers() {
  const folder = join(ROOT, 'bench');
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const stamp = join(folder, 'node_modules', '.installed-lock.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('Installing the packages to compare with ...\n');
  const { code } = await npm(['ci', '--prefix', folder, '--loglevel=error', '--no-fund', '--no-audit']);
  if (code !== 0) {
    process.stderr.write('npm ci in bench/ failed: see its message above.\n');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}
