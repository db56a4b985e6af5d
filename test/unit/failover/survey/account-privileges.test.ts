/** What an account lacks for a change, from the lines of `SHOW GRANTS` as servers write them. */
import { describe, expect, test } from 'vitest';
import { chooseCandidate } from '../../../../src/failover/plan/candidate-choice.js';
import {
  type AccountUse,
  grantStatements,
  grantsOf,
  lackingForEvents,
  lackingPrivileges,
  lackingToEnd,
  namesOf,
} from '../../../../src/failover/survey/account-privileges.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUp } from '../made-up-survey.js';

const META = 'SELECT, INSERT, UPDATE, DELETE, CREATE';

function lacking(version: string, lines: readonly string[], use: AccountUse = 'act'): readonly string[] {
  const grants = grantsOf(lines.map((line) => ({ 'Grants for m@%': line })));
  return namesOf(lackingPrivileges(parseServerVersion(version), grants, use));
}

describe.each<[string, string, readonly string[], readonly string[]]>([
  [
    'nothing was granted',
    '10.11.6-MariaDB',
    ['GRANT USAGE ON *.* TO `m`@`%`'],
    [
      'READ_ONLY ADMIN',
      'REPLICATION SLAVE ADMIN',
      'REPLICATION MASTER ADMIN',
      'REPLICA MONITOR',
      'BINLOG MONITOR',
      'BINLOG ADMIN',
      'RELOAD',
      'CREATE',
      'SELECT',
      'INSERT',
      'UPDATE',
      'DELETE',
    ],
  ],
  ['all', '11.8.2-MariaDB', ["GRANT ALL PRIVILEGES ON *.* TO `m`@`%` IDENTIFIED BY PASSWORD '*00'"], []],
  [
    'a list, the tables of the manager only',
    '10.11.6-MariaDB',
    [
      'GRANT RELOAD, BINLOG MONITOR, BINLOG ADMIN, READ_ONLY ADMIN, REPLICATION MASTER ADMIN, REPLICATION SLAVE ADMIN, SLAVE MONITOR ON *.* TO `m`@`%`',
      `GRANT ${META} ON \`ha_meta\`.* TO \`m\`@\`%\``,
    ],
    [],
  ],
  [
    'the other database of that name',
    '10.11.6-MariaDB',
    [
      'GRANT RELOAD, BINLOG MONITOR, BINLOG ADMIN, READ_ONLY ADMIN, REPLICATION MASTER ADMIN, REPLICATION SLAVE ADMIN, SLAVE MONITOR ON *.* TO `m`@`%`',
      `GRANT ${META} ON \`ha_meta2\`.* TO \`m\`@\`%\``,
    ],
    ['CREATE', 'SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  ],
  [
    'a role that is active',
    '10.11.6-MariaDB',
    [
      'GRANT `r` TO `m`@`%`',
      'GRANT USAGE ON *.* TO `m`@`%`',
      'GRANT SUPER, READ_ONLY ADMIN ON *.* TO `r`',
      `GRANT ${META} ON \`ha\\_meta\`.* TO \`r\``,
    ],
    ['RELOAD'],
  ],
  [
    'SUPER, which is no more what it was',
    '10.11.6-MariaDB',
    [`GRANT SUPER, RELOAD, ${META} ON *.* TO \`m\`@\`%\``],
    ['READ_ONLY ADMIN'],
  ],
  [
    'SUPER, which is nothing by itself',
    '11.4.2-MariaDB',
    [`GRANT SUPER, RELOAD, ${META} ON *.* TO \`m\`@\`%\``],
    [
      'READ_ONLY ADMIN',
      'REPLICATION SLAVE ADMIN',
      'REPLICATION MASTER ADMIN',
      'REPLICA MONITOR',
      'BINLOG MONITOR',
      'BINLOG ADMIN',
    ],
  ],
  [
    'two kinds of lines',
    '9.7.0',
    [
      `GRANT ${META}, REPLICATION CLIENT ON *.* TO \`m\`@\`%\``,
      'GRANT CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `m`@`%`',
    ],
    ['RELOAD'],
  ],
])('%s', (_, version, lines, wanted) => {
  test(version, () => {
    expect(lacking(version, lines)).toEqual(wanted);
  });
});

test('what is not logged on an old primary is asked for by preflight, and keeps no node from becoming the primary', () => {
  const grant = `GRANT RELOAD, BINLOG MONITOR, READ_ONLY ADMIN, REPLICATION MASTER ADMIN, REPLICATION SLAVE ADMIN, SLAVE MONITOR, ${META} ON *.* TO \`m\`@\`%\``;
  expect(lacking('10.11.6-MariaDB', [grant])).toEqual(['BINLOG ADMIN']);
  expect(lacking('10.11.6-MariaDB', [grant], 'change')).toEqual([]);
});

test('a witness takes a vote', () => {
  const lines = ['GRANT SELECT, INSERT ON `ha_meta`.* TO `w`@`%`'];
  expect(lacking('9.7.0', lines, 'vote')).toEqual(['CREATE', 'DELETE']);
});

test.each([
  ['`ha\\_%`', true],
  ['`ha%`', true],
  ['`%`', true],
  ['`ha_meta`', true],
  ['`HA\\_META`', true],
  ['`ha\\_m_t_`', true],
  ['`ha\\_`', false],
  ['`ha.meta`', false],
  ['`ham%`', false],
  ['`xha%`', false],
  ['`ha\\%`', false],
])('a grant on %s.* holds for the tables of the manager: %s', (database, holds) => {
  const lines = [`GRANT ALL PRIVILEGES ON ${database}.* TO \`w\`@\`%\``];
  expect(lacking('10.11.6-MariaDB', lines, 'vote')).toEqual(
    holds ? [] : ['CREATE', 'SELECT', 'INSERT', 'DELETE'],
  );
});

test('of several patterns the server goes by the most exact one, of an account and of each of its roles', () => {
  const lines = [
    'GRANT ALL PRIVILEGES ON `ha%`.* TO `w`@`%`',
    'GRANT SELECT ON `ha\\_meta`.* TO `w`@`%`',
    'GRANT ALL PRIVILEGES ON `%`.* TO `r`',
    'GRANT INSERT ON `ha\\_%`.* TO `r`',
  ];
  expect(lacking('10.11.6-MariaDB', lines, 'vote')).toEqual(['CREATE', 'DELETE']);
});

test('the statements grant each where it belongs', () => {
  const nothing = grantsOf([{ grants: 'GRANT RELOAD ON *.* TO `m`@`%`' }]);
  const lacks = lackingPrivileges(parseServerVersion('9.7.0'), nothing, 'act-and-fence');
  expect(grantStatements(lacks, "'m'@'%'")).toEqual([
    "GRANT SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, REPLICATION CLIENT ON *.* TO 'm'@'%'",
    "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE, EVENT ON ha_meta.* TO 'm'@'%'",
  ]);
});

test.each<[string, string, readonly string[], readonly string[]]>([
  [
    'nothing was granted',
    '10.11.6-MariaDB',
    ['RELOAD ON *.*'],
    ["GRANT PROCESS, CONNECTION ADMIN ON *.* TO 'm'@'%'", "GRANT SELECT ON mysql.* TO 'm'@'%'"],
  ],
  ['all of it was', '11.8.2-MariaDB', ['PROCESS, CONNECTION ADMIN ON *.*', 'SELECT ON `mysql`.*'], []],
  ['everything was', '11.8.2-MariaDB', ['ALL PRIVILEGES ON *.*'], []],
  [
    'tables are not enough',
    '10.6.9-MariaDB',
    ['PROCESS, CONNECTION ADMIN ON *.*', 'SELECT ON `mysql`.`user`', 'SELECT ON `ha_meta`.*'],
    ["GRANT SELECT ON mysql.* TO 'm'@'%'"],
  ],
  ['SELECT everywhere, and SUPER', '10.6.9-MariaDB', ['PROCESS, SELECT, SUPER ON *.*'], []],
  [
    'SUPER does not end others any more',
    '11.4.2-MariaDB',
    ['PROCESS, SELECT, SUPER ON *.*'],
    ["GRANT CONNECTION ADMIN ON *.* TO 'm'@'%'"],
  ],
  ['an old one', '10.4.30-MariaDB', ['PROCESS, SELECT ON *.*'], ["GRANT SUPER ON *.* TO 'm'@'%'"]],
  ['MySQL', '9.7.0', ['USAGE ON *.*'], ["GRANT PROCESS, CONNECTION_ADMIN ON *.* TO 'm'@'%'"]],
  ['MySQL, where all of it was', '9.7.0', ['PROCESS ON *.*', 'CONNECTION_ADMIN ON *.*'], []],
])('to end sessions: %s (%s)', (_, version, granted, statements) => {
  const grants = grantsOf(granted.map((each) => ({ grants: `GRANT ${each} TO \`m\`@\`%\`` })));
  const lacks = lackingToEnd(parseServerVersion(version), grants);
  expect(grantStatements(lacks, "'m'@'%'")).toEqual(statements);
});

test('a node on which a change would stop in the middle is not chosen, in whatever mode', () => {
  const source = { host: 'p', port: 1 };
  const surveys = [madeUp('a 2', { source, lacking: ['RELOAD'] }), madeUp('b 3', { source })];
  const wishes = { prefer: ['a 2'], avoid: [], never: [] };
  expect(chooseCandidate({ surveys, wishes, isolated: new Set() })).toMatchObject({
    to: 'b 3',
    excluded: [{ node: 'a 2', why: expect.stringContaining('lacks RELOAD there') }],
  });
});

test.each<[string, string, readonly string[]]>([
  ['5.7.44', 'RELOAD', ['EVENT', 'SUPER']],
  ['8.0.36', 'EVENT', ['SET_USER_ID']],
  ['8.0.36', 'EVENT, SET_USER_ID', []],
  ['8.3.0', 'EVENT, SET_USER_ID', []],
  ['9.7.0', 'EVENT', ['SET_ANY_DEFINER']],
  ['9.7.0', 'SET_ANY_DEFINER', ['EVENT']],
  ['9.7.0', 'EVENT, SUPER', []],
  ['10.4.8-MariaDB', 'EVENT', ['SUPER']],
  ['10.11.6-MariaDB', 'EVENT', ['SET USER', 'BINLOG ADMIN']],
  ['10.11.6-MariaDB', 'EVENT, SUPER', []],
  ['11.8.2-MariaDB', 'EVENT, SUPER', ['SET USER', 'BINLOG ADMIN']],
  ['11.8.2-MariaDB', 'EVENT, SET USER, BINLOG ADMIN', []],
  ['11.8.2-MariaDB', 'ALL PRIVILEGES', []],
])('on %s %s lacks for scheduled events: %j', (version, names, wanted) => {
  const grants = grantsOf([{ 'Grants for m@%': `GRANT ${names} ON *.* TO \`m\`@\`%\`` }]);
  expect(lackingForEvents(parseServerVersion(version), grants)).toEqual(wanted);
});
