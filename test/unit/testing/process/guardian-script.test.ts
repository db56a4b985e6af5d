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
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GUARDIAN_SCRIPT } from '../../../../src/testing/process/guardian-script.js';
import { processStart } from '../../../../src/testing/process/process-stat.js';
import { eventually } from '../../../integration/eventually.js';
import { processesWith } from '../../../support/processes-with.js';

let folder: string;
const guardians: ChildProcess[] = [];
const servers: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guardian-'));
});
afterEach(async () => {
  for (const guardian of guardians.splice(0)) guardian.kill('SIGKILL');
  // Each leads a group of its own, in which its child is.
  for (const server of servers.splice(0)) killGroup(server.pid ?? 0);
  rmSync(folder, { recursive: true, force: true });
  await eventually('no process of this test is left', () => processesWith(folder).length === 0);
});

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const MARK = `GUARDIAN_TEST=${process.pid}-${Math.random()}`;

function startGuardian(...folders: string[]): {
  child: ChildProcess;
  tell: (line: string) => void;
  ended: Promise<number | null>;
} {
  const child = spawn('/bin/sh', ['-c', GUARDIAN_SCRIPT, 'guardian', MARK, ...folders], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  guardians.push(child);
  return {
    child,
    tell: (line) => child.stdin?.write(`${line}\n`),
    ended: new Promise((resolve) => child.once('exit', resolve)),
  };
}

function startServer(env: Record<string, string> = {}): { pid: number; ended: Promise<string | null> } {
  const child = spawn('/bin/sh', ['-c', 'sleep 600 & wait'], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, GUARDIAN_FOLDER: folder, ...env },
  });
  servers.push(child);
  const ended = new Promise<string | null>((resolve) =>
    child.once('exit', (_code, signal) => resolve(signal)),
  );
  return { pid: child.pid ?? 0, ended };
}

function isAlive(pid: number): boolean {
  return processStart(pid) !== undefined;
}

test('a folder that it was started with is removed by who was never told anything', async () => {
  const folders = ['plain', "with  spaces ' and *"].map((name) => join(folder, name));
  for (const path of folders) mkdirSync(path);
  const { child, ended } = startGuardian(...folders);
  child.stdin?.destroy();
  expect(await ended).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});

test('when its input breaks it kills the processes and removes the folders, however they are called', async () => {
  const guardian = startGuardian();
  const folders = ['plain', 'with  spaces', "quote ' and * ?", '$HOME `id`'].map((name) =>
    join(folder, name),
  );
  for (const path of folders) {
    mkdirSync(join(path, 'deep'), { recursive: true });
    writeFileSync(join(path, 'deep', 'file'), 'x');
    guardian.tell(`dir ${path}`);
  }
  const kept = join(folder, 'kept');
  mkdirSync(kept);
  const server = startServer();
  guardian.tell(`pid ${server.pid} ${processStart(server.pid)}`);
  guardian.child.stdin?.end();
  expect(await server.ended).toBe('SIGKILL');
  await guardian.ended;
  expect(folders.filter((path) => existsSync(path))).toEqual([]);
  expect(existsSync(kept)).toBe(true);
});

test('it kills nobody who has got a registered id later', async () => {
  const guardian = startGuardian();
  const stranger = startServer();
  guardian.tell(`pid ${stranger.pid} 1`);
  guardian.tell('pid 999999999 5');
  guardian.child.stdin?.end();
  expect(await guardian.ended).toBe(0);
  expect(isAlive(stranger.pid)).toBe(true);
});

test('it finds processes that were never registered by their environment', async () => {
  const guardian = startGuardian();
  const [name = '', value = ''] = MARK.split('=');
  const server = startServer({ [name]: value });
  const stranger = startServer();
  guardian.child.stdin?.end();
  expect(await server.ended).toBe('SIGKILL');
  await guardian.ended;
  expect(isAlive(stranger.pid)).toBe(true);
});

test('a process that was registered without its start is looked at by the guardian itself', async () => {
  const guardian = startGuardian();
  const server = startServer();
  guardian.tell(`pid ${server.pid} -`);
  guardian.child.stdin?.end();
  expect(await server.ended).toBe('SIGKILL');
});

test('told that all is done it leaves everything as it is', async () => {
  const guardian = startGuardian();
  const server = startServer();
  guardian.tell(`dir ${folder}`);
  guardian.tell(`pid ${server.pid} ${processStart(server.pid)}`);
  guardian.tell('done');
  expect(await guardian.ended).toBe(0);
  expect([isAlive(server.pid), existsSync(folder)]).toEqual([true, true]);
});

test('signals of the terminal do not end it', async () => {
  const guardian = startGuardian();
  const server = startServer();
  guardian.tell(`pid ${server.pid} ${processStart(server.pid)}`);
  await eventually('the shell has set its traps', () =>
    /SigIgn:\s*0*[^0\s]/.test(readFileSync(`/proc/${guardian.child.pid}/status`, 'utf8')),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) guardian.child.kill(signal);
  // It reads its lines in order: the answer to the last one proves that it has survived.
  guardian.child.stdin?.end();
  expect(await server.ended).toBe('SIGKILL');
  expect(await guardian.ended).toBe(0);
});

test('a lock is removed as long as it is the one that was named', async () => {
  const guardian = startGuardian();
  const [own, taken] = [join(folder, 'own lock'), join(folder, 'taken lock')];
  writeFileSync(own, '{"token":"abc-1"}');
  writeFileSync(taken, '{"token":"somebody else"}');
  guardian.tell(`lock abc-1 ${own}`);
  guardian.tell(`lock abc-2 ${taken}`);
  guardian.child.stdin?.end();
  await guardian.ended;
  expect(readdirSync(folder)).toEqual(['taken lock']);
});
