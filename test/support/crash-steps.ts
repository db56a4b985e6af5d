/** The steps at which processes are killed that make a change; what else their plans have is added while they are tried. */
import { crashAtStep, crashInFailover, crashInForcedFailover, crashInRejoin } from './crash-at-step.js';

const PROMOTE = [
  'renew',
  'stop-receiving',
  'assert-applied',
  'stop-replication',
  'forget-source',
  'epoch',
  'take-writes',
  'verify-writes',
  'follow-0',
  'start-replication',
  'release',
];
/** Every kind of change of the primary, and of what follows it. */
export const PLANS = [
  {
    kind: 'switchover',
    crash: crashAtStep,
    steps: [
      'lock-change',
      'look-again',
      'begin',
      'position',
      'drain',
      'wait-leases',
      'lock-promote',
      'wait-writers',
      'refuse-writes',
      'final-position',
      'same-position',
      'wait-handover',
      ...PROMOTE,
    ],
  },
  {
    kind: 'failover',
    crash: crashInFailover,
    steps: [
      'lock-change',
      'look-again',
      'freeze',
      'confirm',
      'assert-complete',
      'wait-handover',
      'drain',
      'confirm-again',
      ...PROMOTE,
      'begin',
    ],
  },
  {
    kind: 'forced-failover',
    crash: crashInForcedFailover,
    steps: [
      'lock-change',
      'look-again',
      'unlogged',
      'home',
      'table',
      'note',
      'refuse-writes',
      'freeze',
      'confirm',
      'assert-complete',
      'wait-handover',
      'drain',
      'confirm-again',
      'renew',
      'stop-receiving',
      'assert-applied',
      'stop-replication',
      'forget-source',
    ],
  },
  {
    kind: 'rejoin',
    crash: crashInRejoin,
    steps: ['lock-change', 'look-again', 'wait-handover', 'follow-0', 'start-replication', 'release'],
  },
] as const;
/** Statements in the middle of which it dies; the server goes on with them. */
export const SENT: readonly string[] = [
  'begin',
  'freeze',
  'refuse-writes',
  'drain',
  'stop-replication',
  'forget-source',
  'epoch',
  'take-writes',
  'follow-0',
  'start-replication',
];
/** There before the first change of a cluster only: failover-crash-plans.ts. */
export const ONCE: RegExp = /^make-tables/;
/** Afterwards the old primary may have what nobody else has, and is left: failover-crash-plans has a cluster for each. */
export const ONCE_FORCED: RegExp = /^(make-tables|epoch$|begin$|take-|verify-|follow-|start-|release$)/;

const TRIED = [...new Set(PLANS.flatMap(({ steps }) => steps))].join('|');
/** What the tours of every cluster try, and what is there before its first change only. */
export const COMMON: RegExp = new RegExp(
  `^(${TRIED}|assert-votes(-first|-again)?|end-attempt|hold-writes|end-held|let-writes|empty-relay-log|make-tables-\\d+)$`,
);
