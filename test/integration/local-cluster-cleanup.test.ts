/** Nothing of a cluster is left, however it or the process that started it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startLocalCluster } from '../../src/testing/index.js';
import { processesWith } from '../support/processes-with.js';
import { eventually } from './eventually.js';

const ROOT = resolve(import.meta.dirname, '../..');
let folder: string;
let temporary: string;
let runs = 0;
const parents: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cleanup-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL');
});

interface Parent {
  readonly child: ChildProcess;
  /** Resolves when the parent has printed `text`. */
  says(text: string): Promise<string>;
  readonly ended: Promise<string>;
}

/** A new folder for temporary files, whose path tells the processes of one test from all others. */
function useTemporary(): void {
  runs += 1;
  temporary = join(folder, `tmp${runs}`);
  mkdirSync(temporary);
}

/** Runs `code` in a process of its own, with its own folder for temporary files. */
function startParent(code: string, options: { detached?: boolean; quiet?: boolean } = {}): Parent {
  useTemporary();
  const script = join(folder, `parent${runs}.mjs`);
  // Compiled, as users have it: a worker of the test runner cannot be killed to see what it leaves.
  const entry = pathToFileURL(join(ROOT, 'dist/testing/index.js')).href;
  writeFileSync(script, `import { startLocalCluster } from '${entry}';\n${code}`);
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', options.quiet === true ? 'ignore' : 'inherit'],
    detached: options.detached ?? false,
  });
  parents.push(child);
  let output = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  return {
    child,
    says: (text) => eventually(`the parent says ${text}`, () => (output.includes(text) ? output : undefined)),
    ended: new Promise((done) => child.once('exit', (code_, signal) => done(signal ?? `exit code ${code_}`))),
  };
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function nothingIsLeft(children: readonly number[]): Promise<void> {
  await eventually('all processes are gone', () => processesWith(temporary).length === 0);
  await eventually('all files are gone', () => readdirSync(temporary).length === 0);
  await eventually('the guardian is gone', () => children.every((pid) => !existsSync(`/proc/${pid}`)));
}

const RUNNING = "console.log('running');";
const START = `
  const cluster = await startLocalCluster({ replicas: 1, memcached: 1 });
  await cluster.phpSite('<?php echo 1;');
`;

describe('when the parent dies', () => {
  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'by %s, neither processes nor files are left',
    async (signal) => {
      const parent = startParent(START + RUNNING);
      await parent.says('running');
      const children = childrenOf(parent.child.pid ?? 0);
      // Two databases, memcached, PHP and the guardian.
      expect(children).toHaveLength(5);
      expect(readdirSync(temporary)).toHaveLength(1);
      parent.child.kill(signal);
      expect(await parent.ended).toBe(signal);
      await nothingIsLeft(children);
    },
  );

  test('Ctrl-C of a terminal, which signals the whole group, reaches the servers only as a clean-up', async () => {
    const parent = startParent(
      `${START}
      process.once('SIGINT', () => {
        console.log('states ' + cluster.nodes.map((node) => node.state));
        cluster.primary.query('SELECT 1 AS one').then(async (rows) => {
          console.log('answer ' + rows[0].one);
          await cluster.close();
          console.log('closed');
        });
      });
      ${RUNNING}`,
      { detached: true },
    );
    await parent.says('running');
    const children = childrenOf(parent.child.pid ?? 0);
    process.kill(-(parent.child.pid ?? 0), 'SIGINT');
    expect(await parent.says('closed')).toMatch(/states running,running,running,running\nanswer 1\n/);
    expect(await parent.ended).toBe('exit code 0');
    await nothingIsLeft(children);
  });

  test.each([1, 2, 4])('while the servers are starting (%i of them are there)', async (servers) => {
    const parent = startParent(`
      startLocalCluster().then(() => undefined, () => undefined);
      setInterval(() => undefined, 1000);
    `);
    await eventually('so many are there', () => processesWith(temporary).length > servers);
    parent.child.kill('SIGKILL');
    await parent.ended;
    await nothingIsLeft([]);
  });

  test('by an exception, or by simply ending', async () => {
    for (const ending of ["throw new Error('crash')", 'process.exit(0)']) {
      const parent = startParent(`${START}; ${ending};`, { quiet: true });
      expect(await parent.ended).toMatch(/exit code [01]/);
      await nothingIsLeft([]);
    }
  });
});

describe('when the start does not succeed', () => {
  beforeEach(() => {
    useTemporary();
    vi.stubEnv('TMPDIR', temporary);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('a server that does not start: its log and what to do, and nothing is left', async () => {
    await expect(
      startLocalCluster({ memcached: 1, php: false, serverArgs: { mysql: ['--no-such-option=1'] } }),
    ).rejects.toMatchObject({
      code: 'ERR_SERVER_START',
      message: expect.stringMatching(
        /db\d did not start: it ended with exit code .*serverArgs.*no-such-option/s,
      ),
      node: expect.stringContaining('127.0.0.1:'),
    });
    await expect(
      startLocalCluster({ databases: false, php: false, serverArgs: { memcached: ['--nonsense'] } }),
    ).rejects.toMatchObject({ code: 'ERR_SERVER_START', message: expect.stringContaining('cache') });
    await nothingIsLeft([]);
  });

  test('a program that is missing: the option that names it', async () => {
    await expect(startLocalCluster({ binaries: { memcached: '/nowhere/memcached' } })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringContaining('/nowhere/memcached'),
    });
    await nothingIsLeft([]);
  });

  test.each([0, 1, 4])('an abort with %i servers there: one error, and nothing is left', async (servers) => {
    const controller = new AbortController();
    const starting = startLocalCluster({ signal: controller.signal });
    const refused = expect(starting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await eventually('so many are there', () => processesWith(temporary).length >= servers);
    controller.abort(new Error('enough'));
    await refused;
    await nothingIsLeft([]);
  });

  test('a folder that shall be kept is kept', async () => {
    const cluster = await startLocalCluster({ databases: false, php: false, memcached: 1, keepFolder: true });
    // Without databases there is nothing that `createCluster` could be told about them.
    expect(() => cluster.options()).toThrow('`databases: false`; name the session nodes');
    await cluster.close();
    expect(existsSync(join(cluster.folder, 'cache1', 'server.log'))).toBe(true);
    expect(processesWith(temporary)).toEqual([]);
  });
});
