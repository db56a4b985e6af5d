import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Election } from '../../../../src/failover/overseer/election.js';

/** A part in an election that no voter answers; `asked` tells whether it got so far as to ask one. */
function partOf(cluster: string, voters: readonly string[]): { readonly election: Election; asked: boolean } {
  const part = {
    asked: false,
    election: new Election({
      cluster,
      host: 'web1',
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
