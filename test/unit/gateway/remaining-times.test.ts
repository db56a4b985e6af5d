import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type CallOptions, Deadline } from '../../../src/common/deadline.js';
import { RemainingTimes } from '../../../src/gateway/remaining-times.js';
import { exptimeByClock } from '../../../src/memcached/exptime.js';
import { openForeignPeer } from '../memcached/scripted-peer.js';

const END = 1_900_000_030;
/** To all that is asked of one item. */
const ANSWER = 'HD t30\r\nSTAT pid 7\r\nSTAT time 1900000000\r\nEND\r\nHD t30\r\n';

/** A node with the text protocol; `onQuestion` may do something in place of an answer. */
async function openNode(onQuestion: (connection: number, question: number, socket: Socket) => boolean) {
  let connections = 0;
  return await openForeignPeer((socket) => {
    const connection = connections;
    connections += 1;
    let questions = 0;
    socket.on('data', (chunk) => {
      if (chunk.toString().startsWith('version')) return void socket.write('VERSION 1.6.18\r\n'.repeat(3));
      const question = questions;
      questions += 1;
      if (onQuestion(connection, question, socket)) socket.write(ANSWER);
    });
  });
}

function timesOn(port: number, aheadMs = 0): RemainingTimes {
  return new RemainingTimes(
    () => ({ address: { host: '127.0.0.1', port } }),
    () => aheadMs,
  );
}

const within = (): Deadline => Deadline.of({ timeoutMs: 10_000 });

test('a connection that the node has closed since the last question is replaced', async () => {
  await using node = await openNode((connection, question, socket) => {
    if (question === 0 || connection === 2) return true;
    socket.destroy();
    return false;
  });
  const times = timesOn(node.port);
  for (let round = 0; round < 3; round += 1) expect(await times.exptimeOf('node', 'key', within())).toBe(END);
  times.close();
});

test('so is one whose other end is gone without a word', async () => {
  await using node = await openNode((connection, question) => connection > 0 || question === 0);
  const times = timesOn(node.port);
  expect(await times.exptimeOf('node', 'key', within())).toBe(END);
  expect(await times.exptimeOf('node', 'key', within())).toBe(END);
  times.close();
});

test('on a connection that was used before a silent node leaves time to be asked once more', async () => {
  await using node = await openNode((connection, question) => connection === 0 && question === 0);
  const times = timesOn(node.port);
  const limits: number[] = [];
  const deadline = within();
  const callWithin = (limitMs: number): CallOptions => {
    limits.push(limitMs);
    return { timeoutMs: 50 };
  };
  const watched = Object.assign(Object.create(deadline) as Deadline, {
    callWithin,
    check: () => undefined,
    race: (_what: string, asked: Promise<unknown>) => asked,
  });
  expect(await times.exptimeOf('node', 'key', within())).toBe(END);
  await expect(times.exptimeOf('node', 'key', watched)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  expect(limits).toEqual([1_000, 2_000]);
  times.close();
});

test('a node that closes every connection is not asked again and again', async () => {
  let questions = 0;
  await using node = await openNode((_connection, _question, socket) => {
    questions += 1;
    socket.destroy();
    return false;
  });
  const times = timesOn(node.port);
  await expect(times.exptimeOf('node', 'key', within())).rejects.toMatchObject({
    code: 'ERR_NODE_UNREACHABLE',
  });
  expect(questions).toBe(1);
  times.close();
});

test('the end of an item is its date by the clock of this machine, which comes to the same on the node', async () => {
  await using node = await openNode(() => true);
  const times = timesOn(node.port, 3_600_000);
  const exptime = await times.exptimeOf('node', 'key', within());
  expect(exptimeByClock(exptime ?? 0, 3_600_000)).toBe(END);
  times.close();
});
