/** The words that each release of a server knows, as its documentation has them; the releases that can be had are tried live. */
import { expect, test } from 'vitest';
import { type Dialect, dialectOf } from '../../../../src/failover/plan/dialect.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { replicaStatusStatements } from '../../../../src/mysql/replica-status.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';

const SOURCE = { host: 'db1', port: 3306, user: 'repl', tls: false } as const;

function dialect(version: string, numbering: NodeSurvey['numbering']): Dialect {
  return dialectOf({ version: parseServerVersion(version), numbering });
}
/** Every statement of a change, in one text. */
function statements(d: Dialect): string {
  const { stopReceiving, startReceiving, stopReplication, startReplication, forgetSource, position } = d;
  const threads = [stopReceiving, startReceiving, stopReplication, startReplication, forgetSource];
  return [...threads, position.sql, d.waitFor(1), ...d.repoint(SOURCE), ...d.demote(SOURCE)].join('\n');
}

test.each([
  ['5.7.44-log', 'mysql-gtid', 'SLAVE', 'CHANGE MASTER TO MASTER_HOST'],
  ['8.0.21', 'mysql-gtid', 'SLAVE', 'CHANGE MASTER TO MASTER_HOST'],
  ['8.0.22', 'mysql-gtid', 'REPLICA', 'CHANGE MASTER TO MASTER_HOST'],
  ['8.0.23', 'mysql-gtid', 'REPLICA', 'CHANGE REPLICATION SOURCE TO SOURCE_HOST'],
  ['8.4.3', 'mysql-gtid', 'REPLICA', 'CHANGE REPLICATION SOURCE TO SOURCE_HOST'],
  ['9.7.0', 'mysql-gtid', 'REPLICA', 'CHANGE REPLICATION SOURCE TO SOURCE_HOST'],
  ['10.6.18-MariaDB-log', 'mariadb-gtid', 'SLAVE', 'CHANGE MASTER TO MASTER_HOST'],
  ['11.8.9-MariaDB', 'mariadb-gtid', 'SLAVE', 'CHANGE MASTER TO MASTER_HOST'],
] as const)('%s: %s, STOP %s, %s', (version, numbering, replica, change) => {
  for (const each of [numbering, 'file-position'] as const) {
    const text = statements(dialect(version, each));
    expect(text).toContain(`STOP ${replica} IO_THREAD`);
    expect(text).toContain(`RESET ${replica} ALL`);
    expect(text).toContain(change);
    // No word of another release: one of them alone is a syntax error there.
    expect(text).not.toMatch(replica === 'SLAVE' ? /\bREPLICA\b/ : /\bSLAVE\b/);
    expect(text).not.toMatch(
      change.includes('MASTER') ? /SOURCE_(?!POS)|REPLICATION SOURCE/ : /MASTER_(?!POS)|CHANGE MASTER/,
    );
  }
});

test.each([
  ['8.0.25', 'SHOW MASTER STATUS', 'MASTER_POS_WAIT'],
  ['8.0.26', 'SHOW MASTER STATUS', 'SOURCE_POS_WAIT'],
  ['8.1.0', 'SHOW MASTER STATUS', 'SOURCE_POS_WAIT'],
  ['8.2.0', 'SHOW BINARY LOG STATUS', 'SOURCE_POS_WAIT'],
  ['8.4.0', 'SHOW BINARY LOG STATUS', 'SOURCE_POS_WAIT'],
  ['10.11.19-MariaDB', 'SHOW MASTER STATUS', 'MASTER_POS_WAIT'],
])('%s without GTIDs: %s, %s', (version, status, wait) => {
  const text = statements(dialect(version, 'file-position'));
  expect(text).toContain(status);
  expect(text).toContain(wait);
});

test.each([
  ['10.6.18-MariaDB', /SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_binlog_pos/, /DEMOTE_TO_SLAVE/],
  ['10.10.1-MariaDB', /MASTER_DEMOTE_TO_SLAVE=1/, /SET GLOBAL gtid_slave_pos/],
  ['11.8.9-MariaDB', /MASTER_DEMOTE_TO_SLAVE=1/, /SET GLOBAL gtid_slave_pos/],
])('%s makes a former primary a replica in its own way', (version, is, isNot) => {
  const text = dialect(version, 'mariadb-gtid').demote(SOURCE).join('\n');
  expect(text).toMatch(is);
  expect(text).not.toMatch(isNot);
});

test.each([
  ['5.7.44', 'SHOW SLAVE STATUS'],
  ['8.0.22', 'SHOW REPLICA STATUS'],
  ['9.7.0', 'SHOW REPLICA STATUS'],
  ['10.6.18-MariaDB', 'SHOW ALL SLAVES STATUS'],
])('%s: %s', (version, sql) => {
  expect(replicaStatusStatements(parseServerVersion(version))[0]).toBe(sql);
});

test.each(['mysql-gtid', 'file-position'] as const)(
  'a replica of MySQL (%s) tries for ever, and keeps the source that it is given',
  (numbering) => {
    for (const version of ['8.0.23', '9.7.0']) {
      const d = dialect(version, numbering);
      for (const sql of [...d.repoint(SOURCE), ...d.demote(SOURCE)]) {
        expect(sql).toContain('SOURCE_RETRY_COUNT=86400');
        expect(sql).toContain('SOURCE_CONNECTION_AUTO_FAILOVER=0');
      }
    }
    const old = statements(dialect('8.0.21', numbering));
    expect(old).toContain('MASTER_RETRY_COUNT=86400');
    expect(old).not.toContain('AUTO_FAILOVER');
  },
);

test.each(['mysql-gtid', 'file-position'] as const)(
  'a former primary of MySQL 8 (%s) asks for the key without which an account of today cannot log in in clear text',
  (numbering) => {
    const key = (version: string) =>
      dialect(version, numbering)
        .demote(SOURCE)
        .join()
        .match(/GET_\w+=1/)?.[0];
    expect(['5.7.44-log', '8.0.22', '8.4.3', '9.7.0'].map(key)).toEqual([
      undefined,
      'GET_MASTER_PUBLIC_KEY=1',
      'GET_SOURCE_PUBLIC_KEY=1',
      'GET_SOURCE_PUBLIC_KEY=1',
    ]);
  },
);
