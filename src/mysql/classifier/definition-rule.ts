/** Statements that define things, and the temporary tables among them. */
import { answer, target } from './answer.js';
import type { Classification, PinTarget } from './classification.js';
import { Feature } from './features.js';
import { pinnedBy } from './query-rule.js';
import { classifyDeallocate } from './session-rule.js';
import type { StatementContext } from './statement-context.js';
import type { StatementCursor } from './statement-cursor.js';
import type { StatementScanner } from './statement-scan.js';

const DEFINES = 'it changes definitions, and commits first';

/** More tables are not told apart by name. */
const NAME_LIMIT = 64;

/** `CREATE …`. */
export function classifyCreate({ cursor, scan }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('create');
  at.take('or', 'replace');
  const pinned = pinsOf(scan, cursor);
  if (!at.take('temporary')) return answer('write', 'primary', DEFINES, { implicitCommit: true, pinned });
  const what = at.takeOne('table', 'sequence');
  if (what === undefined) return undefined;
  at.take('if', 'not', 'exists');
  const table = target('temp-table', at.takeName(false));
  return answer('write', 'primary', `it creates a temporary ${what}`, {
    // Unlike tables, temporary sequences commit.
    implicitCommit: what === 'sequence',
    pinned: [table, ...pinned],
  });
}

/** `DROP …`. */
export function classifyDrop(context: StatementContext): Classification | undefined {
  const at = context.cursor();
  at.take('drop');
  if (at.word === 'prepare') return classifyDeallocate(context);
  const isTemporary = at.take('temporary');
  if (at.takeOne('table', 'tables', 'sequence') === undefined)
    return isTemporary ? undefined : answer('write', 'primary', DEFINES, { implicitCommit: true });
  at.take('if', 'exists');
  const unpinned = tables(at);
  // A table that was not created as a temporary one is none of the session's, so nothing is said to be released.
  if (!isTemporary)
    return answer('write', 'primary', DEFINES, { implicitCommit: true, unpinned, unpins: [] });
  return answer('write', 'primary', 'it drops a temporary table', { unpinned });
}

/** Any other statement that changes definitions and commits first. */
export function classifyDefinition({ scan, cursor }: StatementContext): Classification {
  const pinned = pinsOf(scan, cursor);
  return answer('write', 'primary', DEFINES, { implicitCommit: true, pinned });
}

/** What a program or a view does it does when it is used. */
function pinsOf({ features, isStored }: StatementScanner, cursor: () => StatementCursor): PinTarget[] {
  return isStored ? [] : pinnedBy(features & ~(Feature.SETS_INSERT_ID | Feature.ACCOUNT), cursor);
}

function tables(at: StatementCursor): PinTarget[] {
  const found: PinTarget[] = [];
  do {
    const name = at.takeName(false);
    if (name === undefined || found.length >= NAME_LIMIT) break;
    found.push(target('temp-table', name));
  } while (at.takeSign(','));
  return found;
}
