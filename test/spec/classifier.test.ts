/** The classifier's tables: statements, and what is to be said of them. */
import { describe, expect, test } from 'vitest';
import {
  type Classification,
  classify,
  type PinTarget,
} from '../../src/mysql/classifier/statement-classifier.js';
import { ALL_ROWS, TABLES } from './classifier/all-rows.js';
import type { RowDetails } from './classifier/row.js';

function classified(sql: string, { flavor, sqlMode, functions, replayed }: RowDetails): Classification {
  return classify(sql, { flavor, sqlMode, functions: { readOnly: functions }, variables: { replayed } });
}

function names(targets: readonly PinTarget[] | undefined): string[] {
  return (targets ?? []).map(({ pin, name }) => `${pin}:${name ?? '?'}`);
}

describe.each(TABLES)('%s', (_name, rows) => {
  test.each(rows.map((row) => [`${row[0]} ${row[2]?.flavor ?? ''}${row[2]?.sqlMode ?? ''}`, row] as const))(
    '%j',
    (_title, [sql, expected, details = {}]) => {
      const given = classified(sql, details);
      const { transaction, commits = false, pins = [], unpins = [] } = details;
      expect({
        answer: `${given.kind} ${given.route}`,
        transaction: given.transaction,
        commits: given.implicitCommit,
        pins: [...given.pins].sort(),
        unpins: [...given.unpins].sort(),
      }).toEqual({
        answer: expected,
        transaction,
        commits,
        pins: [...pins].sort(),
        unpins: [...unpins].sort(),
      });
      if (details.pinned !== undefined) expect(names(given.pinned)).toEqual(details.pinned);
      if (details.unpinned !== undefined) expect(names(given.unpinned)).toEqual(details.unpinned);
      if (details.access !== undefined) expect(given.access).toBe(details.access);
      if (details.settings !== undefined) expect(given.settings).toEqual(details.settings);
      if (details.snapshots !== undefined) expect(given.snapshots ?? false).toBe(details.snapshots);
      if (details.keepsVariables !== undefined)
        expect(given.keepsVariables ?? false).toBe(details.keepsVariables);
      expect(given.because).toMatch(/^\S.{5,}$/);
    },
  );
});

test('without a flavor the answer is never looser than that of either family', () => {
  const routes = ['replica', 'all', 'same', 'primary'];
  for (const [sql, , { flavor: _, ...details } = {}] of ALL_ROWS) {
    const strict = routes.indexOf(classified(sql, details).route);
    for (const flavor of ['mysql', 'mariadb'] as const) {
      const { route } = classified(sql, { ...details, flavor });
      expect(routes.indexOf(route), `${flavor}: ${sql}`).toBeLessThanOrEqual(strict);
    }
  }
});
