import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addOwnTimeZones,
  redirectTimeZones,
  withTimeZones,
} from '../../../../src/testing/servers/php-time-zones.js';
import { putScript } from './fake-programs.js';

describe('the paths in a program', () => {
  test('are pointed at the descriptor, end where they ended, and leave every other byte alone', () => {
    const program = Buffer.from(
      '\x7fELF\0/usr/share/zoneinfo/%s\0/usr/share/zoneinfo/zone.tab\0/usr/share/other\0',
      'latin1',
    );
    const redirected = redirectTimeZones(program);
    expect(redirected?.toString('latin1')).toBe(
      '\x7fELF\0/proc/self/fd/9/%s\0\0\0\0\0/proc/self/fd/9/zone.tab\0\0\0\0\0/usr/share/other\0',
    );
    expect(redirected).toHaveLength(program.length);
  });

  test('are missing in a program that brings its own time zones', () => {
    expect(redirectTimeZones(Buffer.from('\x7fELF\0/usr/share/zone\0', 'latin1'))).toBeUndefined();
  });

  test('that never end are not touched', () => {
    expect(redirectTimeZones(Buffer.from('/usr/share/zoneinfo/%s'))).toBeUndefined();
  });
});

describe('a PHP of a package folder', () => {
  let folder = '';
  const copy = (): string => join(folder, 'usr/bin/php8.2-own-zoneinfo');
  const plain = () => ({ command: '/bin/sh', prefixArgs: [join(folder, 'usr/bin/php8.2')] });
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-zones-')));
    putScript(folder, 'usr/bin/php8.2', 'cat /usr/share/zoneinfo/UTC; echo "$@"; exit\n\0');
    mkdirSync(join(folder, 'usr/share/zoneinfo'), { recursive: true });
    writeFileSync(join(folder, 'usr/share/zoneinfo/UTC'), 'own zone\n');
    writeFileSync(join(folder, 'usr/bin/plain'), 'no path');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('gets an executable copy only if it needs one', () => {
    addOwnTimeZones(folder, 'usr/bin/php8.2');
    addOwnTimeZones(folder, 'usr/bin/plain');
    expect(readFileSync(copy(), 'latin1')).toContain('/proc/self/fd/9/UTC');
    expect(statSync(copy()).mode & 0o111).toBe(0o111);
    expect(statSync(join(folder, 'usr/bin/plain-own-zoneinfo'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('is run as it is where the system has time zones, or where there is no copy', () => {
    const systemZones = join(folder, 'usr/share/zoneinfo');
    expect(withTimeZones(folder, plain(), join(folder, 'nowhere'))).toEqual(plain());
    addOwnTimeZones(folder, 'usr/bin/php8.2');
    expect(withTimeZones(folder, plain(), systemZones)).toEqual(plain());
  });

  test("reads the folder's time zones where the system has none, and gets its arguments", () => {
    addOwnTimeZones(folder, 'usr/bin/php8.2');
    const { command, prefixArgs } = withTimeZones(folder, plain(), join(folder, 'nowhere'));
    expect(prefixArgs.at(-1)).toBe(copy());
    const output = execFileSync(command, [...prefixArgs, '-r', 'a b'], { encoding: 'latin1' });
    expect(output).toMatch(/^own zone\n-r a b\n/);
  });
});
