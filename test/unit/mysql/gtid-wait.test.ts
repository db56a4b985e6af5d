import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { readStanding, waitForCluster, waitForGtids } from '../../../src/mysql/gtid-wait.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { readGtidPosition } from '../../../src/topology/gtid-position.js';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';

/** A connection that gives `row`, and what it was asked with how much time. */
function connectionWith(flavor: 'mysql' | 'mariadb', row: object) {
  const asked: { readonly sql: string; readonly limitMs: number }[] = [];
  const connection = {
    node: 'a',
    flavor,
    ask: async (sql: string, deadline: Deadline) => {
      asked.push({ sql, limitMs: deadline.remainingMs() });
      return [row];
    },
  } as unknown as PhysicalConnection;
  return { connection, asked };
}

const position = (text: string) => {
  const read = readGtidPosition(text.includes(UUID) ? 'mysql' : 'mariadb', text);
  if (read === undefined) throw new Error(text);
  return read;
};
const secondsIn = (sql: string | undefined): number => Number(/\b\d+\.\d{3}\b/.exec(sql ?? '')?.[0]);

describe('a wait', () => {
  test('takes as long as it may', async () => {
    const { connection, asked } = connectionWith('mysql', { timed_out: 0 });
    expect(await waitForGtids(connection, position(`${UUID}:1`), 1_500, Deadline.of(undefined))).toBe(true);
    expect(secondsIn(asked[0]?.sql)).toBe(1.5);
  });

  test('leaves half of the time of a call whose time is short', async () => {
    const deadline = Deadline.of({ timeoutMs: 800 });
    for (const flavor of ['mysql', 'mariadb'] as const) {
      const { connection, asked } = connectionWith(flavor, { timed_out: flavor === 'mysql' ? 1 : -1 });
      const wanted = position(flavor === 'mysql' ? `${UUID}:1` : '0-1-1');
      expect(await waitForGtids(connection, wanted, 1_000, deadline)).toBe(false);
      expect(secondsIn(asked[0]?.sql)).toBeLessThanOrEqual(0.4);
    }
    const { connection, asked } = connectionWith('mariadb', {});
    await waitForCluster(connection, 1_000, deadline);
    expect(secondsIn(asked[0]?.sql)).toBeLessThanOrEqual(0.4);
  });
});

describe('where a server stands', () => {
  test('is not asked for longer than a server that lives takes', async () => {
    const { connection, asked } = connectionWith('mysql', { position: `${UUID}:1-5`, is_read_only: 0 });
    const standing = await readStanding(connection, Deadline.of(undefined), false);
    expect(standing.has(position(`${UUID}:1-5`))).toBe(true);
    expect(asked[0]?.limitMs).toBeLessThanOrEqual(5_000);
  });

  test('is not known from GTIDs that its own transactions do not have', async () => {
    const { connection, asked } = connectionWith('mysql', { position: '', is_read_only: 0 });
    expect((await readStanding(connection, Deadline.of(undefined), false)).position).toBeUndefined();
    expect(asked[0]?.sql).toContain("IF(@@global.gtid_mode LIKE 'ON%', @@global.gtid_executed, '')");
  });
});
