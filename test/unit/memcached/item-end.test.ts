import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { endOfItem } from '../../../src/memcached/item-end.js';
import { TextConnection } from '../../../src/memcached/text-connection.js';
import { openForeignPeer } from './scripted-peer.js';

/** What `endOfItem` makes of a node that gives these answers, one for each time that it is asked. */
async function endBy(...answers: readonly (readonly string[])[]): Promise<number | undefined> {
  let asked = 0;
  await using node = await openForeignPeer((socket) => {
    socket.on('data', (chunk) => {
      if (chunk.toString().startsWith('version')) return void socket.write('VERSION 1.6.18\r\n'.repeat(3));
      const lines = answers[asked] ?? [];
      asked += 1;
      socket.write(lines.map((line) => `${line}\r\n`).join(''));
    });
  });
  const connection = await TextConnection.open({ address: { host: '127.0.0.1', port: node.port } });
  try {
    return await endOfItem(connection, 'key', { timeoutMs: 5_000 });
  } finally {
    expect(asked).toBe(answers.length);
    connection.destroy();
  }
}

const stats = (time: number): readonly string[] => [
  'STAT pid 7',
  `STAT time ${time}`,
  'STAT version 1',
  'END',
];

test.each<[string, readonly (readonly string[])[], number | undefined]>([
  ['the rest and the time', [['HD t30', ...stats(1_000), 'HD t30']], 1_030],
  ['in the words of older servers', [['OK t30', ...stats(1_000), 'OK t30']], 1_030],
  ['no end', [['HD t-1', ...stats(1_000), 'HD t-1']], 0],
  ['no such item', [['EN', ...stats(1_000), 'EN']], undefined],
  ['an item that ends meanwhile', [['HD t0', ...stats(1_000), 'EN']], undefined],
  [
    'a clock that ticks in between, which is asked again',
    [
      ['HD t30', ...stats(1_000), 'HD t29'],
      ['HD t29', ...stats(1_001), 'HD t29'],
    ],
    1_030,
  ],
])('the end of an item is the date of its last second: %s', async (_name, answers, end) => {
  expect(await endBy(...answers)).toBe(end);
});

test.each<[string, readonly string[], string]>([
  ['an error', ['ERROR'], ErrorCode.MEMCACHED],
  ['figures without the time', ['HD t1', 'STAT pid 7', 'END', 'HD t1'], ErrorCode.PROTOCOL],
  ['something else', ['HD t1', 'HD t1'], ErrorCode.PROTOCOL],
  ['a value', ['VA 1 t30'], ErrorCode.PROTOCOL],
])('%s in place of it is an error', async (_name, answer, code) => {
  await expect(endBy(answer)).rejects.toMatchObject({ code });
});
