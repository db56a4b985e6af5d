import { expect, test } from 'vitest';
import { isHeader } from '../../../src/mysql/result-header.js';

class ResultSetHeader {
  readonly serverStatus = 2;
}

test('the answer of a statement without rows is told by its class', () => {
  expect(isHeader(new ResultSetHeader())).toBe(true);
});

test.each([
  [{ constructor: { name: 'ResultSetHeader' }, serverStatus: 0 }],
  [Object.assign(Object.create(null), { constructor: { name: 'ResultSetHeader' } })],
  [JSON.parse('{"__proto__": {"constructor": {"name": "ResultSetHeader"}}}')],
  [[{ constructor: { name: 'ResultSetHeader' } }]],
  [Object.create(null)],
  [{}],
  [null],
  [undefined],
  ['ResultSetHeader'],
])('no row is, whatever its columns are called', (row) => {
  expect(isHeader(row)).toBe(false);
});
