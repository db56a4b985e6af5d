import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MachineClaim } from '../../../../src/failover/overseer/machine-claim.js';

vi.mock('node:net', async (load) => {
  const net = await load<typeof import('node:net')>();
  return { ...net, createServer: vi.fn(net.createServer) };
});

const claims: MachineClaim[] = [];
let machine: readonly string[];
beforeEach(() => {
  machine = [randomUUID(), 'web1'];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
  for (const claim of claims.splice(0)) claim.close();
});

function claimOf(parts = machine): MachineClaim {
  const claim = new MachineClaim(parts);
  claims.push(claim);
  return claim;
}

/** Time passes a millisecond a turn, so that whoever is there answers long before it is over. */
async function inTime<T>(asked: Promise<T>): Promise<T> {
  let isOver = false;
  const over = asked.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await turn();
    vi.advanceTimersByTime(1);
  }
  return await over;
}

/** A process that has the name and answers nobody, until it `goesOn`. */
async function hungClaim(): Promise<{ readonly claim: MachineClaim; goOn(): void }> {
  const waiting: Socket[] = [];
  let hangs = true;
  const { createServer: create } = await vi.importActual<typeof import('node:net')>('node:net');
  vi.mocked(createServer).mockImplementation(() =>
    create((socket) => {
      socket.on('error', () => undefined);
      if (hangs) waiting.push(socket);
      else socket.destroy();
    }),
  );
  const claim = claimOf();
  expect(await inTime(claim.take())).toBe(true);
  vi.mocked(createServer).mockImplementation(create);
  return {
    claim,
    goOn() {
      hangs = false;
      for (const socket of waiting) socket.destroy();
    },
  };
}

test('one process of a machine has it, and another one when it ends', async () => {
  const [first, second, elsewhere] = [claimOf(), claimOf(), claimOf([machine[0] ?? '', 'web2'])];
  expect([await inTime(first.take()), await inTime(second.take())]).toEqual([true, false]);
  expect(await inTime(elsewhere.take())).toBe(true);
  first.close();
  await turn();
  expect(await inTime(second.take())).toBe(true);
});

test('one that hangs is passed over by one of the others, which stands back when it goes on', async () => {
  const { claim: hung, goOn } = await hungClaim();
  const [second, third] = [claimOf(), claimOf()];
  expect([await inTime(second.take()), await inTime(third.take())]).toEqual([true, false]);
  await inTime(second.standBack());
  expect(await inTime(second.take())).toBe(true);
  goOn();
  await inTime(second.standBack());
  expect([await hung.take(), await inTime(second.take()), await inTime(third.take())]).toEqual([
    true,
    false,
    false,
  ]);
});

test('when the one that hung is ended, one of the others has it and no second one', async () => {
  const { claim: hung, goOn } = await hungClaim();
  const [second, third] = [claimOf(), claimOf()];
  expect(await inTime(second.take())).toBe(true);
  hung.close();
  goOn();
  await turn();
  await inTime(second.standBack());
  expect([await inTime(second.take()), await inTime(third.take())]).toEqual([true, false]);
});

test('where four hang everybody takes part', async () => {
  for (let index = 0; index < 4; index += 1) await hungClaim();
  expect([await inTime(claimOf().take()), await inTime(claimOf().take())]).toEqual([true, true]);
});

test('who asks at the same time is told the same, and nobody has it once it is closed', async () => {
  const claim = claimOf();
  expect(await inTime(Promise.all([claim.take(), claim.take()]))).toEqual([true, true]);
  const other = claimOf();
  const asked = other.take();
  other.close();
  expect(await inTime(asked)).toBe(false);
});
