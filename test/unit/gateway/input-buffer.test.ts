import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputBuffer } from '../../../src/gateway/input-buffer.js';

test('it gives what came in, in order, whatever the pieces and the requests', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('push' as const),
      text: fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
    }),
    fc.record({ do: fc.constant('take' as const), count: fc.nat({ max: 20 }) }),
    fc.record({ do: fc.constant('drop' as const), count: fc.nat({ max: 60 }) }),
    fc.record({ do: fc.constant('line' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = new InputBuffer();
      const kept: { readonly bytes: Buffer; readonly text: string }[] = [];
      let model = '';
      let skip = 0;
      for (const one of steps) {
        if (one.do === 'push') {
          buffer.push(Buffer.from(one.text));
          const gone = Math.min(skip, one.text.length);
          skip -= gone;
          model += one.text.slice(gone);
        } else if (one.do === 'take' && one.count <= model.length && skip === 0) {
          kept.push({ bytes: buffer.take(one.count), text: model.slice(0, one.count) });
          model = model.slice(one.count);
        } else if (one.do === 'drop') {
          buffer.drop(one.count);
          skip += Math.max(0, one.count - model.length);
          model = model.slice(one.count);
        } else if (one.do === 'line') expect(buffer.lineFeed()).toBe(model.indexOf('\n'));
        expect(buffer.size).toBe(model.length);
        expect(buffer.skipping).toBe(skip > 0);
        expect(buffer.peek(0, buffer.size).toString()).toBe(model);
      }
      // What was handed out stays as it was.
      for (const { bytes, text } of kept) expect(bytes.toString()).toBe(text);
    }),
  );
});

test('byte by byte costs no more than a few copies', () => {
  const buffer = new InputBuffer();
  const byte = Buffer.from('x');
  let found = -1;
  for (let index = 0; index < 300_000; index += 1) {
    buffer.push(byte);
    found = Math.max(found, buffer.lineFeed());
  }
  expect(found).toBe(-1);
  expect(buffer.size).toBe(300_000);
});
