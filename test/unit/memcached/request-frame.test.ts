import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Opcode } from '../../../src/memcached/opcode.js';
import { framesLength, writeFrames } from '../../../src/memcached/request-frame.js';
import type { WireRequest } from '../../../src/memcached/wire-message.js';

const request: fc.Arbitrary<WireRequest> = fc.record({
  opcode: fc.constantFrom(...Object.values(Opcode)),
  key: fc.oneof(fc.string({ maxLength: 40 }), fc.constant('schlüssel')),
  extras: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  value: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  cas: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
});

test('what a server reads back is what was asked', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 5 }), (requests) => {
      const first = 0x7fff_fff0;
      const before = 7;
      let rest = Buffer.alloc(before + framesLength(requests), 0xee);
      expect(writeFrames(rest, before, requests, first)).toBe(rest.length);
      expect(rest.subarray(0, before)).toEqual(Buffer.alloc(before, 0xee));
      rest = rest.subarray(before);
      for (const [index, wire] of requests.entries()) {
        const keyLength = rest.readUInt16BE(2);
        const extrasLength = rest[4] ?? 0;
        const end = 24 + rest.readUInt32BE(8);
        expect([rest[0], rest[1], rest[5], rest.readUInt16BE(6)]).toEqual([0x80, wire.opcode, 0, 0]);
        expect(rest.readUInt32BE(12)).toBe(first + index);
        expect(rest.readBigUInt64BE(16)).toBe(wire.cas);
        const keyAt = 24 + extrasLength;
        expect(rest.subarray(24, keyAt)).toEqual(wire.extras);
        expect(rest.toString('utf8', keyAt, keyAt + keyLength)).toBe(wire.key);
        expect(rest.subarray(keyAt + keyLength, end)).toEqual(wire.value);
        rest = rest.subarray(end);
      }
      expect(rest.length).toBe(0);
    }),
  );
});
