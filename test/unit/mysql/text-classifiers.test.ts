import { expect, test } from 'vitest';
import { TextClassifiers } from '../../../src/mysql/text-classifiers.js';

const TWOFOLD = "SELECT '\\' , evil() , ' AS x -- '";

test('a text is read in the mode that is given, and in none it is read with care', () => {
  const texts = new TextClassifiers({});
  texts.noteFlavor('mysql');
  expect(texts.classify(TWOFOLD, '').route).toBe('replica');
  expect(texts.classify(TWOFOLD, 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES').route).toBe('primary');
  expect(texts.classify(TWOFOLD, undefined).route).toBe('primary');
});

test('a mode is expected when every node has the same one', () => {
  const texts = new TextClassifiers({});
  expect(texts.expectedMode).toBeUndefined();
  texts.noteMode('a:1', 'ANSI');
  expect(texts.expectedMode).toBe('ANSI');
  texts.noteMode('b:1', '');
  expect(texts.expectedMode).toBeUndefined();
  texts.noteMode('a:1', '');
  expect(texts.expectedMode).toBe('');
  texts.noteMode('b:1', undefined);
  expect(texts.expectedMode).toBeUndefined();
  texts.forget('b:1');
  expect(texts.expectedMode).toBe('');
});

test('many modes are read with care, and the expected one always by itself', () => {
  const texts = new TextClassifiers({});
  for (const mode of ['A', 'B', 'C', 'D', 'E']) texts.classify(TWOFOLD, mode);
  expect(texts.classify(TWOFOLD, 'F').route).toBe('primary');
  texts.noteMode('a:1', 'F');
  expect(texts.classify(TWOFOLD, 'F').route).toBe('replica');
});

test('a text that a read-only server refused is a write from then on, and so is what differs only in values', () => {
  const texts = new TextClassifiers({});
  const sql = 'SELECT * FROM report WHERE id = 1';
  const read = texts.classify(sql, '');
  expect([read.kind, read.route]).toEqual(['read', 'replica']);
  expect(texts.noteWriter(sql, read)).toMatchObject({ kind: 'unknown', route: 'primary' });
  for (const mode of ['', 'ANSI', undefined]) {
    expect(texts.classify('SELECT * FROM report WHERE id = 2', mode)).toMatchObject({ kind: 'unknown' });
    expect(texts.classify('SELECT * FROM other WHERE id = 2', mode)).toMatchObject({ kind: 'read' });
  }
  texts.noteFlavor('mysql');
  expect(texts.classify(sql, '').kind).toBe('unknown');
});
