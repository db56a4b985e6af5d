import { describe, expect, test } from 'vitest';
import { cut, setRows, setTable, type TextColumn } from '../../../src/cli/text-table.js';

const COLUMNS: readonly TextColumn[] = [
  { title: 'node' },
  { title: 'lag', align: 'right', dropAt: 1 },
  { title: 'breaker', dropAt: 2 },
];
const ROWS = [
  ['db1', '-', 'closed'],
  ['db2:3306', '12 ms', 'half-open'],
];

describe('a table', () => {
  test('has columns as wide as what is in them', () => {
    expect(setTable(COLUMNS, ROWS, 80, '  ')).toEqual({
      heading: '  node        lag  breaker',
      lines: ['  db1           -  closed', '  db2:3306  12 ms  half-open'],
    });
  });

  test.each([
    [27, ['node        lag  breaker', 'db1           -  closed', 'db2:3306  12 ms  half-open']],
    [25, ['node        lag', 'db1           -', 'db2:3306  12 ms']],
    [14, ['node', 'db1', 'db2:3306']],
    [6, ['node', 'db1', 'db2:3…']],
  ])(
    'in %i columns leaves out what matters least, and cuts when nothing is left to leave out',
    (width, lines) => {
      const table = setTable(COLUMNS, ROWS, width);
      expect([table.heading, ...table.lines]).toEqual(lines);
    },
  );

  test('without rows is its heading', () => {
    expect(setTable(COLUMNS, [], 80)).toEqual({ heading: 'node  lag  breaker', lines: [] });
  });
});

describe('rows that may need several lines', () => {
  const columns: readonly TextColumn[] = [
    { title: 'node' },
    { title: 'role' },
    { title: 'lag', dropAt: 1 },
    { title: '' },
  ];
  const rows = [['database1.example.com', 'primary', '-', 'well']];

  test('are a table where the columns that stay have room', () => {
    const { heading, lines } = setTable(columns, rows, 36);
    expect(setRows(columns, rows, 36)).toEqual({ heading, rows: lines.map((line) => [line]) });
  });

  test('stand over each other where they have none, and nothing is cut', () => {
    expect(setRows(columns, rows, 35, ' ')).toEqual({
      heading: ' node',
      rows: [[' database1.example.com', '     role primary, well']],
    });
    expect(setRows(columns, rows, 14).rows).toEqual([
      ['database1.exam', 'ple.com', '    role', '    primary,', '    well'],
    ]);
  });
});

test.each([
  ['short', 5, 'short'],
  ['longer', 5, 'long…'],
  ['x', 0, '…'],
])('%j cut to %i is %j', (text, width, expected) => {
  expect(cut(text, width)).toBe(expected);
});
