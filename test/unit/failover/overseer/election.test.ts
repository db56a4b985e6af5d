import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { Election } from '../../../../src/failover/overseer/election.js';

vi.mock('node:net', async (load) => {
  const net = await load<typeof import('node:net')>();
  return { ...net, createServer: vi.fn(net.createServer) };
});

/** A part in an election that no voter answers; `asked` tells whether it got so far as to ask one. */
function partOf(
  cluster: string,
  voters: readonly string[],
  host = 'web1',
): { readonly election: Election; asked: boolean } {
  const part = {
    asked: false,
    election: new Election({
      cluster,
      host,
      targets: voters.map((voter) => ({
        voter,
        connect: () => {
          part.asked = true;
          return Promise.reject(new Error('nobody is there'));
        },
      })),
      waitTimeoutS: 4,
      onChange: () => undefined,
    }),
  };
  return part;
}

test('one process of a machine takes part in an election, and another one when it ends', async () => {
  const cluster = randomUUID();
  const [first, second] = [partOf(cluster, ['db1', 'db2', 'db3']), partOf(cluster, ['db3', 'db2', 'db1'])];
  expect(await first.election.campaign()).toBe(false);
  expect(await second.election.campaign()).toBe(false);
  expect([first.asked, second.asked]).toEqual([true, false]);
  await first.election.close();
  await second.election.campaign();
  expect(second.asked).toBe(true);
  await second.election.close();
});

test('clusters of the same name with other voters do not keep each other from electing somebody', async () => {
  const cluster = randomUUID();
  const [first, second] = [partOf(cluster, ['db1', 'db2', 'db3']), partOf(cluster, ['db4', 'db5', 'db6'])];
  await first.election.campaign();
  await second.election.campaign();
  expect([first.asked, second.asked]).toEqual([true, true]);
  await Promise.all([first.election.close(), second.election.close()]);
});

test('a machine may have a long name', async () => {
  const cluster = randomUUID();
  const host = `web1.${'very-'.repeat(40)}long.example`;
  const part = partOf(cluster, ['db1', 'db2', 'db3'], host);
  const [second, other] = [host, `${host}.org`].map((name) => partOf(cluster, ['db1', 'db2', 'db3'], name));
  await part.election.campaign();
  await second?.election.campaign();
  await other?.election.campaign();
  expect([part.asked, second?.asked, other?.asked]).toEqual([true, false, true]);
  await Promise.all([part, second, other].map((each) => each?.election.close()));
});

test('where the system has no such names every process takes part', async () => {
  vi.mocked(createServer).mockImplementation(
    () =>
      Object.assign(new EventEmitter(), {
        listen(this: EventEmitter) {
          this.emit('error', Object.assign(new Error('listen EACCES'), { code: 'EACCES' }));
        },
        unref: () => undefined,
        close: () => undefined,
      }) as never,
  );
  const cluster = randomUUID();
  const parts = [0, 1].map(() => partOf(cluster, ['db1', 'db2', 'db3']));
  for (const { election } of parts) await election.campaign();
  expect(parts.map(({ asked }) => asked)).toEqual([true, true]);
  await Promise.all(parts.map(({ election }) => election.close()));
});
