import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { missingPrivilegeError } from '../../../src/mysql/missing-privilege.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';

test.each([
  ['5.7.44', 'REPLICATION CLIENT'],
  ['8.4.2', 'REPLICATION CLIENT'],
  ['9.7.4', 'REPLICATION CLIENT'],
  ['10.4.34-MariaDB', 'REPLICATION CLIENT'],
  ['10.5.1-MariaDB', 'REPLICATION CLIENT'],
  ['10.5.8-MariaDB', 'REPLICATION SLAVE ADMIN'],
  ['10.5.9-MariaDB', 'SLAVE MONITOR'],
  ['11.8.2-MariaDB', 'SLAVE MONITOR'],
])('%s wants %s', (version, privilege) => {
  const error = missingPrivilegeError('db2:3306', parseServerVersion(version), 'monitor@10.0.%');
  expect(error).toMatchObject({ code: ErrorCode.MISSING_PRIVILEGE, node: 'db2:3306' });
  expect(error.message).toContain(`GRANT ${privilege} ON *.* TO 'monitor'@'10.0.%'`);
});

test('names with quotes and at signs stay names', () => {
  const error = missingPrivilegeError('db2', parseServerVersion('9.7.4'), "o'neil@x@%");
  expect(error.message).toContain("TO 'o''neil@x'@'%'");
});
