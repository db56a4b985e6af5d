import { expect, test } from 'vitest';
import { awaitClone } from '../../../../src/failover/rebuild/clone-status.js';
import type { RebuildSession } from '../../../../src/failover/rebuild/rebuild-options.js';
import { type MadeUpSession, madeUpSession } from './made-up-session.js';

const FORMER = '2026-11-29 10:00:00.000';
const NOW = '2026-11-30 11:00:00.000';
const row = (state: string, begun: string): object => ({ state, begun, message: 'no space left' });

/** Waits for a clone after `former`, on a server that tells `rows`, one after the other; undefined: it does not answer. */
async function wait(
  former: string,
  ...rows: readonly (readonly object[] | undefined)[]
): Promise<readonly MadeUpSession[]> {
  const sessions: MadeUpSession[] = [];
  let looks = 0;
  const open = async (): Promise<RebuildSession> => {
    const answer = rows[Math.min(looks, rows.length - 1)];
    looks += 1;
    if (answer === undefined) throw new Error('refused');
    const session = madeUpSession('8.4.3', { 'SELECT STATE': answer });
    sessions.push(session);
    return session;
  };
  const signal = AbortSignal.timeout(5_000);
  await awaitClone({ node: 'db2:3306', signal }, { open }, former, 20);
  return sessions;
}

test('a server that comes back with the new clone is closed', async () => {
  const sessions = await wait(FORMER, undefined, [row('In Progress', NOW)], [row('Completed', NOW)]);
  expect(sessions.at(-1)?.asked.at(-1)).toBe('SET GLOBAL read_only=1');
});

test.each([
  ['a former clone is not taken for the new one', FORMER, [row('Completed', FORMER)], 'before it began'],
  ['a server that tells of no clone has made none', '', [], 'before it began'],
  ['a clone that failed', FORMER, [row('Failed', NOW)], 'no space left'],
])('%s', async (_, former, rows, why) => {
  await expect(wait(former, rows)).rejects.toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringContaining(why),
  });
});
