/** Whether a gateway can listen, asked before it serves: on real sockets. */
import { existsSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { listenOn, tryToListen } from '../../../src/gateway/listen-on.js';
import { eventually } from '../../integration/eventually.js';

const MODE = 0o600;
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
  path = join(folder, 'gateway.sock');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a unix socket that somebody waits for is there when it serves, and not before', async () => {
  const seen = new Set<string | null>();
  const watcher = watch(folder, (_event, name) => void seen.add(name));
  try {
    await tryToListen({ path, mode: MODE });
    await eventually('something happened in the folder', () => seen.size > 0);
    writeFileSync(join(folder, 'last'), '');
    await eventually('everything was told', () => seen.has('last'));
    expect(seen).not.toContain('gateway.sock');
    expect(readdirSync(folder)).toEqual(['last']);
  } finally {
    watcher.close();
  }
});

test('what is in the way is told all the same: a living server, another file, a folder that is not there', async () => {
  const server = createServer();
  await listenOn(server, { path, mode: MODE });
  await expect(tryToListen({ path, mode: MODE })).rejects.toMatchObject({ code: ErrorCode.PORT_IN_USE });
  expect(existsSync(path)).toBe(true);
  await new Promise((closed) => server.close(closed));
  await tryToListen({ path, mode: MODE });
  writeFileSync(path, '');
  await expect(tryToListen({ path, mode: MODE })).rejects.toMatchObject({ code: ErrorCode.PORT_IN_USE });
  const told = async (file: string): Promise<string> =>
    tryToListen({ path: file, mode: MODE }).catch(({ message }: Error) => message) as Promise<string>;
  expect(await told(join(folder, 'missing', 'gateway.sock'))).toContain('its folder does not exist');
  expect(await told(join(path, 'gateway.sock'))).toContain('a part of its path is no folder');
});
