/** Session containers are read and written as PHP reads and writes them. */
import { describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { encodeSession, SessionDocument, SessionView, type VariableChange } from '../../src/php/index.js';
import { bytes, sessionCases, valueCases } from './php-fixtures.js';

const HANDLERS = ['php', 'php_serialize', 'php_binary'] as const;

function decode(data: string, handler: SessionDocument['handler']): SessionDocument | string {
  try {
    return SessionDocument.decode(bytes(data), handler);
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    return error.code;
  }
}

/** Sets every variable to the value that it has. */
function setAll(document: SessionDocument): Buffer {
  const changes = new Map<string, VariableChange>();
  for (const key of document.keys) changes.set(key, { kind: 'set', value: document.get(key) });
  return document.encodeWith(changes);
}

describe.each(HANDLERS)('containers of the %s format', (handler) => {
  const cases = sessionCases().filter((item) => item.handler === handler);

  test('are refused exactly where PHP could not decode them', () => {
    expect(cases.length).toBeGreaterThan(150);
    for (const { data, written } of cases) {
      const document = decode(data, handler);
      expect({ data, decoded: document instanceof SessionDocument }).toEqual({
        data,
        decoded: written !== null,
      });
    }
  });

  test('that PHP decodes keep their bytes when nothing changes', () => {
    for (const { data } of cases) {
      const document = decode(data, handler);
      if (document instanceof SessionDocument) {
        expect(document.encodeWith(new Map()).toString('latin1')).toBe(data);
        expect([...new SessionView(document).changes().keys()]).toEqual([]);
      }
    }
  });
});

describe.each([...HANDLERS, 'igbinary'] as const)('sessions that PHP made up, %s', (handler) => {
  const cases = valueCases().filter((item) => item.handler === handler);

  test('are encoded to the very same bytes', () => {
    expect(cases.length).toBeGreaterThanOrEqual(60);
    for (const { data } of cases) {
      const document = SessionDocument.decode(bytes(data), handler);
      expect(encodeSession(document.toObject(), handler).toString('latin1')).toBe(data);
      expect(setAll(document).toString('latin1')).toBe(data);
    }
  });

  test('keep their bytes when one variable is set to what it was', () => {
    for (const { data } of cases) {
      const document = SessionDocument.decode(bytes(data), handler);
      for (const key of document.keys) {
        const changes = new Map<string, VariableChange>([[key, { kind: 'set', value: document.get(key) }]]);
        expect(document.encodeWith(changes).toString('latin1')).toBe(data);
      }
    }
  });

  test('are unchanged in their natural form', () => {
    for (const { data } of cases) {
      const view = new SessionView(SessionDocument.decode(bytes(data), handler));
      expect([...view.changes().keys()]).toEqual([]);
    }
  });
});
