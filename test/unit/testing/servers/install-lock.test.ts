import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeInstallLock } from '../../../../src/testing/servers/install-lock.js';
import { ownIdentity } from '../../../../src/testing/servers/process-identity.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-lock-'));
  file = join(folder, 'set.lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = { timeoutMs: 10_000, signal: undefined, onWait: () => undefined };

test('a lock that was given back leaves nothing', async () => {
  const lock = await takeInstallLock(file, options);
  expect(readdirSync(folder)).toEqual(['set.lock']);
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('the second taker waits for the first and is told of it', async () => {
  const steps: string[] = [];
  const first = await takeInstallLock(file, options);
  const second = takeInstallLock(file, {
    ...options,
    onWait: (_, holder) => {
      steps.push(`waits for ${holder?.pid === process.pid ? 'this process' : 'another'}`);
      first.release();
      steps.push('released');
    },
  });
  (await second).release();
  expect(steps).toEqual(['waits for this process', 'released']);
  expect(readdirSync(folder)).toEqual([]);
});

test('many takers have the lock one after the other', async () => {
  let holders = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const lock = await takeInstallLock(file, options);
      holders += 1;
      most = Math.max(most, holders);
      await new Promise(setImmediate);
      holders -= 1;
      lock.release();
    }),
  );
  expect(most).toBe(1);
});

test('the lock of a dead process is taken over', async () => {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await once(child, 'exit');
  writeFileSync(file, JSON.stringify({ ...ownIdentity(), pid: child.pid }));
  const lock = await takeInstallLock(file, options);
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('a silent lock of another machine is taken over, one that shows life is not', async () => {
  writeFileSync(file, JSON.stringify({ ...ownIdentity(), place: 'elsewhere' }));
  await expect(takeInstallLock(file, { ...options, timeoutMs: 1 })).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    message: expect.stringContaining(file),
  });
  const longAgo = new Date(Date.now() - 3_600_000);
  utimesSync(file, longAgo, longAgo);
  (await takeInstallLock(file, options)).release();
  expect(existsSync(file)).toBe(false);
});

test('waiting ends at once when the caller gives up', async () => {
  const lock = await takeInstallLock(file, options);
  const abort = new AbortController();
  const waiting = takeInstallLock(file, { ...options, signal: abort.signal, onWait: () => abort.abort() });
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  lock.release();
});

test('a lock that somebody else has taken meanwhile is not given back', async () => {
  const lock = await takeInstallLock(file, options);
  writeFileSync(file, JSON.stringify({ ...ownIdentity(), token: 'another' }));
  lock.release();
  expect(existsSync(file)).toBe(true);
});
