import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkPhp } from '../../../../src/cli/doctor/check-php.js';
import type { MountReader, MountsView } from '../../../../src/cli/mounts/mount-reader.js';

const { signal } = new AbortController();
let folder: string;
let php: { program: string; args: readonly string[] };
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'check-php-'));
  php = { program: join(folder, 'php'), args: [] };
  const told = [
    'Registered save handlers => files user',
    'session.save_handler => files => files',
    'session.save_path => /srv/a => /srv/a',
    'session.use_strict_mode => On => On',
    'session.cookie_httponly => On => On',
    'session.cookie_samesite => Lax => Lax',
  ];
  writeFileSync(php.program, ['#!/bin/sh', "cat <<'END'", ...told, 'END', ''].join('\n'), { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true }));

function seen(marked: boolean, ...standings: readonly string[]): MountsView {
  const mounts = standings.map((standing, at) => ({
    ...{ mount: ['/srv/a', '/srv/b'][at] ?? '', up: !standing.startsWith('down'), standing, error: null },
    device: undefined,
  }));
  return { marked, mounts };
}

test.each<[string, MountsView, string]>([
  ['that hangs', seen(true, 'healthy', 'down: hung'), '/srv/b is down: hung'],
  ['that is missing', seen(false, 'down: missing', 'down: missing'), '/srv/a is down: missing'],
  ['that nobody has opened', seen(false, 'healthy', 'healthy'), 'no service has opened the mounts yet'],
])('with a mount %s no session is tried, and it says why', async (_name, view, why) => {
  const reader: MountReader = {
    look: async () => view,
    read: () => Promise.reject(new Error('nothing is to be read')),
  };
  const checks = await checkPhp({ mounts: ['/srv/a', '/srv/b'] }, php, signal, reader);
  expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
  expect(checks.at(-1)).toMatchObject({
    ...{ what: 'round trip of a session', state: 'skipped', found: expect.stringContaining(why) },
  });
});
