import { expect, test, vi } from 'vitest';
import { logWriter, writesDebug } from '../../../src/diagnostics/logger.js';

const plain = () => ({ error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() });

test('the message comes first, the fields second', () => {
  const logger = plain();
  logWriter('logger', logger)('warn', 'it rains', { node: 'db1' });
  expect(logger.warn.mock.calls).toEqual([['it rains', { node: 'db1' }]]);
});

test('pino and its kin take the fields first', () => {
  const logger = { ...plain(), bindings: () => ({}) };
  logWriter('logger', logger)('info', 'it rains', { node: 'db1' });
  expect(logger.info.mock.calls).toEqual([[{ node: 'db1' }, 'it rains']]);
});

test.each([
  [null, '`null`'],
  ['console', '`console` (string)'],
  [{ error: () => undefined }, 'method `warn`'],
])('%j is refused with what it lacks', (logger, said) => {
  expect(() => logWriter('logger', logger)).toThrow(said);
});

test('a logger that throws harms nobody', async () => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const logger = {
    ...plain(),
    error: () => {
      throw new Error('disk full');
    },
  };
  logWriter('logger', logger)('error', 'it rains', {});
  expect((await warned).message).toContain('disk full');
});

test('a logger that rejects harms nobody', async () => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const logger = { ...plain(), error: () => Promise.reject(new Error('no network')) };
  logWriter('logger', logger)('error', 'it rains', {});
  expect((await warned).message).toContain('no network');
});

test('only a logger that says so writes debug lines', () => {
  expect(writesDebug(console)).toBe(false);
  expect(writesDebug({ ...plain(), isLevelEnabled: (level: string) => level === 'info' })).toBe(false);
  expect(writesDebug({ ...plain(), isLevelEnabled: (level: string) => level === 'debug' })).toBe(true);
});
