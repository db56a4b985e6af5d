import { expect, test } from 'vitest';
import { StatementTexts } from '../../../../src/telemetry/otel/statement-texts.js';

test('values are replaced, the summary is short, and a text is looked at once', () => {
  const texts = new StatementTexts();
  const made = texts.of("SELECT * FROM cart WHERE owner = 'ada'");
  expect(made).toEqual({ text: 'SELECT * FROM cart WHERE owner = ?', summary: 'SELECT cart' });
  expect(texts.of("SELECT * FROM cart WHERE owner = 'ada'")).toBe(made);
});

test('a long text is cut, not kept', () => {
  const texts = new StatementTexts();
  const long = `SELECT ${'column_name, '.repeat(1_000)} x FROM cart`;
  expect(texts.of(long).text).toHaveLength(2_000);
  expect(texts.of(long)).not.toBe(texts.of(long));
});

test('many texts are not kept for ever', () => {
  const texts = new StatementTexts();
  const first = texts.of('SELECT 0');
  for (let n = 1; n <= 500; n += 1) texts.of(`SELECT ${n}`);
  expect(texts.of('SELECT 0')).not.toBe(first);
});
