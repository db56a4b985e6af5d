import { expect, test } from 'vitest';
import { checkAutomaticRight } from '../../../../src/failover/change/change-rights.js';
import { LastWord } from '../../../../src/failover/change/last-word.js';
import type { ToldRights } from '../../../../src/failover/meta/told-rights.js';
import type { Voter } from '../../../../src/failover/voters.js';

const NOTHING: ToldRights = { pauses: [], known: [], made: [] };
const PAUSED: ToldRights = {
  ...NOTHING,
  pauses: [{ id: 'disks', because: 'new disks (ops)', leftS: 600 }],
  known: ['disks'],
};
const made = { opId: 'first', kind: 'failover', from: 'db0', to: 'db1', actor: 'me', ageS: 240 };
const FAILED_OVER: ToldRights = { ...NOTHING, made: [{ ...made, isOpen: false, acknowledgedBy: null }] };

/** The right to fail over from db1, which has `said` that, by what db2 and db3 tell. */
async function right(told: ToldRights | undefined, said: ToldRights): Promise<string> {
  const word = new LastWord();
  word.heard('db1', said, 0);
  const rights = async ({ id }: Voter): Promise<ToldRights> => {
    if (told === undefined) throw new Error('it does not answer');
    return id === 'db2' ? NOTHING : told;
  };
  const voters = ['db2', 'db3'].map((id) => ({ id }) as Voter);
  return await checkAutomaticRight({ rights }, voters, 3_600_000, 'db1', (all) =>
    word.beyond('db1', all, { now: 1_000 }),
  ).then(
    () => 'granted',
    (error: Error) => error.message,
  );
}

test('a pause, and a failover a moment ago, of which only the lost primary knew forbid the next one', async () => {
  expect(await right(NOTHING, NOTHING)).toBe('granted');
  expect(await right(NOTHING, PAUSED)).toMatch(
    /paused: new disks \(ops\), as the primary said before it was lost; .* Call failover\(\) to make this one$/,
  );
  expect(await right(NOTHING, FAILED_OVER)).toMatch(
    /first from db0 to db1 was 241 s ago.* Call failover\(\) to make it\. It is known from db1 only/,
  );
});
test('what a node that answers knows goes before it, with what an operator may do about it', async () => {
  expect(await right(PAUSED, PAUSED)).toMatch(
    /paused: new disks \(ops\)\. Call failover\(\) .*, or resume\(\)/,
  );
  expect(await right({ ...PAUSED, pauses: [] }, PAUSED)).toBe('granted');
  expect(await right(FAILED_OVER, FAILED_OVER)).toMatch(/was 240 s ago.*, or acknowledge\('first', name\)/);
  const seen = { ...NOTHING, made: [{ ...made, isOpen: false, acknowledgedBy: 'alice' }] };
  expect(await right(seen, FAILED_OVER)).toBe('granted');
  expect(await right(undefined, NOTHING)).toMatch(/no node could be asked/);
});
