import { expect, test } from 'vitest';
import { sessionSetupSql } from '../../../src/mysql/session-setup.js';

const setup = { collation: 'utf8mb4_unicode_ci', variables: {}, ignoreSpace: true };

test('trackers come before the character set, which MariaDB would not report otherwise', () => {
  for (const flavor of ['mysql', 'mariadb'] as const) {
    const sql = sessionSetupSql(flavor, setup);
    expect(sql.indexOf('session_track_system_variables')).toBeGreaterThan(0);
    expect(sql.indexOf('session_track_system_variables')).toBeLessThan(sql.indexOf('NAMES utf8mb4'));
  }
});

test('each family reports commits in its own way', () => {
  expect(sessionSetupSql('mysql', setup)).toContain("session_track_gtids = 'OWN_GTID'");
  expect(sessionSetupSql('mysql', setup)).not.toContain('last_gtid');
  expect(sessionSetupSql('mariadb', setup)).toContain(',last_gtid');
  expect(sessionSetupSql('mariadb', setup)).not.toContain('session_track_gtids');
});

test('what the user sets wins over what is set anyway', () => {
  const variables = { SQL_MODE: 'ANSI', session_track_gtids: 'OFF', Session_Track_System_Variables: '*' };
  expect(sessionSetupSql('mariadb', { ...setup, variables })).not.toContain('IGNORE_SPACE');
  expect(sessionSetupSql('mariadb', { ...setup, variables })).not.toContain('last_gtid');
  expect(sessionSetupSql('mysql', { ...setup, variables })).not.toContain('OWN_GTID');
});

test('IGNORE_SPACE is restored on MariaDB only, and only when the handshake sets it', () => {
  expect(sessionSetupSql('mariadb', setup)).toContain('IGNORE_SPACE');
  expect(sessionSetupSql('mysql', setup)).not.toContain('IGNORE_SPACE');
  expect(sessionSetupSql('mariadb', { ...setup, ignoreSpace: false })).not.toContain('IGNORE_SPACE');
});

test('the mode is set, so that it is told, and is what it was', () => {
  expect(sessionSetupSql('mysql', setup)).toContain('sql_mode = @@session.sql_mode');
  expect(sessionSetupSql('mariadb', { ...setup, ignoreSpace: false })).toContain(
    'sql_mode = @@session.sql_mode',
  );
  expect(sessionSetupSql('mysql', { ...setup, variables: { Sql_Mode: 'ANSI' } })).not.toContain('@@session');
});

test('no value can leave its place', () => {
  const evil = "x', sql_log_bin = 0, @a = '\\";
  const sql = sessionSetupSql('mysql', {
    ...setup,
    variables: { a: evil, b: '', c: 1.5, d: true, e: false },
  });
  expect(sql).toContain(`a = _utf8mb4 x'${Buffer.from(evil).toString('hex')}'`);
  expect(sql).toMatch(/b = '', c = 1\.5, d = 1, e = 0$/);
});

test('a character set that is its own collation has no COLLATE', () => {
  expect(sessionSetupSql('mysql', { ...setup, collation: 'binary' })).toMatch(/NAMES binary, sql_mode = /);
});

test('autocommit is on, whatever the server begins with', () => {
  expect(sessionSetupSql('mysql', setup)).toMatch(/, autocommit = 1$/);
  expect(sessionSetupSql('mariadb', { ...setup, variables: { AutoCommit: true } })).toMatch(
    /AutoCommit = 1$/,
  );
  expect(sessionSetupSql('mariadb', { ...setup, variables: { AutoCommit: true } })).not.toMatch(
    / autocommit/,
  );
});
