import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, ownIdentity, parseIdentity } from '../../../../src/testing/servers/process-identity.js';

test('this process is alive', () => {
  expect(isAlive(ownIdentity())).toBe('yes');
});

test('a process that ended is not', async () => {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await once(child, 'exit');
  expect(isAlive({ ...ownIdentity(), pid: child.pid ?? 0 })).toBe('no');
});

test('a process id that was given to another process is not the same process', () => {
  // Other systems do not tell when a process started.
  const expected = process.platform === 'linux' ? 'no' : 'yes';
  expect(isAlive({ ...ownIdentity(), startedAt: '1' })).toBe(expected);
});

test('an identity survives JSON, and anything else is none', () => {
  const own = ownIdentity();
  expect(parseIdentity(JSON.stringify(own))).toEqual(own);
  for (const text of ['', 'null', '{}', '{"pid":-1,"startedAt":"","place":""}', '{"pid":"1"}']) {
    expect(parseIdentity(text), text).toBeUndefined();
  }
});
