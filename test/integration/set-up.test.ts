/**
 * What the scripts do before anything runs: packages and build of a fresh clone. The clone is a small project with the
 * real scripts, real npm and the real compiler, which npm gets from a folder, so that no network is needed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT, startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';

let folder: string;
/** A folder whose name would be cut and unescaped, were it taken for a URL. */
let clone: string;
const groups: ChildProcess[] = [];

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'set-up-')));
  clone = join(folder, 'my #1 clone? 100%20');
  mkdirSync(join(clone, 'src', 'cli'), { recursive: true });
  cpSync(join(ROOT, 'scripts'), join(clone, 'scripts'), { recursive: true });
  write(
    'src/cli/main.ts',
    'declare const process: { argv: string[]; stdout: { write(text: string): void } };\n',
  );
  write('src/cli/main.ts', 'process.stdout.write(JSON.stringify(process.argv.slice(2)));\n', 'a');
  const compilerOptions = { module: 'NodeNext', target: 'ES2022', rootDir: 'src', outDir: 'dist', types: [] };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['src'] }));
  // A package whose installation takes as long as the file `hang` is there.
  mkdirSync(join(clone, 'slow'));
  write('slow/package.json', '{"name":"slow","version":"1.0.0","scripts":{"install":"node wait.mjs"}}');
  write(
    'slow/wait.mjs',
    `import { existsSync, writeFileSync } from 'node:fs';
    writeFileSync('started', '');
    while (existsSync('hang')) await new Promise((done) => setTimeout(done, 50));`,
  );
});
afterEach(() => {
  for (const child of groups.splice(0)) {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended, as it should have.
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

function write(file: string, text: string, flag: 'w' | 'a' = 'w'): void {
  writeFileSync(join(clone, file), text, { flag });
}

/** Makes the clone's package files, with the compiler and the slow package as development packages. */
function useLocalPackages(): void {
  const typescript = relative(clone, realpathSync(join(ROOT, 'node_modules', 'typescript')));
  const devDependencies = { typescript: `file:${typescript}`, slow: 'file:slow' };
  const project = { name: 'clone', version: '1.0.0', type: 'module', devDependencies };
  write('package.json', JSON.stringify({ ...project, scripts: { demo: 'node scripts/demo.mjs' } }));
  const packages = {
    '': { name: 'clone', version: '1.0.0', devDependencies },
    [typescript]: { version: compilerVersion(), dev: true, bin: { tsc: 'bin/tsc' } },
    slow: { version: '1.0.0', dev: true, hasInstallScript: true },
    'node_modules/typescript': { resolved: typescript, link: true },
    'node_modules/slow': { resolved: 'slow', link: true },
  };
  write(
    'package-lock.json',
    JSON.stringify({ name: 'clone', version: '1.0.0', lockfileVersion: 3, packages }),
  );
}

function compilerVersion(): string {
  const text = readFileSync(join(ROOT, 'node_modules', 'typescript', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** An npm without network and with a cache of its own. */
function npmEnv(): Record<string, string> {
  return {
    npm_config_cache: join(folder, 'npm-cache'),
    npm_config_update_notifier: 'false',
    npm_config_registry: 'http://127.0.0.1:1/',
  };
}

function script(name: string, args: readonly string[], env: Record<string, string> = {}) {
  return startNode([`scripts/${name}.mjs`, ...args], { cwd: clone, env: { ...npmEnv(), ...env } });
}

/** Processes that work in the clone. */
function processesInClone(): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && realpathSync(`/proc/${name}/cwd`).startsWith(clone);
    } catch {
      return false;
    }
  });
}

test('two runs at once set a fresh clone up once, also for production and in a folder with an odd name', async () => {
  useLocalPackages();
  write('slow/hang', '');
  const first = script('demo', ['--once'], { NODE_ENV: 'production' });
  await eventually('npm installs', () => existsSync(join(clone, 'slow', 'started')));
  const second = script('demo', ['--json'], { NODE_ENV: 'production' });
  const waits = `Waiting for process ${first.child.pid}, which sets up this folder`;
  await eventually('the second one says so', () => second.output().includes(waits));
  rmSync(join(clone, 'slow', 'hang'));
  expect(await first.finished).toMatchObject({ code: 0, stdout: '["demo","--once"]' });
  expect(await second.finished).toMatchObject({ code: 0, stdout: '["demo","--json"]' });
  expect(second.output()).not.toContain('Installing');
  expect(readdirSync(join(clone, '.stormlamp'))).toEqual([]);
}, 120_000);

test('Ctrl-C while npm installs ends npm and all that it has started, and the next run works', async () => {
  useLocalPackages();
  write('slow/hang', '');
  // A terminal signals the whole group that is in front of it: npm, its shell, the script.
  const npm = spawn('npm', ['run', '--silent', 'demo', '--', '--json'], {
    cwd: clone,
    detached: true,
    env: { ...process.env, ...npmEnv() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  groups.push(npm);
  let stdout = '';
  npm.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const ended = new Promise((done) => npm.once('close', done));
  await eventually('npm installs', () => existsSync(join(clone, 'slow', 'started')));
  process.kill(-(npm.pid ?? 0), 'SIGINT');
  await ended;
  await eventually('nothing works there any more', () => processesInClone().length === 0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_ABORTED' } });
  rmSync(join(clone, 'slow', 'hang'));
  expect(await script('demo', []).finished).toMatchObject({ code: 0, stdout: '["demo"]' });
}, 120_000);

test('a run that was killed keeps nobody waiting', async () => {
  useLocalPackages();
  mkdirSync(join(clone, '.stormlamp'));
  const holder = (text: object): void => write('.stormlamp/setup.lock', JSON.stringify(text));
  const dead = spawn(process.execPath, ['-e', '']);
  await new Promise((done) => dead.once('exit', done));
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  holder({
    pid: dead.pid,
    start: '1',
    place: `${boot} ${execFileSync('readlink', ['/proc/self/ns/pid'])}`.trim(),
  });
  expect(await script('demo', []).finished).toMatchObject({ code: 0, stdout: '["demo"]' });
  // A program that is not there is one message, too, and the last build stays.
  rmSync(join(clone, 'node_modules', '.bin', 'tsc'));
  const { code, stderr } = await script('build', []).finished;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /tsc cannot be run \(ENOENT\); the npm packages are not complete: remove node_modules/,
  );
  expect(stderr).not.toMatch(/^ {4}at /m);
  expect(existsSync(join(clone, 'dist', 'cli', 'main.js'))).toBe(true);
}, 120_000);

test('without the registry npm takes what it has, or fails with one document; tests end with their last line all the same', async () => {
  write('package.json', '{"name":"clone","version":"1.0.0","dependencies":{"absent":"1.0.0"}}');
  const resolved = 'http://127.0.0.1:1/absent-1.0.0.tgz';
  const packages = {
    '': { name: 'clone', version: '1.0.0', dependencies: { absent: '1.0.0' } },
    'node_modules/absent': { version: '1.0.0', resolved },
  };
  write(
    'package-lock.json',
    JSON.stringify({ name: 'clone', version: '1.0.0', lockfileVersion: 3, packages }),
  );
  const old = join(clone, '.stormlamp-docs-old');
  for (const path of [old, join(clone, '.stormlamp-docs-young')]) mkdirSync(path);
  utimesSync(old, new Date(0), new Date(0));
  const [demo, tests] = await Promise.all(['demo', 'test'].map((name) => script(name, ['--json']).finished));
  expect(demo?.code).toBe(1);
  expect(JSON.parse(demo?.stdout ?? '')).toMatchObject({ ok: false, error: { code: 'ERR_SETUP' } });
  expect(tests?.code).toBe(1);
  expect(tests?.stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed');
  for (const run of [demo, tests]) {
    expect(run?.stderr).toContain('The npm registry cannot be reached (ECONNREFUSED), and');
    expect(run?.stderr).not.toMatch(/^ {4}at /m);
  }
  expect(readdirSync(clone).filter((name) => name.startsWith('.stormlamp-'))).toEqual([
    '.stormlamp-docs-young',
  ]);
}, 120_000);

test('what killed tests leave in the project is looked at by no check', () => {
  for (const name of ['.stormlamp-docs-x/a.mjs', '.stormlamp-readme-x/a.mjs', '.stormlamp-build/a.js']) {
    expect(() => execFileSync('git', ['check-ignore', '-q', name], { cwd: ROOT }), name).not.toThrow();
  }
});
