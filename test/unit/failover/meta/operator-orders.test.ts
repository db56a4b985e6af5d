import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import type { MetaStore } from '../../../../src/failover/meta/meta-store.js';
import { OperatorOrders } from '../../../../src/failover/meta/operator-orders.js';
import type { Voter } from '../../../../src/failover/voters.js';

const OP = '11111111-2222-3333-4444-555555555555';

function refusedConnection(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
}

/** Three nodes of which the first is dead, and what they are asked; `primary` makes one of them take writes. */
function madeUp(known: readonly string[] = [OP]) {
  const locks = new Map<string, string>();
  const written: string[] = [];
  const tried: string[] = [];
  const told: string[] = [];
  let primary: Voter | undefined;
  let trouble: Error | undefined;
  const voter = (id: string, answers: boolean): Voter => {
    const connect = async (): Promise<unknown> => {
      if (!answers) throw refusedConnection();
      return {
        onLost: () => undefined,
        destroy: () => locks.delete(id),
        ask: async (sql: string) => {
          const lock = /^SELECT GET_LOCK\('(.*)', 0\)/.exec(sql)?.[1];
          if (lock !== undefined) locks.set(id, lock);
          return [{ got: 1, held: 1 }];
        },
      };
    };
    return { id, kind: 'data', act: { connect } } as unknown as Voter;
  };
  const voters = [voter('db1', false), voter('db2', true), voter('db3', true)];
  const whenAnswering =
    <T>(answer: T) =>
    async ({ id }: Voter): Promise<T> => {
      if (id === 'db1') throw refusedConnection();
      return answer;
    };
  const meta = {
    knows: (node: Voter, opId: string) => whenAnswering(known.includes(opId))(node),
    pauses: whenAnswering(known.map((id) => ({ id, because: `${id} (me)`, leftS: 60 }))),
    acknowledge: async (node: Voter, opId: string, who: string) => {
      const { id } = node;
      tried.push(id);
      await whenAnswering(true)(node);
      if (trouble !== undefined) throw trouble;
      written.push(`${id}: ${who} ${opId}, locked ${[...locks.keys()].join(' ')}`);
      return true;
    },
  } as unknown as MetaStore;
  const orders = new OperatorOrders({
    cluster: 'shop',
    meta,
    actor: 'web1:1',
    voters,
    writer: () => primary,
    noPrimary: () => new StormlampError(ErrorCode.NO_PRIMARY, 'none'),
    given: () => undefined,
    record: (kind) => told.push(kind),
  });
  const becomePrimary = (index: number): void => {
    primary = voters[index];
  };
  const refuseWrites = (why: Error | undefined): void => {
    trouble = why;
  };
  return { orders, locks, written, tried, told, becomePrimary, refuseWrites };
}

async function until(is: () => boolean): Promise<void> {
  await expect.poll(is).toBe(true);
}

test('without a primary it stands by a lock on the nodes that answer, and is written on the one that comes', async () => {
  const { orders, locks, written, told, becomePrimary } = madeUp();
  const given = orders.acknowledge(OP, 'alice');
  await until(() => locks.size === 2);
  expect([...locks.values()]).toEqual([`ha1:order:acknowledge:${OP}`, `ha1:order:acknowledge:${OP}`]);
  expect([written, told]).toEqual([[], []]);
  becomePrimary(1);
  await given;
  expect(written).toEqual([`db2: alice ${OP}, locked db2 db3`]);
  expect([told, locks.size]).toEqual([['change-acknowledged'], 0]);
});

test('one that died a moment ago, and is still taken for the primary, does not end it', async () => {
  const { orders, locks, written, becomePrimary } = madeUp();
  becomePrimary(0);
  const given = orders.acknowledge(OP, 'alice');
  await until(() => locks.size === 2);
  becomePrimary(1);
  await given;
  expect(written).toEqual([`db2: alice ${OP}, locked db2 db3`]);
  expect(locks.size).toBe(0);
});

test('it goes on standing while the new primary does not take writes yet', async () => {
  const { orders, locks, tried, written, becomePrimary, refuseWrites } = madeUp();
  const given = orders.acknowledge(OP, 'alice');
  await until(() => locks.size === 2);
  const readOnly =
    'The MariaDB server is running with the --read-only option so it cannot execute this statement';
  refuseWrites(Object.assign(new Error(readOnly), { errno: 1290 }));
  becomePrimary(1);
  await until(() => tried.length > 0);
  expect(locks.size).toBe(2);
  refuseWrites(undefined);
  await given;
  expect(written).toHaveLength(1);
});

test('what does not pass by itself is told at once', async () => {
  const { orders, locks, becomePrimary, refuseWrites } = madeUp();
  refuseWrites(Object.assign(new Error('UPDATE command denied to user'), { errno: 1142 }));
  becomePrimary(1);
  await expect(orders.acknowledge(OP, 'alice')).rejects.toMatchObject({ errno: 1142 });
  becomePrimary(0);
  const given = orders.acknowledge(OP, 'alice').catch((error: { errno?: number }) => error.errno);
  await until(() => locks.size === 2);
  becomePrimary(1);
  expect(await given).toBe(1142);
  expect(locks.size).toBe(0);
});

test('what no node that answers knows stands for nothing', async () => {
  const { orders, locks } = madeUp([]);
  await expect(orders.acknowledge(OP, 'alice')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  expect(await orders.resume()).toBe(false);
  expect(locks.size).toBe(0);
});

test('it ends with the manager, and nothing was written', async () => {
  const { orders, locks, written, told } = madeUp();
  const given = Promise.allSettled([orders.acknowledge(OP, 'alice'), orders.resume()]);
  await until(() => locks.size === 2);
  orders.close();
  expect(await given).toMatchObject([
    { status: 'rejected', reason: { code: 'ERR_NO_PRIMARY' } },
    { status: 'rejected', reason: { code: 'ERR_NO_PRIMARY' } },
  ]);
  expect([written, told, locks.size]).toEqual([[], [], 0]);
});

test('without a primary no pause begins', async () => {
  const { orders } = madeUp();
  await expect(orders.pause({ ttlMs: 1_000, reason: 'x' })).rejects.toMatchObject({ code: 'ERR_NO_PRIMARY' });
});
