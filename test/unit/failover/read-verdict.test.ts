/** The checker of reads can fail: each thing that a process must not be shown is found. */
import { expect, test } from 'vitest';
import type { AppEvent, Operation } from '../../support/app-fleet.js';
import type { ReadNote } from '../../support/read-journal.js';
import { wrongReads } from '../../support/read-verdict.js';

const operation = (id: string, outcome: Operation['outcome'] = 'acknowledged'): Operation => ({
  id,
  outcome,
  began: 0,
  ended: 1,
  why: '',
  rows: 1,
});
const operations = [
  operation('stored'),
  operation('lost'),
  operation('refused', 'refused'),
  operation('unknown', 'unknown'),
];
const event = (event: string, at: number, detail: AppEvent['detail']): AppEvent => ({
  app: 'a',
  event,
  at,
  detail,
});
const read = (more: Partial<ReadNote>): ReadNote => ({
  app: 'a',
  id: 'read',
  kind: 'newest',
  began: 1_000,
  ended: 1_001,
  port: 2,
  shown: [],
  wanted: 0,
  ...more,
});
const own = (id: string, shown: number, wanted: number): ReadNote =>
  read({ id, kind: 'own', shown: Array(shown).fill(id), wanted });
const followed = event('step', 3_000, { id: 'follow-0@db1', phase: 'started' });
const diverged = [event('node-diverged', 2_000, { node: 'db1' }), followed];
const leased = [
  event('lease-gained', 10, { node: 'db2' }),
  event('lease-lost', 1_000, { node: 'db2' }),
  event('lease-gained', 2_000, { node: 'db2' }),
  event('lease-lost', 3_000, { node: 'db2' }),
  event('lease-gained', 3_100, { node: 'db1' }),
];
const moved = [
  event('primary-changed', 10, { after: 'db1' }),
  event('primary-changed', 1_900, { before: 'db1' }),
  event('primary-changed', 2_000, { after: 'db2' }),
];

function wrong(note: ReadNote, events: readonly AppEvent[] = []): readonly string[] {
  return wrongReads([note], {
    operations,
    stored: new Set(['stored']),
    primary: 'db2',
    events,
    ports: new Map([
      [1, 'db1'],
      [2, 'db2'],
    ]),
    others: new Set(['lawless']),
  });
}

test.each<[string, ReadNote, readonly AppEvent[]]>([
  ['its own write', own('stored', 1, 1), []],
  ['its own write, which a failover has lost', own('lost', 0, 1), []],
  [
    'what is stored, lost, unknown, or of others',
    read({ shown: ['stored', 'lost', 'unknown', 'lawless'] }),
    [],
  ],
  ['what is lost, before it took the new primary for that', read({ began: 1_999, shown: ['lost'] }), moved],
  ['what is lost, while it has no right to write', read({ began: 1_999, shown: ['lost'] }), leased],
  ['what is lost, when it lost that right', read({ began: 3_001, shown: ['lost'] }), leased],
  ['what is lost, while it writes elsewhere', read({ began: 3_101, shown: ['lost'] }), leased],
  ['of a node that is not diverged yet', read({ began: 1_999, port: 1 }), diverged],
  ['of a node that follows again', read({ began: 3_001, ended: 3_002, port: 1 }), diverged],
  ['of another node than the diverged one', read({ began: 2_001, ended: 2_002 }), diverged],
  [
    'of a node that only another process knows to be diverged',
    read({ app: 'b', began: 2_001, port: 1 }),
    diverged,
  ],
])('right: it is shown %s', (_, note, events) => {
  expect(wrong(note, events)).toEqual([]);
});

test.each<[string, ReadNote, readonly AppEvent[], RegExp]>([
  ['nothing of its own write', own('stored', 0, 1), [], /shown 0 of the 1 rows/],
  ['half of its own write', own('stored', 1, 2), [], /shown 1 of the 2 rows/],
  ['what was refused', read({ shown: ['stored', 'refused'] }), [], /refused, which was refused/],
  ['what nobody wrote', read({ shown: ['elsewhere'] }), [], /elsewhere, which nobody wrote/],
  ['what is lost, after it did', read({ began: 2_001, shown: ['lost'] }), moved, /never had/],
  [
    'what is lost, while it may write to the new one',
    read({ began: 999, shown: ['lost'] }),
    leased,
    /never had/,
  ],
  ['what is lost, when it may do so again', read({ began: 2_001, shown: ['lost'] }), leased, /never had/],
  ['what is unknown, and not there', read({ began: 2_001, shown: ['unknown'] }), moved, /never had/],
  [
    'what a diverged node says',
    read({ began: 2_001, ended: 2_002, port: 1 }),
    diverged,
    /of db1 .* was answered/,
  ],
])('wrong: it is shown %s', (_, note, events, words) => {
  expect(wrong(note, events)).toEqual([expect.stringMatching(words)]);
});
