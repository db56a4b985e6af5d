import { describe, expect, test } from 'vitest';
import {
  expectedLoss,
  type LastSeen,
  lossRefusal,
  type ReplicasLeft,
} from '../../../../src/failover/plan/expected-loss.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { readTransactions } from '../../../../src/failover/survey/transaction-set.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const seen: LastSeen = {
  flavor: 'mariadb',
  gtids: '0-1-100',
  seenAt: 1_700_000_000_000,
  agoMs: 500,
  unseenMs: 500,
  isDead: true,
  rate: 200,
  semiSync: false,
  waits: { acknowledgers: 1, waitFor: 1, timeoutMs: 60_000, waitedMs: 0, afterSync: true, waitsAlone: true },
};
const left: ReplicasLeft = { compared: 2, silent: [] };
const reached = (text: string): NonNullable<ReturnType<typeof readTransactions>> =>
  readTransactions('mariadb', text) ?? new Map();

describe('what is expected to be lost', () => {
  test('asynchronous replication proves nothing, even when nothing is known to be missing', () => {
    expect(expectedLoss(seen, reached('0-1-100'), left)).toMatchObject({
      known: false,
      transactions: 0,
      unseenMs: 500,
    });
  });
  test('what the primary was seen to have and nobody else has is counted', () => {
    expect(expectedLoss(seen, reached('0-1-97'), left)).toMatchObject({ known: false, transactions: 3 });
  });
  test('semi-synchronous replication proves that nothing is lost', () => {
    expect(expectedLoss({ ...seen, semiSync: true }, reached('0-1-100'), left)).toMatchObject({
      known: true,
      transactions: 0,
    });
  });
  test('semi-synchronous replication proves nothing when something is missing all the same', () => {
    expect(expectedLoss({ ...seen, semiSync: true }, reached('0-1-90'), left)).toMatchObject({
      known: false,
      transactions: 10,
    });
  });
  test.each<
    [string, Partial<NonNullable<LastSeen['waits']>> | undefined, Partial<ReplicasLeft>, RegExp | undefined]
  >([
    ['all replicas are compared', {}, {}, undefined],
    [
      'one of two that may have acknowledged is silent',
      {},
      { silent: ['db3:3306'] },
      /db3:3306 may have acknowledged/,
    ],
    [
      'one is silent, and two had to acknowledge',
      { acknowledgers: 2, waitFor: 2 },
      { silent: ['db3:3306'] },
      undefined,
    ],
    [
      'two are silent, and two had to',
      { acknowledgers: 4, waitFor: 2 },
      { silent: ['c', 'd'] },
      /c and d may have/,
    ],
    [
      'a replica that is no voter acknowledges, too',
      { acknowledgers: 3 },
      {},
      /1 replicas that are no voters/,
    ],
    ['fewer acknowledge than are compared', { acknowledgers: 1 }, { compared: 4 }, undefined],
    [
      'the timeout is as short as the time unseen',
      { timeoutMs: 500 },
      {},
      /waits 500 ms, and may have given up/,
    ],
    ['it is longer', { timeoutMs: 501 }, {}, undefined],
    ['a commit had waited before', { timeoutMs: 1_000, waitedMs: 500 }, {}, /may have given up/],
    ['nobody knows how long one had', { waitedMs: Number.POSITIVE_INFINITY }, {}, /may have given up/],
    ['AFTER_COMMIT', { afterSync: false }, {}, /AFTER_SYNC/],
    [
      'it waits for connected replicas only',
      { waitsAlone: false },
      {},
      /wait_no_slave=OFF.* may have given up/,
    ],
    ['a look that does not tell', undefined, {}, /not known/],
  ])('semi-synchronous replication as a proof: %s', (_, waits, replicas, doubt) => {
    const told = waits === undefined || seen.waits === undefined ? undefined : { ...seen.waits, ...waits };
    const loss = expectedLoss({ ...seen, semiSync: true, waits: told }, reached('0-1-100'), {
      ...left,
      ...replicas,
    });
    expect(loss).toMatchObject({ known: doubt === undefined, transactions: 0 });
    if (doubt !== undefined) {
      expect(loss.why).toMatch(doubt);
      expect(lossRefusal(loss, 'none', 0)).toMatch(/not proven/);
    }
  });
  test('a primary that is merely silent may have gone on, and the plan says for how long', () => {
    const silent = { ...seen, isDead: false, unseenMs: 8_200 };
    expect(expectedLoss(silent, reached('0-1-100'), left)).toMatchObject({
      known: false,
      transactions: 0,
      seenAt: 1_700_000_000_000,
      unseenMs: 8_200,
      why: expect.stringMatching(/silent, and may be cut off and alive.* 8200 ms/),
    });
    expect(expectedLoss(seen, reached('0-1-100'), left).why).toMatch(/500 ms before its end/);
  });
  test('a primary that was never seen may have had anything', () => {
    expect(expectedLoss(undefined, reached('0-1-1'), left)).toMatchObject({
      known: false,
      transactions: null,
    });
  });
});

describe('whether that may be lost', () => {
  const loss = (text: string, semiSync = false) => expectedLoss({ ...seen, semiSync }, reached(text), left);
  test.each([
    ['none is proven', 'none', loss('0-1-100', true), undefined],
    ['none is not proven', 'none', loss('0-1-100'), /not proven/],
    ['some are lost', 'none', loss('0-1-90'), /10 transactions/],
    ['anything may be', 'any', loss('0-1-1'), undefined],
    // 200 a second for half a second are about 100 that nobody saw.
    ['the unseen are counted', { transactions: 50 }, loss('0-1-100'), /about 100/],
    ['few enough', { transactions: 200 }, loss('0-1-90'), undefined],
  ] as const)('%s', (_, maxLoss, expected, refusal) => {
    const why = lossRefusal(expected, maxLoss, 200);
    if (refusal === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(refusal);
  });
  test('an unknown rate is no rate of zero', () => {
    expect(lossRefusal(loss('0-1-100'), { transactions: 1_000 }, null)).toMatch(/how fast/);
  });
});

describe('who acknowledged while nobody saw the primary', () => {
  const source = { host: 'db1', port: 3306 };
  const replica = (node: string, on: boolean, uptimeS = 1_000) =>
    madeUp(node, { source, uptimeS, variables: { rpl_semi_sync_slave_enabled: on ? 'ON' : 'OFF' } });
  const waits = {
    acknowledgers: 2,
    waitFor: 1,
    timeoutMs: 60_000,
    waitedMs: 0,
    afterSync: true,
    waitsAlone: true,
  };
  const lastSeen: LastSeen = {
    flavor: 'mariadb',
    gtids: '0-1-100',
    seenAt: 0,
    agoMs: 5_000,
    unseenMs: 5_000,
    isDead: true,
    rate: 10,
    semiSync: true,
    waits,
  };
  const lossWith = (db3: NodeSurvey, acknowledgers = 2) => {
    const seen = { ...lastSeen, waits: { ...waits, acknowledgers } };
    const cause = { from: 'db1', reason: 'dead-primary', lastSeen: seen, silent: new Map() } as const;
    return planFailover(madeUpContext([replica('db2', true), db3]), cause).loss;
  };
  test('both answer, and have been up: nothing is lost', () => {
    expect(lossWith(replica('db3', true))).toMatchObject({ known: true, transactions: 0 });
  });
  test('a replica that does not acknowledge stands for nobody who does', () => {
    expect(lossWith(replica('db3', false))).toMatchObject({ known: false });
    expect(lossWith(replica('db3', false), 1)).toMatchObject({ known: true });
  });
  test('one that was started again since may have dropped what it acknowledged', () => {
    expect(lossWith(replica('db3', true, 2))).toMatchObject({
      known: false,
      why: expect.stringContaining('were started again'),
    });
  });
});
