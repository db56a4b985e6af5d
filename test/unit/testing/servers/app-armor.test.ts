import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { confines, confiningProfile } from '../../../../src/testing/servers/app-armor.js';

test.each([
  ['/usr/sbin/mysqld {\n  /var/lib/mysql/** rwk,\n}', true],
  ['profile mysqld /usr/sbin/mysqld {\n}', true],
  ['profile mysqld "/usr/sbin/mysqld" flags=(attach_disconnected) {\n}', true],
  ['/usr/sbin/mysqld flags=(complain) {\n}', false],
  ['profile mysqld /usr/sbin/mysqld flags=(unconfined) {\n}', false],
  ['# /usr/sbin/mysqld {', false],
  ['# This file is intentionally empty', false],
  ['/usr/sbin/mysqld-akonadi {\n}', false],
])('%j confines mysqld: %s', (profile, expected) => {
  expect(confines(profile, '/usr/sbin/mysqld')).toBe(expected);
});

test('a profile that was disabled confines nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-armor-'));
  try {
    const program = join(folder, 'mysqld');
    writeFileSync(program, '');
    writeFileSync(join(folder, 'usr.sbin.mysqld'), `${program} {\n}\n`);
    expect(confiningProfile(program, folder)).toBe(join(folder, 'usr.sbin.mysqld'));
    mkdirSync(join(folder, 'disable'));
    writeFileSync(join(folder, 'disable', 'usr.sbin.mysqld'), '');
    expect(confiningProfile(program, folder)).toBeUndefined();
    expect(confiningProfile(program, join(folder, 'nowhere'))).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
