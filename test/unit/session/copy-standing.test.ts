/** What a copy is worth by what its mount missed. */
import { expect, test } from 'vitest';
import type { MissedWrite } from '../../../src/files/missed-writes.js';
import { type CopyStanding, standingOf } from '../../../src/session/copy-standing.js';
import { type FileCopy, NO_COPY } from '../../../src/session/file-copy.js';
import { reconcileCopies } from '../../../src/session/reconcile-copies.js';

const AT = 1_000;
const note = (more: Partial<MissedWrite> = {}): MissedWrite => ({
  name: 'sess_x',
  kind: 'write',
  superseded: 'old',
  at: AT,
  ...more,
});
const copy = (version: string, more: Partial<FileCopy> = {}): FileCopy => ({
  bytes: Buffer.from(version),
  version,
  modifiedMs: 500,
  changedMs: 500,
  bornMs: 400,
  ...more,
});
const used = { modifiedMs: 1_200, changedMs: 1_200 };
const begun = { ...used, bornMs: 1_100 };
const end = note({ kind: 'delete', ended: AT });
const collection = note({ kind: 'delete', unusedFor: 600 });

test.each<readonly [string, FileCopy, MissedWrite, CopyStanding, CopyStanding]>([
  // What it is; the copy; what was missed; on the first mount; on another.
  ['what a write superseded', copy('old', used), note(), 'behind', 'behind'],
  ['what PHP wrote before a write', copy('php'), note(), 'counts', 'lags'],
  ['what PHP wrote since a write', copy('php', used), note(), 'counts', 'counts'],
  ['nothing, where something was', NO_COPY, note(), 'counts', 'counts'],
  [
    'what an unknown write may have superseded',
    copy('php'),
    note({ superseded: 'unknown' }),
    'behind',
    'behind',
  ],
  [
    'what came after an unknown write',
    copy('php', used),
    note({ superseded: 'unknown' }),
    'counts',
    'counts',
  ],
  ['what was before an end', copy('php'), end, 'behind', 'behind'],
  ['what PHP wrote into it since', copy('php', used), end, 'behind', 'behind'],
  ['what was begun anew after an end', copy('php', begun), end, 'counts', 'counts'],
  ['what was copied to a new disk', copy('php', { ...begun, modifiedMs: 500 }), end, 'behind', 'behind'],
  ['what may have been begun anew', copy('php', { ...used, bornMs: 0 }), end, 'behind', 'behind'],
  ['nothing, after an end', NO_COPY, end, 'behind', 'behind'],
  ['what was before an end and a save', copy('php', used), note({ ended: 900 }), 'behind', 'behind'],
  [
    'what was begun between an end and a save',
    copy('php', { ...begun, bornMs: 950 }),
    note({ ended: 900 }),
    'counts',
    'counts',
  ],
  [
    'what was before a removal that says no more',
    copy('php', used),
    note({ kind: 'delete' }),
    'behind',
    'behind',
  ],
  ['what nobody used for so long', copy('php'), collection, 'behind', 'behind'],
  ['what was used since', copy('old', used), collection, 'counts', 'counts'],
  ['what was used since, and a save', copy('old', used), note({ unusedFor: 600 }), 'counts', 'counts'],
  ['what nobody used, and a save', copy('php'), note({ unusedFor: 600 }), 'behind', 'behind'],
  ['nothing, after a collection', NO_COPY, collection, 'behind', 'behind'],
  [
    'what was used since a collection, and ended',
    copy('php', used),
    note({ unusedFor: 600, ended: AT }),
    'behind',
    'behind',
  ],
  [
    'what a call that hung made',
    copy('late', begun),
    note({ ...end, late: [{ version: 'late' }] }),
    'behind',
    'behind',
  ],
])('%s', (_, one, missed, onFirst, onAnother) => {
  const now = 1_500;
  expect([standingOf(one, missed, true, now), standingOf(one, missed, false, now)]).toEqual([
    onFirst,
    onAnother,
  ]);
});

test('what was used since a collection is kept; of what nobody knows any more whether it was ended, only what was begun anew', () => {
  const session = (more: Partial<FileCopy>) => copy('v|i:1;', more);
  const kept = (own: FileCopy, missed: MissedWrite) => reconcileCopies(own, NO_COPY, missed, 'php').kept;
  expect(kept(session({ modifiedMs: 1_200 }), collection)).toBe('its own');
  expect(kept(session(used), note({ superseded: 'unknown' }))).toBe('the others');
  expect(kept(session(begun), note({ superseded: 'unknown' }))).toBe('its own');
});
