/** Generates values of every kind that PHP has. */
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import {
  PhpArray,
  PhpCustomObject,
  PhpEnum,
  PhpFloat,
  type PhpKey,
  PhpObject,
} from '../../../src/php/index.js';

const INT64_MAX = 9223372036854775807n;

/** Text with the characters and names that make trouble, and any other. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    '__proto__',
    'constructor',
    'toString',
    '5',
    '05',
    '-5',
    '-0',
    'a|b',
    '";',
    'é',
    '日本',
    '\0',
    '😀',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => Buffer.from(value).toString() === value),
);

const bytes = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((value) => Buffer.from(value))
  .filter((value) => !isUtf8(value));

const bigInteger = fc
  .bigInt({ min: -INT64_MAX - 1n, max: INT64_MAX })
  .filter((value) => !Number.isSafeInteger(Number(value)));

const float = fc.double().map((value) => (Number.isInteger(value) ? new PhpFloat(value) : value));

/** Values without parts. */
export const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer({ min: -20, max: 300 }),
  bigInteger,
  float,
  text,
  bytes,
);

const key: fc.Arbitrary<PhpKey> = fc.oneof(fc.integer({ min: -5, max: 20 }), text, bytes);
const className = fc.constantFrom('stdClass', 'App\\User', 'Größe', 'A1');

/** Values of every kind but shared ones. */
export const phpValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => new PhpArray(entries)),
    fc
      .tuple(className, fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }))
      .map(([name, entries]) => new PhpObject(name, entries)),
    fc
      .tuple(className, fc.uint8Array({ maxLength: 9 }))
      .map(([name, data]) => new PhpCustomObject(name, Buffer.from(data))),
    fc.tuple(className, fc.constantFrom('On', 'Off')).map(([name, caseName]) => new PhpEnum(name, caseName)),
  ),
})).value;
