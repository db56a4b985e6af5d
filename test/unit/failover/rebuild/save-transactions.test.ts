/** Whether all is saved before it is called saved: the server and its program are made up. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RebuildSession } from '../../../../src/failover/rebuild/rebuild-options.js';
import { saveTransactions } from '../../../../src/failover/rebuild/save-transactions.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';

const UUID = '33333333-3333-3333-3333-333333333333';
const OTHER = '44444444-4444-4444-4444-444444444444';

let saveTo = '';
let programs = '';
beforeEach(() => {
  saveTo = mkdtempSync(join(tmpdir(), 'stormlamp-save-'));
  programs = mkdtempSync(join(tmpdir(), 'stormlamp-programs-'));
});
afterEach(() => {
  for (const folder of [saveTo, programs]) rmSync(folder, { recursive: true, force: true });
});

/** A program that puts out `output`, whatever it is asked for. */
function saying(output: string): string {
  const file = join(programs, 'binlog');
  writeFileSync(file, `#!${process.execPath}\nprocess.stdout.write(${JSON.stringify(output)})`, {
    mode: 0o755,
  });
  return file;
}

const session = (version: string, answers: Readonly<Record<string, readonly object[]>>): RebuildSession => ({
  version: parseServerVersion(version),
  ask: async (sql) => {
    const found = Object.entries(answers).find(([begin]) => sql.startsWith(begin));
    return (found?.[1] ?? []) as readonly Record<string, unknown>[];
  },
  close: () => {},
});
const logs = { 'SHOW BINARY LOGS': [{ Log_name: 'binlog.000009' }] };
const mysql = (executed: string, purged: string): RebuildSession =>
  session('8.4.3', { ...logs, 'SELECT @@GLOBAL.gtid_executed': [{ executed, purged }] });
const mariadb = (list: string, ...gtids: readonly string[]): RebuildSession =>
  session('10.11.6-MariaDB', {
    ...logs,
    'SHOW BINLOG EVENTS': [
      { Event_type: 'Format_desc', Info: 'Server ver: 10.11.6-MariaDB-log, Binlog ver: 4', Pos: 4 },
      { Event_type: 'Gtid_list', Info: list, Pos: 256 },
      ...gtids.map((gtid, index) => ({
        Event_type: 'Gtid',
        Info: `BEGIN GTID ${gtid}`,
        Pos: 400 + index,
        End_log_pos: 401 + index,
      })),
    ],
  });

const statement =
  '#261130 11:00:00 server id 3  end_log_pos 400 CRC32 0x0a0b0c0d \tQuery\tthread_id=9\texec_time=0\terror_code=0\nBEGIN\n';
const number = (name: string, value: number): string => `/*M!100001 SET @@session.${name}=${value}*//*!*/;\n`;
const numbered = (origin: readonly [number, number] | undefined, seq: number): string =>
  (origin === undefined ? '' : number('gtid_domain_id', origin[0]) + number('server_id', origin[1])) +
  number('gtid_seq_no', seq) +
  statement;

async function save(from: RebuildSession, gtids: string, output: string): Promise<string> {
  const log: string[] = [];
  const request = {
    node: 'db3:3306',
    from: 'db1:3306',
    why: 'errant',
    gtids,
    signal: new AbortController().signal,
    deadline: 0,
    log: (message: string) => log.push(message),
  } as const;
  const means = {
    saveTo,
    programs: { binlog: [saying(output)] },
    login: async () => ({ user: 'u', password: 'p' }),
    addressOf: () => ({ host: 'db1', port: 3306 }),
    open: () => Promise.reject(new Error('not needed')),
  };
  const file = await saveTransactions(request, means, from);
  expect(log).toEqual([expect.stringContaining('are saved in')]);
  return readFileSync(file ?? '', 'utf8');
}

test.each([
  ['all of them', mysql(`${UUID}:1-10`, ''), `${UUID}:9-10`, statement.repeat(2)],
  [
    'what others wrote is purged',
    mysql(`${OTHER}:1-90,\n${UUID}:1-10`, `${OTHER}:1-80`),
    `${UUID}:1-10`,
    statement.repeat(30),
  ],
  [
    'MariaDB',
    mariadb('[0-1-50]', '0-3-51', '0-3-52'),
    '0-3-51..52',
    numbered([0, 3], 51) + numbered(undefined, 52),
  ],
  // It has never written before, and the domain's numbers go on from others'.
  [
    'MariaDB, from the beginning of an origin',
    mariadb('[0-1-50]', '0-3-51'),
    '0-3-1..51',
    numbered([0, 3], 51),
  ],
  ['MariaDB, what it wrote before', mariadb('[0-1-50,0-3-40]', '0-3-51'), '0-3-41..51', numbered([0, 3], 51)],
  ['MariaDB, with an empty log before', mariadb('[]', '0-3-1'), '0-3-1', numbered([0, 3], 1)],
  [
    'MariaDB, two origins',
    mariadb('[0-1-50]', '0-3-51', '7-3-1'),
    '0-3-51,7-3-1',
    numbered([0, 3], 51) + number('gtid_domain_id', 7) + numbered(undefined, 1),
  ],
])('saved: %s', async (_, from, gtids, output) => {
  const text = await save(from, gtids, output);
  expect(text).toContain('BEGIN');
  expect(text).not.toContain('@@session');
});

test.each([
  [
    'all are purged',
    mysql(`${UUID}:1-10`, `${UUID}:1-10`),
    `${UUID}:1-10`,
    '# header\n',
    `${UUID}:1-10 are not`,
  ],
  [
    'a part is purged',
    mysql(`${UUID}:1-10`, `${UUID}:1-4`),
    `${UUID}:1-10`,
    statement.repeat(6),
    `${UUID}:1-4, of`,
  ],
  [
    'the node has them no more',
    mysql('', ''),
    `${UUID}:1-10`,
    '# header\n',
    'are not in the binary logs of db3',
  ],
  [
    'nothing came',
    mysql(`${UUID}:1-10`, ''),
    `${UUID}:1-10`,
    '# header\n',
    '0 statements for 10 transactions',
  ],
  [
    'MariaDB, a part is purged',
    mariadb('[0-1-50,0-3-54]', '0-3-55'),
    '0-3-51..60',
    numbered([0, 3], 60),
    '0-3-51..54, of 0-3-51..60',
  ],
  ['MariaDB, all are purged', mariadb('[0-3-60,0-1-50]'), '0-3-51..60', '', '0-3-51..60 are not'],
  [
    'MariaDB, one of two origins is purged',
    mariadb('[7-3-4]', '0-3-1'),
    '0-3-1,7-3-2..4',
    numbered([0, 3], 1),
    '7-3-2..4, of',
  ],
  [
    'MariaDB, the log tells nothing',
    session('10.11.6-MariaDB', logs),
    '0-3-51',
    numbered([0, 3], 51),
    '0-3-51 are not',
  ],
  ['MariaDB, nothing came', mariadb('[]', '0-3-1'), '0-3-1..2', '# header\n', '0-3-1..2 is missing'],
  [
    'MariaDB, the last ones did not come',
    mariadb('[]', '0-3-1'),
    '0-3-1..9',
    numbered([0, 3], 7),
    '0-3-8..9 is missing',
  ],
  [
    'MariaDB, an origin is not logged',
    mariadb('[]', '0-3-9'),
    '0-1-5,0-3-9',
    numbered([0, 3], 9),
    '0-1-5 is missing',
  ],
])('not saved, and told: %s', async (_, from, gtids, output, why) => {
  await expect(save(from, gtids, output)).rejects.toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringContaining(why),
  });
  expect(readdirSync(saveTo)).toEqual([]);
});
