import { expect, test } from 'vitest';
import { assertDroppable, empty } from '../../../../src/failover/rebuild/empty-node.js';
import { type MadeUpSession, madeUpSession } from './made-up-session.js';

const database = (name: string, counted: number): object => ({
  name,
  charset: 'latin1',
  collation: 'latin1_bin',
  counted,
});

function server(databases: readonly object[], answer: () => readonly object[] = () => []): MadeUpSession {
  return madeUpSession('10.11.6-MariaDB', {
    'SELECT SCHEMA_NAME': databases,
    'DROP DATABASE `shop`': answer,
  });
}
const request = { log: () => {} } as never;

test('a folder of the data directory that is no database is left alone, unless there are tables in it', async () => {
  const harmless = server([database('#mysql50#lost+found', 0), database('sh`op', 3)]);
  await assertDroppable('db2:3306', harmless);
  await empty(request, harmless);
  expect(harmless.asked.filter((sql) => sql.startsWith('DROP'))).toEqual(['DROP DATABASE `sh``op`']);
  await expect(assertDroppable('db2:3306', server([database('#mysql50#old.copy', 2)]))).rejects.toThrow(
    /db2:3306 has tables in `#mysql50#old\.copy`.*ignore_db_dirs/,
  );
});

test('a database of which only the folder stays counts as dropped, and keeps its character set', async () => {
  const stays = (): never => {
    throw Object.assign(new Error("can't rmdir"), { errno: 1010 });
  };
  const emptied = server([database('shop', 0)], stays);
  await empty(request, emptied);
  expect(emptied.asked.at(-1)).toBe('ALTER DATABASE `shop` CHARACTER SET latin1 COLLATE latin1_bin');
  await expect(empty(request, server([database('shop', 2)], stays))).rejects.toThrow("can't rmdir");
});
