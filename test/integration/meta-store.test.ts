/** What the cluster remembers of its changes, on real servers: in any letters, in tables of an older version, and in any time zone. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Deadline } from '../../src/common/deadline.js';
import type { JournalRecord } from '../../src/failover/failover-journal.js';
import { JournalWriter } from '../../src/failover/meta/journal-writer.js';
import { MetaStore } from '../../src/failover/meta/meta-store.js';
import { META_TABLES } from '../../src/failover/meta/meta-tables.js';
import { clockChecks, lookAtClock } from '../../src/failover/preflight/clock-checks.js';
import { restartChecks } from '../../src/failover/preflight/restart-checks.js';
import { surveyNode } from '../../src/failover/survey/node-survey.js';
import { type Voter, votersOf } from '../../src/failover/voters.js';
import { resolveMysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from './database-matrix.js';
import { eventually } from './eventually.js';

describe.each(DATABASES)('$name', ({ options }) => {
  let servers: LocalCluster;
  let primary: Voter;
  let replica: Voter;

  beforeAll(async () => {
    // The default of MariaDB before 11.6.
    const serverArgs = { mysql: ['--character-set-server=latin1'] };
    servers = await startLocalCluster({ php: false, memcached: 0, replicas: 1, ...options, serverArgs });
    const { nodes } = resolveMysqlOptions(servers.options().mysql ?? {});
    const { admin: actAs } = servers.accounts;
    const [first, second] = votersOf({ nodes, witnesses: [], watchAs: undefined, actAs, addresses: {} });
    if (first === undefined || second === undefined) throw new Error('not two nodes');
    [primary, replica] = [first, second];
  });
  afterAll(async () => {
    await servers?.close();
  });
  beforeEach(async () => {
    await servers.primary.query('DROP DATABASE IF EXISTS ha_meta');
  });

  const meta = new MetaStore('shop');
  const record = (message: string, more: Partial<JournalRecord> = {}): JournalRecord => ({
    opId: 'one',
    at: Date.parse('2026-03-29T01:30:00.250Z'),
    kind: 'hook-logged',
    nodes: ['db1:3306'],
    epoch: 3,
    message,
    ...more,
  });
  const messages = async (voter = primary): Promise<readonly string[]> =>
    (await meta.newest(voter, 100)).map(({ message }) => message);
  const madeByAnOlderVersion = async (): Promise<void> => {
    for (const sql of META_TABLES)
      await servers.primary.query(sql.replace('utf8mb4 COLLATE utf8mb4_bin', 'latin1'));
  };

  test('any letters are kept, and a text that is too long is cut', async () => {
    await meta.prepare(primary);
    const long = '😀'.repeat(50_000);
    await meta.append(primary, [record('закрыто 閉 😀'), record(long)], 'x'.repeat(300));
    const [cut = '', kept] = await messages();
    expect(kept).toBe('закрыто 閉 😀');
    expect(long.startsWith(cut)).toBe(true);
    expect(cut.length).toBeGreaterThan(10_000);
    const begun = { opId: 'op', kind: 'failover', from: 'a', to: 'b', actor: 'ж'.repeat(300) };
    await meta.begin(primary, begun);
    expect(await meta.open(primary)).toMatchObject([{ opId: 'op', actor: 'ж'.repeat(128) }]);
  });

  test('what a failover found on its replicas is told with its end, also when another process has written that', async () => {
    await meta.prepare(primary);
    const frozen = {
      replicas: { 'db2:3306': { received: '0-1-100', acknowledges: true } },
      commitWaits: null,
    };
    const noted = JSON.stringify(frozen);
    for (const opId of ['mine', 'theirs', 'none'])
      await meta.begin(primary, { opId, kind: 'failover', from: 'a', to: 'b', actor: 'me' });
    await servers.primary.query('UPDATE ha_meta.operation SET details=? WHERE op_id=?', [noted, 'theirs']);
    await meta.end(primary, 'mine', 'done', JSON.stringify({ ...frozen, excluded: 'x'.repeat(30_000) }));
    for (const opId of ['theirs', 'none']) await meta.endOther(primary, opId, 'done');
    expect(await meta.open(primary)).toEqual([]);
    for (const opId of ['mine', 'theirs', 'none']) {
      await meta.append(primary, [record('planned', { opId, kind: 'change-planned' })], 'me');
      await meta.append(primary, [record('done', { opId, kind: 'change-done' })], 'me');
    }
    const told = (await meta.newest(primary, 100)).map((each) => [each.opId, each.kind, each.frozen]);
    expect(told.filter(([, , found]) => found !== undefined)).toEqual([
      ['theirs', 'change-done', frozen],
      ['mine', 'change-done', frozen],
    ]);
    expect(told).toHaveLength(6);
  });

  test('tables of an older version take what they have no letters for with question marks, and hold nothing up', async () => {
    await madeByAnOlderVersion();
    const writer = new JournalWriter(meta, 'me', () => primary);
    for (const message of ['before', 'закрыто: x', 'after']) writer.add(record(message));
    await writer.close();
    expect(await messages()).toEqual(['after', '???????: x', 'before']);
    await meta.begin(primary, { opId: 'op', kind: 'switchover', from: 'a', to: 'b', actor: 'me' });
    await meta.end(primary, 'op', 'undone', 'закрыто');
    expect(await meta.open(primary)).toEqual([]);
    await meta.pause(primary, { id: 'p', seconds: 60, reason: 'работы', actor: 'me' });
    expect(await meta.pausedBecause(primary)).toBe('?????? (me)');
    expect(await meta.acknowledge(primary, 'op', 'я')).toBe(true);
  });

  test('tables of an older version get the place for the note on a closed primary, and are used without where none can be made', async () => {
    await meta.prepare(primary);
    expect(await meta.standing(primary)).toMatchObject({ takesNote: true, closed: undefined });
    await servers.primary.query('DROP TABLE ha_meta.closed');
    expect(await meta.standing(primary)).toMatchObject({ takesNote: false, closed: undefined });
    if (servers.flavor === 'mysql') {
      const { user, password } = servers.accounts.admin;
      const holder = await createConnection({
        host: '127.0.0.1',
        port: servers.primary.port,
        user,
        password,
      });
      await holder.query('LOCK INSTANCE FOR BACKUP');
      await meta.prepare(primary).finally(() => holder.destroy());
      expect(await meta.standing(primary)).toMatchObject({ takesNote: false });
    }
    await eventually('it is made', async () => {
      await meta.prepare(primary);
      return (await meta.standing(primary)).takesNote;
    });
  });

  test('of several pauses the longest holds, and each is ended alone', async () => {
    await meta.prepare(primary);
    await servers.primary.query('DROP TABLE ha_meta.pauses');
    expect([await meta.pausedBecause(primary), await meta.resume(primary)]).toEqual([undefined, []]);
    await meta.prepare(primary);
    const begin = (id: string, seconds: number): Promise<void> =>
      meta.pause(primary, { id, seconds, reason: id, actor: 'me' });
    await begin('deploy', 60);
    await begin('disks', 7_200);
    await new MetaStore('other').pause(primary, { id: 'theirs', seconds: 60, reason: 'x', actor: 'me' });
    expect(await meta.pausedBecause(primary)).toBe('disks (me), and 1 more');
    expect(await meta.resume(primary, 'deploy')).toMatchObject([{ id: 'deploy', because: 'deploy (me)' }]);
    expect(await meta.resume(primary, 'deploy')).toEqual([]);
    expect(await meta.pausedBecause(primary)).toBe('disks (me)');
    await begin('short', 1);
    await eventually('it is over', async () => (await meta.pauses(primary)).length === 1);
    await begin('again', 60);
    expect(await servers.primary.query('SELECT id FROM ha_meta.pauses ORDER BY id')).toEqual(
      ['again', 'disks', 'theirs'].map((id) => ({ id })),
    );
    expect((await meta.resume(primary)).map(({ id }) => id)).toEqual(['disks', 'again']);
    expect(await meta.pausedBecause(primary)).toBeUndefined();
  });

  test('one that no table takes is told in its place, and the others are written', async () => {
    await meta.prepare(primary);
    const writer = new JournalWriter(meta, 'me', () => primary);
    for (const each of [record('before'), record('bad', { opId: 'x'.repeat(100) }), record('after')])
      writer.add(each);
    await writer.close();
    expect(await messages()).toEqual([
      'after',
      'A record of the kind hook-logged could not be written (error 1406)',
      'before',
    ]);
  });

  test('a pause, ages and times are the same where servers are in other time zones', async () => {
    const zones = [
      [servers.primary, '-10:00'],
      [servers.replicas[0], '+09:00'],
    ] as const;
    for (const [server, zone] of zones) await server?.query(`SET GLOBAL time_zone='${zone}'`);
    await meta.prepare(primary);
    await meta.pause(primary, { id: 'p', seconds: 600, reason: 'a test', actor: 'me' });
    await meta.append(primary, [record('here')], 'me');
    await meta.begin(primary, { opId: 'op', kind: 'switchover', from: 'a', to: 'b', actor: 'me' });
    await servers.waitForReplication();
    expect(await meta.pausedBecause(replica)).toBe('a test (me)');
    expect((await meta.newest(replica, 1))[0]?.at).toBe(Date.parse('2026-03-29T01:30:00.250Z'));
    const [{ ageS } = { ageS: Number.NaN }] = await meta.open(replica);
    expect(Math.abs(ageS)).toBeLessThan(60);
    // The other way round it would be over before it has begun.
    for (const [server] of zones) await server?.query(`SET GLOBAL time_zone='SYSTEM'`);
  });

  test('of the journal the newest ten thousand records are kept', async () => {
    await meta.prepare(primary);
    const writer = new JournalWriter(meta, 'me', () => primary);
    await servers.primary.query('CREATE TABLE ha_meta.d (n INT PRIMARY KEY)');
    await servers.primary.query('INSERT INTO ha_meta.d VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
    await servers.primary.query(
      'INSERT INTO ha_meta.journal (cluster, op_id, at, kind, epoch, actor, nodes, message) ' +
        "SELECT 'shop', 'old', '2026-01-01', 'paused', 1, 'me', '', 'old' FROM ha_meta.d a, ha_meta.d b, ha_meta.d c, ha_meta.d d",
    );
    for (let index = 0; index < 500; index += 1) writer.add(record(`new ${index}`));
    await writer.close();
    await eventually('the oldest are gone', async () => {
      const [row] = await servers.primary.query('SELECT COUNT(*) AS n FROM ha_meta.journal');
      return Number(row?.['n']) === 10_000;
    });
    expect((await messages())[0]).toBe('new 499');
  });

  test('how far the clock of a server, by which it tells ages, is ahead of that of this process', async () => {
    const deadline = Deadline.of({ timeoutMs: 3_000 });
    const connection = await primary.act.connect(deadline);
    try {
      const now = await lookAtClock(primary.id, connection, deadline);
      expect(clockChecks([now]).map(({ result }) => result)).toEqual(['pass', 'pass']);
      await connection.ask('SET timestamp=UNIX_TIMESTAMP(SYSDATE(6))-100', deadline);
      const behind = await lookAtClock(primary.id, connection, deadline);
      expect(behind.aheadMs).toBeLessThan(-90_000);
      expect(clockChecks([behind]).map(({ result }) => result)).toEqual(['pass', 'warn']);
    } finally {
      connection.destroy();
    }
  });

  test('whether a server refuses writes once it is started again', async () => {
    const checkOf = async ({ id, act }: Voter): Promise<string | undefined> => {
      const deadline = Deadline.of({ timeoutMs: 3_000 });
      const connection = await act.connect(deadline);
      try {
        const survey = await surveyNode(id, connection.version, (sql) => connection.ask(sql, deadline));
        return (await restartChecks(survey, connection, deadline))[0]?.detail;
      } finally {
        connection.destroy();
      }
    };
    expect(await checkOf(primary)).toMatch(/takes writes when it is started again/);
    expect(await checkOf(replica)).toMatch(/refuses writes because a statement has said so/);
    if (servers.flavor !== 'mysql') return;
    const [node] = servers.replicas;
    await node?.query('SET PERSIST_ONLY read_only=1');
    expect(await checkOf(replica)).toMatch(/as it should be/);
    await node?.query('RESET PERSIST read_only');
  });
});
