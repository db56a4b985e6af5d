import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isVersion, nameVersion } from '../../../src/gateway/named-version.js';

test('a number is the version of one node, and never 0', () => {
  const cas = fc.bigInt({ min: 0n, max: (1n << 56n) - 1n });
  fc.assert(
    fc.property(fc.nat({ max: 200 }), fc.nat({ max: 200 }), cas, cas, (node, other, one, two) => {
      const named = nameVersion(node, one);
      expect(named > 0n && named < 1n << 64n).toBe(true);
      expect(isVersion(named, other, two)).toBe(node === other && one === two);
    }),
  );
});
