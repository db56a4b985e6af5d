/** Programs that only the benchmarks need, from the system's packages, unpacked into the private cache. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { cacheRoot } from '../dist/testing/servers/cache-folder.js';
import { distroSources } from '../dist/testing/servers/distro-sources.js';
import { installPackages } from '../dist/testing/servers/install-packages.js';
import { thisMachine } from '../dist/testing/servers/machine.js';
import { folderProgram } from '../dist/testing/servers/package-folder.js';

const START_TIMEOUT_MS = 20_000;

const SETS = {
  proxies: { name: 'bench', packages: ['haproxy', 'nutcracker', 'redis-server'], servers: [] },
  router: { name: 'bench-router', packages: ['mysql-router'], suite: 'sid', servers: [] },
};

const PROGRAMS = {
  haproxy: { set: 'proxies', path: 'usr/sbin/haproxy' },
  nutcracker: { set: 'proxies', path: 'usr/sbin/nutcracker' },
  'redis-server': { set: 'proxies', path: 'usr/bin/redis-server' },
  mysqlrouter: { set: 'router', path: 'usr/bin/mysqlrouter', libraries: 'usr/lib/mysql-router' },
};

/** How a program of {@link PROGRAMS} is run; installs its packages first. */
async function benchProgram(name, onProgress) {
  const machine = thisMachine();
  const { system, architecture } = machine;
  if (system.kind !== 'apt' || architecture === undefined) {
    throw new Error(`${name} is taken from Debian packages, which this system has none of`);
  }
  const { set: setName, path, libraries } = PROGRAMS[name];
  const set = SETS[setName];
  const { folder } = await installPackages({
    set,
    system,
    architecture,
    sources: distroSources(machine.aptSources(), { ...system, architecture }, set.suite),
    root: cacheRoot(undefined, machine.env),
    onProgress: ({ message }) => onProgress(message),
    signal: undefined,
  });
  const program = folderProgram(folder, architecture, path);
  if (program === undefined) throw new Error(`${folder} does not hold ${path}`);
  if (libraries === undefined) return { ...program, folder };
  const [option, paths, ...rest] = program.prefixArgs;
  return { ...program, prefixArgs: [option, `${paths}:${join(folder, libraries)}`, ...rest], folder };
}

/** A free port of the loopback address. */
export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/**
 * Starts a program and waits until it listens.
 *
 * @param {keyof typeof PROGRAMS} name
 * @param {(at: { folder: string, programs: string }) => { args: string[], files?: Record<string, string>, port: number }} plan
 */
export async function startProgram(name, plan, onProgress) {
  const { command, prefixArgs, folder: programs } = await benchProgram(name, onProgress);
  const folder = mkdtempSync(join(tmpdir(), `stormlamp-bench-${name}-`));
  const { args, files = {}, port } = plan({ folder, programs });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const child = spawn(command, [...prefixArgs, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(-2000);
  });
  const ended = new Promise((done) => child.once('close', done));
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await close();
      throw new Error(`${name} does not listen on port ${port}: ${complaints.trim()}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return { port, pid: child.pid, close };
}

/** The account that this process runs as, for programs that want to be told. */
export const ACCOUNT = userInfo().username;

function listens(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
