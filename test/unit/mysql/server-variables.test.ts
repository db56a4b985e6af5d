import { describe, expect, test } from 'vitest';
import {
  canTellFineLag,
  readFineLag,
  readServerVariables,
  serverVariablesSql,
  withFineLag,
} from '../../../src/mysql/server-variables.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';
import type { ReplicationChannel } from '../../../src/topology/node-description.js';

const mysql = parseServerVersion('9.7.4');
const mariadb = parseServerVersion('10.11.14-MariaDB');

describe('variables', () => {
  test.each<[string | undefined, string | undefined]>([
    ['1062,1032', '1062,1032'],
    ['ALL', 'ALL'],
    ['OFF', undefined],
    ['off', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('errors that a server passes over: %s', (value, skipped) => {
    const row = { version: '9.7.4', server_id: 2, replica_skip_errors: value };
    const filter = skipped === undefined ? undefined : [`replica_skip_errors=${skipped}`];
    expect(readServerVariables(row).skippedErrors).toEqual(filter);
    const old = { version: '10.11.14-MariaDB', server_id: 2, slave_skip_errors: value };
    const alike = skipped === undefined ? undefined : [`slave_skip_errors=${skipped}`];
    expect(readServerVariables(old).skippedErrors).toEqual(alike);
  });

  test('each family is only asked for what it has', () => {
    expect(serverVariablesSql(mariadb, false)).not.toMatch(/super_read_only|server_uuid|gtid_executed/);
    expect(serverVariablesSql(mysql, false)).not.toMatch(
      /gtid_current_pos|gtid_binlog_state|performance_schema/,
    );
    expect(serverVariablesSql(mysql, true)).toContain('performance_schema');
    expect([canTellFineLag(mysql), canTellFineLag(mariadb)]).toEqual([true, false]);
    expect(canTellFineLag(parseServerVersion('5.7.44'))).toBe(false);
    const skipped = [mariadb, mysql, parseServerVersion('8.0.25')].map(
      (version) => /(\w+)_skip_errors AS/.exec(serverVariablesSql(version, false))?.[1],
    );
    expect(skipped).toEqual(['slave', 'replica', 'slave']);
  });

  test('a MySQL server', () => {
    const row = {
      version: '9.7.4',
      server_id: 2,
      read_only: 0,
      innodb_read_only: 0,
      super_read_only: 0,
      server_uuid: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
      own_name: 'machine:3306',
      gtid: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-9',
    };
    expect(readServerVariables(row)).toEqual({
      flavor: 'mysql',
      version: '9.7.4',
      serverId: 2,
      serverUuid: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
      ownName: 'machine:3306',
      readOnly: false,
      gtid: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1-9',
    });
  });

  test('a MariaDB server', () => {
    const row = {
      version: '10.11.14-MariaDB',
      server_id: 3,
      read_only: 1,
      gtid: '0-1-7',
      gtid_state: '0-1-7',
    };
    expect(readServerVariables(row)).toEqual({
      flavor: 'mariadb',
      version: '10.11.14-MariaDB',
      serverId: 3,
      readOnly: true,
      gtid: '0-1-7',
      gtidState: '0-1-7',
    });
  });

  test.each([
    [{ read_only: 1 }, true],
    [{ super_read_only: 1 }, true],
    [{ innodb_read_only: 1 }, true],
    [{ read_only: 'ON' }, true],
    [{ read_only: 'NO_LOCK_NO_ADMIN' }, true],
    [{ read_only: 'OFF', innodb_read_only: 0 }, false],
    [{ read_only: 0, super_read_only: 0, innodb_read_only: 0 }, false],
  ])('%o: read-only is %s', (row, readOnly) => {
    expect(readServerVariables({ version: '9', ...row }).readOnly).toBe(readOnly);
  });
});

describe('lag in milliseconds', () => {
  const channel: ReplicationChannel = {
    name: '',
    sourceHost: 'db1',
    sourcePort: 3306,
    sourceServerId: 1,
    io: 'yes',
    sql: true,
    lagMs: 3_000,
    delayMs: 0,
    error: '',
  };
  const refined = (fields: Partial<ReplicationChannel>, lags: unknown): number | null | undefined => {
    const fine = readFineLag({ fine_lag: typeof lags === 'object' ? JSON.stringify(lags) : lags });
    return withFineLag([{ ...channel, ...fields }], fine)[0]?.lagMs;
  };

  test('it replaces the whole seconds', () => {
    expect(refined({}, { '': 2_345 })).toBe(2_345);
  });

  test('unknown in either source is unknown', () => {
    expect(refined({}, { '': null })).toBeNull();
    expect(refined({ lagMs: null }, { '': 5 })).toBeNull();
  });

  test('of a delayed channel it only knows the newest transaction, so the larger one counts', () => {
    expect(refined({ delayMs: 60_000 }, { '': 700 })).toBe(3_000);
    expect(refined({ delayMs: 60_000 }, { '': 3_400 })).toBe(3_400);
  });

  test('a channel that it does not know keeps its seconds', () => {
    expect(refined({ name: 'eu' }, { '': 1 })).toBe(3_000);
    expect(withFineLag([channel], undefined)).toEqual([channel]);
    expect(readFineLag({})).toBeUndefined();
    expect(readFineLag({ fine_lag: null })).toEqual(new Map());
    expect(refined({ name: '__proto__' }, {})).toBe(3_000);
  });
});
