/** What a profile of the processor is read as. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const file = pathToFileURL(join(import.meta.dirname, '..', '..', '..', 'bench', 'cpu-profile.mjs')).href;
const { sharesOf } = (await import(file)) as {
  sharesOf(profile: unknown): {
    readonly shares: Record<string, number>;
    readonly largest: { readonly name: string; readonly share: number };
  };
};

test('time is told by what its code belongs to, and idle time by nobody', () => {
  const frames = [
    ['(idle)', ''],
    ['(garbage collector)', ''],
    ['writeBuffer', ''],
    ['send', 'file:///app/dist/mysql/session-sender.js'],
    ['write', 'file:///app/dist/memcached/copies/commit-copies.js'],
    ['execute', 'file:///app/node_modules/mysql2/lib/command.js'],
    ['parse', 'file:///app/node_modules/@scope/name/dist/parse.js'],
    ['toString', 'node:buffer'],
    ['worker', 'file:///app/bench/peer-process.mjs'],
    ['', 'file:///app/dist/mysql/slot.js'],
  ].map(([functionName, url], id) => ({ id, callFrame: { functionName, url } }));
  const samples = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const timeDeltas = [900, 10, 40, 20, 10, 5, 5, 4, 3, 3];
  const { shares, largest } = sharesOf({ nodes: frames, samples, timeDeltas });
  expect(shares).toEqual({
    'garbage collector': 0.1,
    'write to sockets': 0.4,
    'stormlamp/mysql': 0.23,
    'stormlamp/memcached/copies': 0.1,
    mysql2: 0.05,
    '@scope/name': 0.05,
    'Node itself': 0.04,
    'the benchmark': 0.03,
  });
  expect(largest).toEqual({ name: 'send (session-sender.js)', share: 0.2 });
});

test('a profile of nothing but idle time has no shares', () => {
  const nodes = [{ id: 1, callFrame: { functionName: '(idle)', url: '' } }];
  expect(sharesOf({ nodes, samples: [1], timeDeltas: [5] })).toEqual({
    shares: {},
    largest: { name: 'none', share: 0 },
    busyUs: 0,
  });
});
