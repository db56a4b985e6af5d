/** A former primary receives as the replicas do, never in clear text where they do not. */
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import { resolveActingOptions } from '../../../../src/failover/acting-options.js';
import { ChangeControl } from '../../../../src/failover/change/change-control.js';
import { MetaStore } from '../../../../src/failover/meta/meta-store.js';
import { tlsNotedIn } from '../../../../src/failover/meta/noted-tls.js';
import { dialectOf } from '../../../../src/failover/plan/dialect.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import {
  type ReplicationTls,
  tlsAmong,
  tlsIn,
  tlsSql,
  weaknessesOf,
} from '../../../../src/failover/plan/replication-tls.js';
import {
  settingsChecks,
  tlsChecks,
  tlsFileChecks,
} from '../../../../src/failover/preflight/replication-checks.js';
import type { ReplicationOptions } from '../../../../src/failover/replication-options.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const MARIADB = parseServerVersion('10.11.14-MariaDB');
const NEWEST = parseServerVersion('11.8.9-MariaDB');
const plain = { Master_SSL_Allowed: 'No' };
const encrypted = { Master_SSL_Allowed: 'Yes', Master_SSL_Verify_Server_Cert: 'No' };
const verified = {
  Master_SSL_Allowed: 'Yes',
  Master_SSL_CA_File: "/etc/it's/ca.pem",
  Master_SSL_Cert: '/etc/c.pem',
  Master_SSL_Key: 'C:\\k.pem',
  Master_SSL_Verify_Server_Cert: 'Yes',
};
const inSource = (row: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name.replace('Master_', 'Source_'), value]));
const replica = (node: string, status: Readonly<Record<string, unknown>>): NodeSurvey =>
  madeUp(node, { source, status });
const optionsOf = (tls: ReplicationOptions['tls']) =>
  resolveActingOptions('failover', {
    credentials: { user: 'a', password: 'b' },
    replication: { user: 'r', password: 'p', tls },
  });
const told = (tls: ReplicationOptions['tls']): ReplicationTls | undefined => optionsOf(tls).replication.tls;

describe('what a replica has set, as CHANGE has it', () => {
  test.each([
    ['nothing', {}, undefined],
    ['clear text', plain, 'MASTER_SSL=0'],
    ['encrypted', encrypted, 'MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0'],
    [
      'with a look at certificates',
      verified,
      "MASTER_SSL=1, MASTER_SSL_CA='/etc/it''s/ca.pem', MASTER_SSL_CERT='/etc/c.pem', MASTER_SSL_KEY='C:\\\\k.pem', " +
        'MASTER_SSL_VERIFY_SERVER_CERT=1',
    ],
    [
      'with the rest',
      {
        ...encrypted,
        Master_SSL_CA_Path: '/a',
        Master_SSL_Cipher: 'b',
        Master_SSL_Crl: '/c',
        Master_SSL_Crlpath: '/d',
        Master_TLS_Version: 'TLSv1.3',
      },
      "MASTER_SSL=1, MASTER_SSL_CAPATH='/a', MASTER_SSL_CIPHER='b', MASTER_SSL_CRL='/c', MASTER_SSL_CRLPATH='/d', " +
        "MASTER_TLS_VERSION='TLSv1.3', MASTER_SSL_VERIFY_SERVER_CERT=0",
    ],
  ])('%s', (_, status, sql) => {
    for (const word of ['MASTER', 'SOURCE'] as const) {
      const tls = tlsIn(word === 'MASTER' ? status : inSource(status));
      expect(tls === undefined ? undefined : tlsSql(word, tls)).toBe(sql?.replaceAll('MASTER_', `${word}_`));
    }
  });
});

test.each([
  ['9.7.0', 'mysql-gtid', 'SOURCE'],
  ['9.7.0', 'file-position', 'SOURCE'],
  ['8.0.22', 'mysql-gtid', 'MASTER'],
  ['10.6.18-MariaDB', 'mariadb-gtid', 'MASTER'],
  ['11.8.9-MariaDB', 'mariadb-gtid', 'MASTER'],
  ['10.11.14-MariaDB', 'file-position', 'MASTER'],
] as const)('a former primary of %s (%s) gets it', (version, numbering, word) => {
  const tls: ReplicationTls = { verify: true, texts: { SSL_CA: '/ca.pem' } };
  const dialect = dialectOf({ version: parseServerVersion(version), numbering });
  const sql = dialect.demote({ host: 'db2', port: 3306, user: 'r', tls }).join('; ');
  expect(sql).toContain(`${word}_SSL=1, ${word}_SSL_CA='/ca.pem', ${word}_SSL_VERIFY_SERVER_CERT=1`);
  // A replica keeps what it has.
  expect(dialect.repoint({ host: 'db2', port: 3306, user: 'r', tls }).join()).not.toContain('SSL');
});

test('of several replicas the one that is protected best is taken, whoever answered first', () => {
  const all = [plain, encrypted, verified].map((status, index) => replica(`db${index}`, status));
  const best = tlsIn(verified);
  expect(tlsAmong(all)).toEqual(best);
  expect(tlsAmong([...all].reverse())).toEqual(best);
  expect(tlsAmong(all.slice(0, 2))).toEqual(tlsIn(encrypted));
  expect(tlsAmong(all.slice(0, 1))).toBe(false);
  expect(tlsAmong([madeUp('db1')])).toBeUndefined();
});

describe('what plans are made with', () => {
  const controlOf = (tls: ReplicationOptions['tls']): ((...surveys: NodeSurvey[]) => Promise<unknown>) => {
    const voter = { id: 'db2', kind: 'data', address: { host: 'db2', port: 3306 } };
    const control = new ChangeControl({
      options: optionsOf(tls),
      hooks: {},
      policy: {},
      voters: [voter],
      rules: { voters: 3, leaseMs: 5_000, handoverMs: 200 },
      meta: new MetaStore('c'),
      actor: 'test',
      clock: systemClock,
      evidence: () => [],
      isolated: () => new Set(),
      primary: () => undefined,
    } as never);
    return async (...surveys) => {
      const nodes = new Map(surveys.map((survey) => [survey.node, survey]));
      const context = await control.context({ nodes, silent: new Map(), sources: new Map() });
      return context.sourceAt('db2').tls;
    };
  };
  const primary = (offersTls: boolean): NodeSurvey => ({ ...madeUp('db2'), offersTls });
  test('is what the replicas do, and what they did when they are gone', async () => {
    const tlsOf = controlOf(undefined);
    expect(await tlsOf(replica('db3', verified))).toEqual(tlsIn(verified));
    expect(await tlsOf(primary(true))).toEqual(tlsIn(verified));
    expect(await tlsOf(primary(true), replica('db3', plain))).toBe(false);
  });
  test('is encrypted where nobody knows, if the primary can', async () => {
    expect(await controlOf(undefined)(primary(true))).toEqual({ verify: false, texts: {} });
    expect(await controlOf(undefined)(primary(false))).toBe(false);
  });
  test('is what the option says, whatever the replicas do', async () => {
    expect(await controlOf(false)(replica('db3', verified))).toBe(false);
    expect(await controlOf(true)(replica('db3', plain))).toEqual({ verify: undefined, texts: {} });
  });
});

describe('the files that a former primary would read', () => {
  const options = { ca: '/etc/ca.pem', cert: '/etc/c.pem', key: '/etc/k.pem' };
  const checksOf = (tls: ReplicationOptions['tls'], ...surveys: NodeSurvey[]) =>
    tlsFileChecks(surveys, told(tls)).map(({ node, result, detail }) => [node, result, detail]);
  const primary = (variables: Readonly<Record<string, string>> = {}): NodeSurvey =>
    madeUp('db1', { variables: { datadir: '/data/', ...variables } });
  const receiving = {
    ...encrypted,
    Master_SSL_CA_File: '/etc/ca.pem',
    Master_SSL_Cert: '/etc/c.pem',
    Master_SSL_Key: '/etc/k.pem',
  };
  const passed = (node: string) => [node, 'pass', 'replication-tls-files: as it should be'];

  test('are there where it uses them for its own clients, or receives with them', () => {
    const own = primary({ ssl_ca: '/etc/ca.pem', ssl_cert: '/etc/c.pem', ssl_key: '/etc/k.pem' });
    expect(checksOf(options, own, replica('db2', receiving))).toEqual([passed('db1'), passed('db2')]);
    expect(checksOf(undefined, own, replica('db2', receiving))).toEqual([passed('db1'), passed('db2')]);
    expect(checksOf({ ca: '/data/ca.pem' }, primary({ ssl_ca: 'ca.pem' }))).toEqual([passed('db1')]);
  });
  test('are told where nobody can tell, by preflight and by the plan', () => {
    const words =
      'db1 would receive with /etc/ca.pem, /etc/k.pem as a replica, and uses none of that now, so that nobody can tell whether it is there';
    const own = primary({ ssl_ca: 'ca.pem', ssl_cert: '/etc/c.pem', ssl_key: 'key.pem' });
    expect(checksOf(options, own)).toEqual([['db1', 'warn', expect.stringContaining(words)]]);
    const plan = planSwitchover(
      madeUpContext([own, replica('db2', receiving), replica('db3', receiving)], {
        sourceAt: (node) => ({ host: node, port: 3306, user: 'r', tls: told(options) ?? false }),
      }),
      'db1',
    );
    expect(plan.warnings).toEqual([words]);
  });
  test('are none where it would receive without', () => {
    for (const tls of [undefined, false, true])
      expect(checksOf(tls, primary(), replica('db2', plain))).toEqual([]);
  });
});

describe('what a change has noted of it', () => {
  test.each<[unknown]>([[false], [tlsIn(verified)], [tlsIn(encrypted)], [{ texts: {} }]])('%o', (tls) => {
    expect(tlsNotedIn(JSON.stringify({ kind: 'failover', tls, loss: {} }))).toEqual(tls);
  });
  test.each<[string]>([
    [''],
    ['null'],
    ['ended by another process'],
    ['{}'],
    ['{"tls":true}'],
    ['{"tls":null}'],
    ['{"tls":{"verify":1,"texts":{}}}'],
    ['{"tls":{"texts":{"SSL_CA":1}}}'],
    ['{"tls":{"texts":{"HOST=1, SSL_CA":"x"}}}'],
  ])('%s is nothing that can be used', (details) => {
    expect(tlsNotedIn(details)).toBeUndefined();
  });
});

describe('the option', () => {
  test.each<[ReplicationOptions['tls'], string]>([
    [true, 'MASTER_SSL=1'],
    [{}, 'MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0'],
    [{ ca: '/ca.pem' }, "MASTER_SSL=1, MASTER_SSL_CA='/ca.pem', MASTER_SSL_VERIFY_SERVER_CERT=1"],
    [
      { ca: '/ca.pem', cert: '/c.pem', key: '/k.pem', verify: false },
      "MASTER_SSL=1, MASTER_SSL_CA='/ca.pem', MASTER_SSL_CERT='/c.pem', MASTER_SSL_KEY='/k.pem', MASTER_SSL_VERIFY_SERVER_CERT=0",
    ],
  ])('%o', (tls, sql) => {
    expect(tlsSql('MASTER', told(tls) ?? false)).toBe(sql);
  });
  test.each<[unknown, RegExp]>([
    ['yes', /failover\.replication\.tls` to be true, false or \{ ca, cert, key, verify \}/],
    [null, /failover\.replication\.tls` to be true, false or/],
    [{ cert: '/c.pem' }, /replication\.tls\.key` to be a file: `cert` and `key` go together/],
    [{ ca: '' }, /replication\.tls\.ca` to be the path of a file on the database servers/],
    [{ ca: 'a\nb' }, /replication\.tls\.ca` to be the path/],
    [{ cat: '/c.pem' }, /replication\.tls/],
  ])('%o is refused', (tls, message) => {
    expect(() => told(tls as never)).toThrow(message);
  });
});

describe('preflight', () => {
  test.each([
    ['in clear text', false, 'in clear text'],
    [
      'with nothing but `true`',
      true,
      'without a look at who the source is, without its certificate authority',
    ],
    [
      'without a certificate of its own',
      { ca: '/ca.pem' },
      'would receive without a certificate of its own;',
    ],
  ] as const)('warns where replicas are protected better: %s', (_, tls, words) => {
    const checks = tlsChecks([madeUp('db1'), replica('db2', verified), replica('db3', plain)], told(tls));
    expect(checks.map(({ node, result }) => [node, result])).toEqual([
      ['db2', 'warn'],
      ['db3', 'pass'],
    ]);
    expect(checks[0]?.detail).toContain(words);
    expect(checks[0]?.detail).toContain(
      "`{ ca: '/etc/it's/ca.pem', cert: '/etc/c.pem', key: 'C:\\k.pem', verify: true }`",
    );
  });
  test('is content with what is as good, and with no option where several replicas tell', () => {
    const both = [replica('db2', verified), replica('db3', verified)];
    const same = { ca: '/ca.pem', cert: '/c.pem', key: '/k.pem' };
    for (const tls of [undefined, told(same)])
      expect(tlsChecks(both, tls).map(({ result }) => result)).toEqual(['pass', 'pass']);
    expect(tlsChecks([replica('db2', encrypted)], undefined).map(({ result }) => result)).toEqual(['pass']);
  });
  test('knows that newer MariaDB looks at certificates by itself', () => {
    const used: ReplicationTls = { verify: true, texts: {} };
    expect(weaknessesOf({ verify: undefined, texts: {} }, used, NEWEST)).toEqual([]);
    expect(weaknessesOf({ verify: undefined, texts: {} }, used, MARIADB)).toHaveLength(1);
    expect(weaknessesOf({ verify: false, texts: {} }, used, NEWEST)).toHaveLength(1);
  });

  const settingsOf = async (
    survey: NodeSurvey,
    tables: Readonly<Record<string, object>> = {},
  ): Promise<unknown> => {
    const ask = async (sql: string): Promise<object[]> => {
      const [, table = ''] = /FROM performance_schema\.(\w+)/.exec(sql) ?? [];
      if (!(table in tables)) throw Object.assign(new Error('denied'), { errno: 1142 });
      return [
        { CHANNEL_NAME: 'other', PRIVILEGE_CHECKS_USER: 'x' },
        { CHANNEL_NAME: '', ...tables[table] },
      ];
    };
    const [check] = await settingsChecks(survey, { ask } as never, undefined as never);
    return check?.result === 'warn' ? /with (.*), which/.exec(check.detail)?.[1] : check?.result;
  };
  test('names what no change carries over', async () => {
    const rich = {
      SQL_Delay: 60,
      Replicate_Ignore_Server_Ids: '7',
      Replicate_Do_DB: 'shop',
      Replicate_Ignore_Domain_Ids: '4',
    };
    expect(await settingsOf(madeUp('db1'))).toBeUndefined();
    expect(await settingsOf(replica('db2', { SQL_Delay: 0 }))).toBe('pass');
    expect(await settingsOf(replica('db2', rich))).toBe(
      'SQL_Delay=60, Replicate_Ignore_Domain_Ids=4, Replicate_Ignore_Server_Ids=7',
    );
    const mysql = madeUp('db2', { version: '9.7.0', source, status: { ...rich, Source_Bind: 'eth1' } });
    expect(await settingsOf(mysql)).toBe(
      'Source_Bind=eth1, SQL_Delay=60, Replicate_Do_DB=shop, Replicate_Ignore_Domain_Ids=4, Replicate_Ignore_Server_Ids=7',
    );
  });
  test('looks into the tables of MySQL where it may', async () => {
    const mysql = madeUp('db2', { version: '9.7.0', source });
    const usual = {
      replication_connection_configuration: {
        COMPRESSION_ALGORITHM: 'uncompressed',
        TLS_CIPHERSUITES: null,
        GTID_ONLY: 0,
      },
      replication_applier_configuration: {
        PRIVILEGE_CHECKS_USER: null,
        REQUIRE_ROW_FORMAT: 'NO',
        REQUIRE_TABLE_PRIMARY_KEY_CHECK: 'STREAM',
        ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS_TYPE: 'OFF',
      },
    };
    expect(await settingsOf(mysql, usual)).toBe('pass');
    expect(
      await settingsOf(mysql, {
        replication_connection_configuration: { COMPRESSION_ALGORITHM: 'zstd' },
        replication_applier_configuration: { PRIVILEGE_CHECKS_USER: "'u'@'%'", REQUIRE_ROW_FORMAT: 'YES' },
      }),
    ).toBe("COMPRESSION_ALGORITHM=zstd, PRIVILEGE_CHECKS_USER='u'@'%', REQUIRE_ROW_FORMAT=YES");
    expect(await settingsOf(mysql)).toBe('pass');
  });
});
