/** PHP writes, Node reads and writes, PHP reads: the same, for thousands of values in every format. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import {
  encodeSession,
  PhpArray,
  PhpEnum,
  PhpFloat,
  PhpObject,
  PhpReference,
  SESSION_HANDLERS,
  SessionDocument,
  type SessionHandler,
  SessionView,
  serialize,
  serializeIgbinary,
  unserialize,
  unserializeIgbinary,
} from '../../src/php/index.js';
import { scalar, text } from '../unit/php/php-values.js';
import { PhpWorker } from './php-worker.js';

const COUNT = 2000;
const TEXT_HANDLERS = ['php', 'php_serialize', 'php_binary'] as const;

let php: PhpWorker;
beforeAll(async () => {
  php = await PhpWorker.start();
});
afterAll(async () => {
  await php?.close();
});

const latin1 = (bytes: Buffer | undefined): string | undefined => bytes?.toString('latin1');

/** Values of classes that PHP knows, or whose names it keeps when it does not. */
const shared = new PhpReference('shared');
const readable = (...more: unknown[]): fc.Arbitrary<unknown> =>
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      scalar,
      fc.constantFrom<unknown>(new PhpEnum('Suit', 'Hearts'), new PhpEnum('Flag', 'On'), ...more),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text, tie('value'), { maxKeys: 4, noNullPrototype: true }),
      fc
        .array(fc.tuple(fc.oneof(fc.integer({ min: -3, max: 9 }), text), tie('value')), { maxLength: 4 })
        .map((entries) => new PhpArray(entries)),
      fc
        .tuple(
          fc.constantFrom('stdClass', 'Unknown\\Thing'),
          fc.array(
            fc.tuple(
              text.filter((name) => !name.startsWith('\0')),
              tie('value'),
            ),
            { maxLength: 3 },
          ),
        )
        .map(([name, properties]) => new PhpObject(name, properties)),
    ),
  })).value;

/** Some pseudo-random damage to bytes. */
function damage(bytes: Buffer, seed: number): Buffer {
  const characters = '0123456789:;{}"sSaOirRbdN|+-.';
  const at = Math.imul(seed, 2654435761) >>> 0;
  const byte = Buffer.from(characters[(at >>> 8) % characters.length] ?? '0');
  const place = at % (bytes.length + 1);
  const kinds = [
    [bytes.subarray(0, place), byte, bytes.subarray(place)],
    [bytes.subarray(0, place), bytes.subarray(place + 1)],
    [bytes.subarray(0, place), byte, bytes.subarray(place + 1)],
    [bytes.subarray(0, place)],
  ];
  return Buffer.concat(kinds[seed % kinds.length] ?? []);
}

async function sessions(handler: SessionHandler, seed: number, count: number): Promise<Buffer[]> {
  const [answer] = await php.ask([{ op: 'generate-session', handler, seed, count }]);
  return ((answer?.cases ?? []) as string[]).map((data) => Buffer.from(data, 'base64'));
}

describe('values', () => {
  test('that PHP writes are written back to the very same bytes, by serialize and by igbinary', async () => {
    const [answer] = await php.ask([{ op: 'generate', seed: 4711, count: COUNT }]);
    const cases = answer?.cases as { data: string; igbinary: string }[];
    expect(cases).toHaveLength(COUNT);
    for (const { data, igbinary } of cases) {
      const plain = Buffer.from(data, 'base64');
      expect(latin1(serialize(unserialize(plain)))).toBe(latin1(plain));
      const packed = Buffer.from(igbinary, 'base64');
      expect(latin1(serializeIgbinary(unserializeIgbinary(packed)))).toBe(latin1(packed));
    }
  });

  test('that Node makes up are what PHP reads', async () => {
    const values = fc.sample(readable(shared), { numRuns: COUNT, seed: 1 });
    const plain = values.map((value) => serialize(value));
    const read = await php.rewrite(plain, { op: 'unserialize' });
    for (const [index, bytes] of plain.entries()) expect(latin1(read[index])).toBe(latin1(bytes));
  });

  test('that Node packs with igbinary are what PHP reads', async () => {
    const values = fc.sample(readable(), { numRuns: COUNT, seed: 2 });
    const packed = values.map((value) => serializeIgbinary(value).toString('base64'));
    const answers = await php.ask(packed.map((data) => ({ op: 'igbinary_unserialize', data })));
    for (const [index, { data, plain = '' }] of answers.entries()) {
      expect(data).toBe(packed[index]);
      expect(latin1(Buffer.from(plain, 'base64'))).toBe(latin1(serialize(values[index])));
    }
  });

  // Written by igbinary 3.2.13: `$a['self'] = &$a`, and a tree whose branches have a reference to their parent.
  test.each([
    '140211017614021101780601110473656c66010111016e0601',
    '1402110176140211016e060111046b696473140106002514020e0106021106706172656e742514020e0106010e0201020e010601',
  ])('that are in themselves are the same to a page, however deep it looks: %s', async (hex) => {
    const packed = Buffer.from(`00000002${hex}`, 'hex');
    const again = serializeIgbinary(unserializeIgbinary(packed));
    expect(again.equals(packed)).toBe(false);
    const [theirs, ours] = await php.ask(
      [packed, again].map((bytes) => ({ op: 'igbinary_levels', data: bytes.toString('base64') })),
    );
    expect(theirs?.levels).toHaveProperty('n', 1);
    expect(ours?.levels).toEqual(theirs?.levels);
  });

  test('that are damaged are refused by both or read as the same', async () => {
    const seeds = fc.sample(readable(shared), { numRuns: COUNT, seed: 3 }).map((value) => serialize(value));
    const inputs = seeds
      .map((bytes, index) => damage(bytes, index))
      // Which classes, cases and properties exist only PHP knows.
      .filter((bytes) => !/[OCE]:/.test(bytes.toString('latin1')));
    expect(inputs.length).toBeGreaterThan(800);
    const answers = await php.rewrite(inputs, { op: 'unserialize' });
    let refused = 0;
    for (const [index, input] of inputs.entries()) {
      let here: string | undefined;
      try {
        here = latin1(serialize(unserialize(input)));
      } catch (error) {
        if (!isStormlampError(error)) throw error;
        refused += 1;
      }
      expect({ input: latin1(input), written: here }).toEqual({
        input: latin1(input),
        written: latin1(answers[index]),
      });
    }
    expect(refused).toBeGreaterThan(100);
  });

  test('that are floats have PHP’s text', async () => {
    const values = fc.sample(fc.double(), { numRuns: COUNT, seed: 4 });
    const bits = values.map((value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      return bytes.toString('hex');
    });
    const [answer] = await php.ask([{ op: 'floats', bits }]);
    expect(values.map((value) => serialize(new PhpFloat(value)).toString())).toEqual(answer?.texts);
  });
});

describe.each(SESSION_HANDLERS)('sessions of the %s format', (handler) => {
  test('that PHP writes are encoded to the very same bytes, and untouched in their natural form', async () => {
    for (const bytes of await sessions(handler, 99, 1000)) {
      const document = SessionDocument.decode(bytes, handler);
      expect(latin1(encodeSession(document.toObject(), handler))).toBe(latin1(bytes));
      expect([...new SessionView(document).changes().keys()]).toEqual([]);
    }
  });

  test('that Node changed are what PHP would write', async () => {
    const written: Buffer[] = [];
    for (const [index, bytes] of (await sessions(handler, 7, 1000)).entries()) {
      const document = SessionDocument.decode(bytes, handler);
      const { data, ...view } = open(document);
      const names = Object.keys(data);
      const name = names[index % Math.max(1, names.length)] ?? 'none';
      // Longer, shorter, gone and new: whatever follows moves.
      if (index % 4 === 0) data[name] = [1, [2, 3], { a: 'b' }];
      else if (index % 4 === 1) data[name] = null;
      else if (index % 4 === 2) delete data[name];
      data['visits'] = index;
      written.push(document.encodeWith(view.changes()));
    }
    const read = await php.rewrite(written, { op: 'session', handler });
    for (const [index, bytes] of written.entries()) {
      expect(comparable(read[index], handler)).toBe(comparable(bytes, handler));
    }
  });
});

describe.each(TEXT_HANDLERS)('damaged sessions of the %s format', (handler) => {
  test('are refused exactly where PHP would delete them', async () => {
    const values = fc.sample(
      fc.dictionary(fc.constantFrom('a', 'user', '_token'), scalar, { noNullPrototype: true }),
      {
        numRuns: COUNT,
        seed: 5,
      },
    );
    const inputs = values.map((value, index) => damage(encodeSession(value, handler), index));
    const answers = await php.rewrite(inputs, { op: 'session', handler });
    for (const [index, input] of inputs.entries()) {
      let decoded = true;
      try {
        SessionDocument.decode(input, handler);
      } catch (error) {
        if (!isStormlampError(error)) throw error;
        decoded = false;
      }
      expect({ input: latin1(input), decoded }).toEqual({
        input: latin1(input),
        decoded: answers[index] !== undefined,
      });
    }
  });
});

/** igbinary marks a reference of which only one place is left, and PHP forgets it when it reads that: no difference. */
function comparable(bytes: Buffer | undefined, handler: SessionHandler): string | undefined {
  if (bytes === undefined || handler !== 'igbinary') return latin1(bytes);
  return latin1(encodeSession(SessionDocument.decode(bytes, handler).toObject(), 'php'));
}

function open(document: SessionDocument): { data: Record<string, unknown>; changes: SessionView['changes'] } {
  const view = new SessionView(document);
  return { data: view.data, changes: () => view.changes() };
}
