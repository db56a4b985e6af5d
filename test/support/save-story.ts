/** Transactions of a server are saved from its binary logs, and are called saved only while all of them are still there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readRebuildOptions } from '../../src/failover/rebuild/rebuild-options.js';
import { saveTransactions } from '../../src/failover/rebuild/save-transactions.js';
import { startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { clientProgram } from './client-programs.js';

/** Plays it on a server of one kind. */
export async function saveStory({ flavor, options }: DatabaseCase): Promise<void> {
  const saveTo = mkdtempSync(join(tmpdir(), 'stormlamp-save-'));
  const servers = await startLocalCluster({ ...options, replicas: 0, php: false, memcached: 0 });
  const { primary } = servers;
  const signal = AbortSignal.timeout(60_000);
  const binlog = await clientProgram(flavor, flavor === 'mysql' ? 'mysqlbinlog' : 'mariadb-binlog');
  const means = readRebuildOptions('test', {
    credentials: servers.accounts.admin,
    saveTo,
    programs: { binlog },
  });
  const session = await means.open(primary.id, signal);
  const save = async (gtids: string): Promise<string> => {
    const request = { node: primary.id, from: 'x', why: 'errant', gtids, signal, deadline: 0, log: () => {} };
    return readFileSync((await saveTransactions(request as never, means, session)) ?? '', 'utf8');
  };
  /** Numbers up to which it has written. */
  const numberOf = async (): Promise<readonly [string, number]> => {
    const name = flavor === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos';
    const pattern = flavor === 'mysql' ? /^(.*):(?:1-)?(\d+)$/ : /^(.*)-(\d+)$/;
    const [row] = await session.ask(`SELECT @@GLOBAL.${name} AS last`);
    const [, origin = '', last = ''] = pattern.exec(String(row?.['last'])) ?? [];
    return [origin, Number(last)];
  };
  const range = (origin: string, from: number, to: number): string =>
    flavor === 'mysql' ? `${origin}:${from}-${to}` : `${origin}-${from}..${to}`;
  try {
    const [origin, before] = await numberOf();
    await primary.query('CREATE TABLE shop.own (id INT PRIMARY KEY)');
    await primary.query('INSERT INTO shop.own VALUES (1)');
    const [, middle] = await numberOf();
    const first = range(origin, before + 1, middle);
    expect(await save(first)).toMatch(/CREATE TABLE shop\.own[\s\S]*INSERT INTO `shop`\.`own`/);
    await primary.query('FLUSH BINARY LOGS');
    await primary.query('INSERT INTO shop.own VALUES (2)');
    await primary.query('INSERT INTO shop.own VALUES (3)');
    const [, last] = await numberOf();
    const logs = await primary.query<{ Log_name: string }>('SHOW BINARY LOGS');
    // A log that a commit still needs after a crash stays for a moment.
    await eventually('the old log is gone', async () => {
      await primary.query('PURGE BINARY LOGS TO ?', [logs.at(-1)?.Log_name]);
      return (await primary.query('SHOW BINARY LOGS')).length < logs.length;
    });
    const saved = readdirSync(saveTo);
    await expect(save(first)).rejects.toThrow(`${first} are not in the binary logs`);
    await expect(save(range(origin, before + 1, last))).rejects.toThrow(`${first}, of`);
    expect(readdirSync(saveTo)).toEqual(saved);
    expect((await save(range(origin, middle + 1, last))).match(/### INSERT/g)).toHaveLength(2);
  } finally {
    session.close();
    await servers.close();
    rmSync(saveTo, { recursive: true, force: true });
  }
}
