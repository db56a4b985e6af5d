import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FrameFault, ResponseFrames } from '../../../src/memcached/response-frames.js';
import { answer } from './scripted-peer.js';

function frame(length: number, opaque: number): Buffer {
  return answer({ opcode: 0, opaque }, { value: Buffer.alloc(length, opaque) });
}

function collect(
  frames: ResponseFrames,
  chunks: readonly Buffer[],
): { found: Buffer[]; fault: FrameFault | undefined } {
  const found: Buffer[] = [];
  for (const chunk of chunks) {
    const fault = frames.push(chunk, (bytes, start, end) => {
      found.push(Buffer.from(bytes.subarray(start, end)));
      return true;
    });
    if (fault !== undefined) return { found, fault };
  }
  return { found, fault: undefined };
}

test('answers come out whole and in order, however the bytes are cut', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, cuts, (lengths, steps) => {
      const wanted = lengths.map((length, index) => frame(length, index + 1));
      const bytes = Buffer.concat(wanted);
      const chunks: Buffer[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const step = steps[turn % steps.length] ?? 1;
        chunks.push(bytes.subarray(at, at + step));
        at += step;
      }
      expect(collect(new ResponseFrames(1000), chunks)).toEqual({ found: wanted, fault: undefined });
    }),
  );
});

test('a large answer in tiny pieces is put together again', () => {
  const whole = frame(5000, 3);
  const pieces = Array.from(whole, (byte) => Buffer.from([byte]));
  expect(collect(new ResponseFrames(5000), pieces).found).toEqual([whole]);
});

test('a body over the limit is refused from its header alone', () => {
  const bytes = frame(1001, 1).subarray(0, 24);
  expect(collect(new ResponseFrames(1000), [bytes]).fault?.kind).toBe('length');
  expect(collect(new ResponseFrames(1001), [bytes]).fault).toBeUndefined();
});

test('a key longer than the body is refused', () => {
  const bytes = frame(3, 1);
  bytes.writeUInt16BE(4, 2);
  expect(collect(new ResponseFrames(1000), [bytes]).fault?.kind).toBe('length');
});

test('bytes that are no answer are refused at the first byte, also behind a whole answer', () => {
  expect(collect(new ResponseFrames(1000), [Buffer.from('E')]).fault).toEqual({
    kind: 'magic',
    bytes: Buffer.from('E'),
  });
  const { found, fault } = collect(new ResponseFrames(1000), [
    Buffer.concat([frame(1, 1), Buffer.from('HTTP')]),
  ]);
  expect(found).toHaveLength(1);
  expect(fault).toEqual({ kind: 'magic', bytes: Buffer.from('HTTP') });
  // In a chunk of its own, too.
  const split = collect(new ResponseFrames(1000), [
    frame(1, 1).subarray(0, 10),
    frame(1, 1).subarray(10),
    Buffer.from('X'),
  ]);
  expect(split.fault?.kind).toBe('magic');
});

test('nothing is handed out after the taker said stop', () => {
  let count = 0;
  new ResponseFrames(1000).push(Buffer.concat([frame(1, 1), frame(1, 2)]), () => {
    count += 1;
    return false;
  });
  expect(count).toBe(1);
});

test('arbitrary bytes end in answers or in a fault, never in an exception', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (chunks) => {
      const framed = chunks.map((chunk, index) =>
        index === 0 && chunk.length > 0 ? Buffer.from([0x81, ...chunk]) : Buffer.from(chunk),
      );
      expect(() => collect(new ResponseFrames(100), framed)).not.toThrow();
    }),
  );
});
