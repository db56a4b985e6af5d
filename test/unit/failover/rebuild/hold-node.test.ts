/** In which order a node is looked at, closed, saved from and emptied. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdNode } from '../../../../src/failover/rebuild/hold-node.js';
import { type MadeUpSession, madeUpSession } from './made-up-session.js';

const OWN = '33333333-3333-3333-3333-333333333333';
const ROOT = [{ grants: 'GRANT ALL PRIVILEGES ON *.* TO `u`@`%`' }];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-hold-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A node that has executed `sets[0]` of its own, then `sets[1]` and so on, each time it is asked. */
function nodeWith(...sets: readonly string[]): MadeUpSession {
  let looks = 0;
  const executed = (): string => sets[Math.min(looks, sets.length - 1)] ?? '';
  return madeUpSession('8.4.3', {
    'SELECT GET_LOCK': [{ held: 1 }],
    'SHOW GRANTS': ROOT,
    'SELECT CURRENT_USER': [{ account: 'u@%' }],
    'SHOW GLOBAL VARIABLES': () => {
      const Value = executed();
      looks += 1;
      return [{ Variable_name: 'gtid_executed', Value }];
    },
    'SHOW BINARY LOGS': [{ Log_name: 'binlog.000001' }],
    'SELECT @@GLOBAL.gtid_executed': () => [{ executed: executed(), purged: '' }],
  });
}

async function hold(
  node: MadeUpSession,
  more: { saveTo?: string; grants?: string; check?: () => void; ends?: AbortController } = {},
) {
  const source = madeUpSession('8.4.3', {
    'SHOW GRANTS': more.grants === undefined ? ROOT : [{ grants: more.grants }],
    'SELECT CURRENT_USER': [{ account: 'u@%' }],
    'SELECT COUNT(*) AS active': [{ active: 0 }],
  });
  const program = join(folder, 'binlog');
  const statement = '#261130 11:00:00 server id 3  end_log_pos 400 \tQuery\tthread_id=9\nBEGIN\n';
  writeFileSync(
    program,
    `#!${process.execPath}\nprocess.stdout.write(${JSON.stringify(statement.repeat(9))} + process.argv.join(' '))`,
    { mode: 0o755 },
  );
  const request = {
    node: 'db2:3306',
    from: 'db1:3306',
    why: 'errant',
    // A look of a minute ago: nothing.
    gtids: '',
    signal: (more.ends ?? new AbortController()).signal,
    deadline: 0,
    log: () => {},
  } as const;
  const means = {
    saveTo: more.saveTo,
    programs: { binlog: [program] },
    login: async () => ({ user: 'u', password: 'p' }),
    addressOf: () => ({ host: 'db1', port: 3306 }),
    open: async (id: string, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      return id === 'db2:3306' ? node : source;
    },
  };
  return await holdNode(request, means, {
    flavor: 'mysql',
    check: async () => more.check?.(),
    copy: async (session) => {
      await session.ask('THROW AWAY');
      more.ends?.abort();
      more.ends?.signal.throwIfAborted();
    },
  });
}

const changes = ({ asked }: MadeUpSession): readonly string[] =>
  asked.filter((sql) => /^(SET GLOBAL|THROW)/.test(sql));

test('what came between the look and the moment when the node was closed is saved, too', async () => {
  const saveTo = join(folder, 'saved');
  const node = nodeWith('', `${OWN}:1-4`);
  expect(await hold(node, { saveTo })).toBe('rebuilt');
  expect(changes(node)).toEqual(['SET GLOBAL super_read_only=1', 'THROW AWAY']);
  const [file = ''] = readdirSync(saveTo);
  expect(readFileSync(join(saveTo, file), 'utf8')).toContain(`--include-gtids=${OWN}:1-4`);
});

test('nothing is thrown away while somebody writes all the same', async () => {
  const node = nodeWith('', `${OWN}:1-4`, `${OWN}:1-6`);
  await expect(hold(node, { saveTo: join(folder, 'saved') })).rejects.toThrow(
    `Somebody writes on db2:3306 though it refuses the writes of ordinary users (${OWN}:5-6`,
  );
  expect(changes(node)).toEqual(['SET GLOBAL super_read_only=1']);
});

test('a node is left as it is when its transactions could not be saved', async () => {
  const node = nodeWith(`${OWN}:1-4`);
  await expect(hold(node)).rejects.toThrow(/saveTo/);
  expect(changes(node)).toEqual([]);
});

test('a node is left as it is when the way of copying finds something wrong', async () => {
  const node = nodeWith('');
  const check = (): never => {
    throw new Error('the program is not there');
  };
  await expect(hold(node, { check })).rejects.toThrow('the program is not there');
  expect(changes(node)).toEqual([]);
});

test('a node is left as it is when the account may not do what is needed on the one that is copied', async () => {
  const node = nodeWith('');
  const grants = 'GRANT SELECT, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO `u`@`%`';
  await expect(hold(node, { grants })).rejects.toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message:
      'The account that rebuilds lacks BACKUP_ADMIN, CLONE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, REPLICATION_SLAVE_ADMIN, ' +
      'INSERT on mysql.plugin on db1:3306; ' +
      "GRANT BACKUP_ADMIN, CLONE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, REPLICATION_SLAVE_ADMIN ON *.* TO 'u'@'%'; " +
      "GRANT INSERT ON mysql.plugin TO 'u'@'%'",
  });
  expect(changes(node)).toEqual([]);
});

test('the event scheduler is as before also when the rebuild is called off: the next one would take off for how it was', async () => {
  const node = nodeWith('', '');
  const ask = node.ask.bind(node);
  node.ask = async (sql) =>
    sql.startsWith('SELECT @@GLOBAL.event_scheduler') ? [{ scheduler: 'ON' }] : await ask(sql);
  await expect(hold(node, { ends: new AbortController() })).rejects.toThrow('aborted');
  const about = node.asked.filter((sql) => /event_scheduler/.test(sql) && /^(SET|RESET)/.test(sql));
  expect(about[0]).toMatch(/event_scheduler=OFF/);
  expect(about.length).toBeGreaterThan(1);
});
