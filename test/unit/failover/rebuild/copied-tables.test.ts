import { expect, test } from 'vitest';
import { assertRowsFit, someOf } from '../../../../src/failover/rebuild/copied-tables.js';
import { type MadeUpSession, madeUpSession } from './made-up-session.js';

const MIB = 1_048_576;
const server = (
  limit: number,
  columns: readonly object[] = [],
  rows: readonly object[] = [],
): MadeUpSession =>
  madeUpSession('10.11.6-MariaDB', {
    'SELECT @@GLOBAL.max_allowed_packet': [{ bytes: limit }],
    'SELECT TABLE_SCHEMA': columns,
    'SELECT ': rows,
  });
const column = (name: string, col: string, bytes: number, charset: string | null = null): object => ({
  base: 'shop',
  name,
  col,
  charset,
  bytes: String(bytes),
});

async function rowsReadFor(limit: number, source: MadeUpSession): Promise<readonly string[]> {
  await assertRowsFit('db2:3306', server(limit), source, () => {});
  return source.asked.filter((sql) => sql.includes(' LIMIT 1'));
}

test('only tables of which a row may be too long are read', async () => {
  const columns = [
    column('files', 'data', 4_294_967_295),
    column('posts', 'body', 65_535, 'utf8mb4'),
    column('po`sts', 'text', 16_777_215, 'latin1'),
  ];
  expect(await rowsReadFor(16 * MIB, server(16 * MIB, columns))).toEqual([
    expect.stringMatching(
      /^SELECT 2\*COALESCE\(OCTET_LENGTH\(`data`\), 0\) AS bytes FROM `shop`\.`files` WHERE /,
    ),
    expect.stringMatching(
      /^SELECT 4\*COALESCE\(OCTET_LENGTH\(`text`\), 0\) AS bytes FROM `shop`\.`po``sts` /,
    ),
  ]);
  // No value is longer than what the source takes.
  expect(await rowsReadFor(64 * MIB, server(16 * MIB, columns))).toEqual([
    expect.stringContaining('`po``sts`'),
  ]);
  expect(await rowsReadFor(1024 * MIB, server(16 * MIB, columns))).toEqual([]);
});

test('a row that the node would not take is named, with what to do', async () => {
  const source = server(16 * MIB, [column('files', 'data', 4_294_967_295)], [{ bytes: 18_000_000 }]);
  await expect(rowsReadFor(16 * MIB, source)).rejects.toThrow(
    /row of `shop`\.`files` may take 18000000 bytes in a dump, and db2:3306 takes statements of 16777216 .*SET GLOBAL max_allowed_packet=1073741824 there/,
  );
});

test('a node that does not take what the program puts into one statement is refused', async () => {
  await expect(rowsReadFor(65_536, server(16 * MIB))).rejects.toThrow(
    'db2:3306 takes statements of 65536 bytes only',
  );
});

test('many names are cut', () => {
  expect(someOf(['a', 'b'])).toBe('a, b');
  expect(someOf(Array.from({ length: 12 }, (_, index) => `t${index}`))).toMatch(/t9 and 2 more$/);
});
