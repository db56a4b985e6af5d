import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runProgram } from '../../../../src/testing/servers/run-program.js';
import { putScript } from './fake-programs.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const script = (text: string): string => putScript(folder, 'program', text);

test('output, error output and exit code are told', async () => {
  const program = script('echo "out $1 $LC_ALL"; echo err >&2; exit 3');
  expect(await runProgram(program, ['x'], { timeoutMs: 10_000 })).toEqual({
    code: 3,
    stdout: 'out x C\n',
    stderr: 'err\n',
  });
});

test('lines on descriptor 3 arrive whole', async () => {
  const lines: string[] = [];
  const program = script('printf one >&3; printf "\\ntwo\\nthr" >&3; printf "ee\\n" >&3');
  await runProgram(program, [], { timeoutMs: 10_000, onStatusLine: (line) => lines.push(line) });
  expect(lines).toEqual(['one', 'two', 'three']);
});

test('a program that cannot be executed is missing', async () => {
  await expect(runProgram(join(folder, 'nothing'), [], { timeoutMs: 10_000 })).rejects.toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: expect.stringContaining('nothing'),
  });
});

test('a program that takes too long is ended, also when it ignores the polite way', async () => {
  const program = script('trap "" TERM; while :; do sleep 0.1; done');
  await expect(runProgram(program, [], { timeoutMs: 50, killAfterMs: 50 })).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
  });
});

test('a program is ended when the caller gives up', async () => {
  const abort = new AbortController();
  const program = script('echo ready >&3; exec sleep 60');
  const options = { timeoutMs: 30_000, signal: abort.signal, onStatusLine: () => abort.abort() };
  await expect(runProgram(program, [], options)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await expect(runProgram(program, [], options)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('a program whose child holds its output open is ended with the child', async () => {
  const abort = new AbortController();
  let child = 0;
  const program = script('sleep 600 & echo $! >&3; wait');
  const onStatusLine = (line: string): void => {
    child = Number(line);
    abort.abort();
  };
  const options = { timeoutMs: 300_000, signal: abort.signal, onStatusLine };
  await expect(runProgram(program, [], options)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await vi.waitFor(() => expect(() => process.kill(child, 0)).toThrow('ESRCH'), { timeout: 60_000 });
});

test('a child that left the group of a program and holds its output open is not waited for', async () => {
  let child = 0;
  const program = script("setsid sh -c 'echo $$ >&3; exec sleep 600' & wait");
  const onStatusLine = (line: string): void => {
    child = Number(line);
  };
  const options = { timeoutMs: 1_000, killAfterMs: 50, onStatusLine, signal: new AbortController().signal };
  await expect(runProgram(program, [], options)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  if (child > 0) process.kill(child, 'SIGKILL');
});
