import type { Connection } from 'mysql2';
import { describe, expect, test } from 'vitest';
import { refuseLongText, wasTooLong } from '../../../src/mysql/packet-limit.js';
import { classifyServerError } from '../../../src/mysql/server-error.js';

const ATTRIBUTES = 1 << 27;

/** `UTF8MB4_UNICODE_CI` and others, by the numbers that servers know them by. */
const NUMBERS = { utf8mb4: 224, latin1: 8, utf8: 33, gb18030: 248 };

function connection(charset: keyof typeof NUMBERS = 'utf8mb4', serverCapabilityFlags = 0): Connection {
  const config = { clientFlags: ATTRIBUTES, charsetNumber: NUMBERS[charset] };
  return { serverCapabilityFlags, config } as unknown as Connection;
}

function refusal(raw: Connection, limit: number, text: string): unknown {
  try {
    refuseLongText(raw, 'db1:3306' as never, limit, text);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('refuseLongText', () => {
  test('counts the command and, where the server takes them, the attributes of a query', () => {
    expect(refusal(connection(), 1_024, 'x'.repeat(1_022))).toBeUndefined();
    expect(refusal(connection(), 1_024, 'x'.repeat(1_023))).toMatchObject({
      errno: 1153,
      message: expect.stringContaining('1024 bytes'),
    });
    expect(refusal(connection('utf8mb4', ATTRIBUTES), 1_024, 'x'.repeat(1_020))).toBeUndefined();
    expect(refusal(connection('utf8mb4', ATTRIBUTES), 1_024, 'x'.repeat(1_021))).toBeDefined();
  });

  test('counts bytes in the encoding of the connection, and rather too many than too few', () => {
    expect(refusal(connection('utf8mb4'), 1_024, 'é'.repeat(511))).toBeUndefined();
    expect(refusal(connection('utf8mb4'), 1_024, 'é'.repeat(512))).toBeDefined();
    expect(refusal(connection('latin1'), 1_024, 'é'.repeat(1_022))).toBeUndefined();
    // Six bytes each in CESU-8, which is what the driver writes for `utf8`, and four in GB 18030.
    expect(refusal(connection('utf8'), 1_024, '😀'.repeat(170))).toBeUndefined();
    expect(refusal(connection('utf8'), 1_024, '😀'.repeat(171))).toBeDefined();
    expect(refusal(connection('gb18030'), 1_024, 'ħ'.repeat(255))).toBeUndefined();
    expect(refusal(connection('gb18030'), 1_024, 'ħ'.repeat(256))).toBeDefined();
  });

  test('takes any length while the limit is not known', () => {
    expect(refusal(connection(), Number.POSITIVE_INFINITY, 'x'.repeat(10_000_000))).toBeUndefined();
  });

  test('its error speaks against no connection, other than the same of a server', () => {
    const error = refusal(connection(), 10, 'x'.repeat(100));
    expect(wasTooLong(error)).toBe(true);
    expect(classifyServerError(error)).toMatchObject({ kind: 'statement', connection: 'usable' });
    const told = Object.assign(new Error('Got a packet bigger'), { errno: 1153 });
    expect(wasTooLong(told)).toBe(false);
    expect(classifyServerError(told)).toMatchObject({ kind: 'statement', connection: 'lost' });
  });
});
