import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { AnswerRoom } from '../../../src/gateway/answer-room.js';
import { ClientOutput } from '../../../src/gateway/client-output.js';

test('who reads a large answer bit by bit is seen to read, and gets all of it', async () => {
  const taken: Buffer[] = [];
  let take: (() => void) | undefined;
  const socket = new Duplex({
    // Else it depends on the release of Node.
    writableHighWaterMark: 16_384,
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      take = () => {
        taken.push(chunk);
        done();
      };
    },
  });
  const room = new AnswerRoom(1_000_000, { now: () => 0 });
  let [looks, written] = [0, 0];
  const output = new ClientOutput(socket as Socket, {
    room,
    onWritten: (bytes) => {
      written += bytes;
    },
    onSlow: () => {
      looks += 1;
      return looks;
    },
    giveUp: () => undefined,
  });
  const large = Buffer.from(Array.from({ length: 900_000 }, (_, n) => n % 251));
  output.push(large);
  output.push(Buffer.from('END'));
  let over = false;
  const delivered = output.deliver().then(() => {
    over = true;
  });
  const left: number[] = [];
  while (!over) {
    left.push(room.used);
    take?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await delivered;
  expect(Buffer.concat(taken).equals(Buffer.concat([large, Buffer.from('END')]))).toBe(true);
  expect(Math.max(...taken.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
  expect(written).toBe(large.length + 3);
  expect(looks).toBeGreaterThan(10);
  expect(left).toEqual([...left].sort((one, other) => other - one));
  expect([left[0], room.used]).toEqual([900_003, 0]);
});
