import { expect, test } from 'vitest';
import { lackingRights, rightsToRebuild } from '../../../../src/failover/rebuild/rebuild-rights.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUpSession } from './made-up-session.js';

const lacking = (version: string, grants: readonly string[], active = 0): ReturnType<typeof lackingRights> =>
  lackingRights(
    madeUpSession(version, {
      'SHOW GRANTS': grants.map((text) => ({ text })),
      'SELECT CURRENT_USER': [{ account: 'u@10.%' }],
      'SELECT COUNT(*) AS active': [{ active }],
    }),
  );
const all = (version: string): string => rightsToRebuild(parseServerVersion(version)).join(', ');

test.each([
  ['everything', '10.11.6-MariaDB', ['GRANT ALL PRIVILEGES ON *.* TO `u`@`%`']],
  ['what is named', '10.11.6-MariaDB', [`GRANT ${all('10.11.6-MariaDB')} ON *.* TO \`u\`@\`%\``]],
  ['what is named', '10.4.3-MariaDB', [`GRANT ${all('10.4.3-MariaDB')} ON *.* TO \`u\`@\`%\``]],
  [
    'SUPER where it stands for the rest',
    '10.6.3-MariaDB',
    [
      'GRANT SELECT, SHOW VIEW, EXECUTE, TRIGGER, EVENT, INSERT, CREATE, DROP, ALTER, LOCK TABLES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, RELOAD, REPLICATION SLAVE, SUPER ON *.* TO `u`@`%`',
    ],
  ],
  [
    'what is named, in two lines as MySQL tells it',
    '8.4.3',
    [
      'GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `u`@`%`',
      'GRANT BACKUP_ADMIN,CLONE_ADMIN,CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `u`@`%`',
      'GRANT INSERT ON `mysql`.`plugin` TO `u`@`%`',
    ],
  ],
])('enough: %s', async (_, version, grants) => {
  expect(await lacking(version, grants)).toEqual({ names: [], grants: [] });
});

test('SUPER of MySQL is neither BACKUP_ADMIN nor CLONE_ADMIN', async () => {
  const grants = ['GRANT SELECT, SUPER, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `u`@`%`'];
  const { names } = await lacking('8.4.3', grants, 1);
  expect(names).toEqual(['BACKUP_ADMIN', 'CLONE_ADMIN']);
});

test('INSERT on mysql.plugin is needed only where the plugin is not there', async () => {
  const grants = [
    `GRANT ${all('8.4.3')} ON *.* TO \`u\`@\`%\``,
    'GRANT SELECT ON `mysql`.`plugin` TO `u`@`%`',
  ];
  expect(await lacking('8.4.3', grants, 1)).toEqual({ names: [], grants: [] });
  expect(await lacking('8.4.3', grants)).toEqual({
    names: ['INSERT on mysql.plugin'],
    grants: ["GRANT INSERT ON mysql.plugin TO 'u'@'10.%'"],
  });
});

test('a grant for one database is not enough, as the system tables are copied, too', async () => {
  expect(await lacking('10.11.6-MariaDB', ['GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%`'])).toMatchObject({
    names: expect.arrayContaining(['SELECT', 'DROP', 'SET USER']),
    grants: [expect.stringMatching(/^GRANT SELECT, .* ON \*\.\* TO 'u'@'10\.%'$/)],
  });
});
