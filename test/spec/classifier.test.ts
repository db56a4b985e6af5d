/** The classifier's tables: statements, and what is to be said of them. */
import { describe, expect, test } from 'vitest';
import {
  type Classification,
  classify,
  type PinTarget,
} from '../../src/mysql/classifier/statement-classifier.js';
import * as reads from './classifier/reads.js';
import type { Row, RowDetails } from './classifier/row.js';
import * as session from './classifier/session.js';
import * as texts from './classifier/texts.js';
import * as writes from './classifier/writes.js';

const TABLES: readonly [name: string, rows: readonly Row[]][] = [reads, writes, session, texts].flatMap(
  (module) => Object.entries(module),
);

function classified(sql: string, { flavor, sqlMode, functions }: RowDetails): Classification {
  return classify(sql, { flavor, sqlMode, functions: { readOnly: functions } });
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
      if (details.settings !== undefined) expect(given.settings).toEqual(details.settings);
      expect(given.because).toMatch(/^\S.{5,}$/);
    },
  );
});

test('without a flavor the answer is never looser than that of either family', () => {
  const routes = ['replica', 'all', 'same', 'primary'];
  for (const [, rows] of TABLES) {
    for (const [sql, , { sqlMode, functions } = {}] of rows) {
      const loose = routes.indexOf(classified(sql, { sqlMode, functions } as RowDetails).route);
      for (const flavor of ['mysql', 'mariadb'] as const) {
        const route = classified(sql, { flavor, sqlMode, functions } as RowDetails).route;
        expect(routes.indexOf(route), `${flavor}: ${sql}`).toBeLessThanOrEqual(loose);
      }
    }
  }
});
