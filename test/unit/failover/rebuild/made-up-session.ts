/** Sessions on servers that are made up: they answer what they are told to, and remember what they were asked. */
import type { RebuildSession } from '../../../../src/failover/rebuild/rebuild-options.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';

/** Rows for the statements that begin with a text, or a function that gives them. */
export type Answers = Readonly<Record<string, readonly object[] | (() => readonly object[])>>;

/** A session, and the statements that it was sent. */
export interface MadeUpSession extends RebuildSession {
  readonly asked: string[];
}

/** A session on a server of `version`; what has no answer has no rows. */
export function madeUpSession(version: string, answers: Answers = {}): MadeUpSession {
  const asked: string[] = [];
  return {
    asked,
    version: parseServerVersion(version),
    ask: async (sql) => {
      asked.push(sql);
      const found = Object.entries(answers).find(([begin]) => sql.startsWith(begin))?.[1];
      const rows = typeof found === 'function' ? found() : (found ?? []);
      return rows as readonly Record<string, unknown>[];
    },
    close: () => {},
  };
}
