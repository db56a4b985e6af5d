/** The settings of a session that another connection is given first: in order, and none that a later one replaces. */
import type { Statement } from './statement.js';

/** Longer texts are not looked at. */
const TEXT_LIMIT = 200;

/** Settings that mean the same whatever was set before, each with a group that tells what it sets when that is a variable. */
const PLAIN: readonly RegExp[] = [
  /^\s*(use)\s/i,
  /^\s*set\s+(names)\s+['\w]+(?:\s+collate\s+['\w]+)?[\s;]*$/i,
  /^\s*set\s+(?:session\s+|local\s+|@@(?:session\.|local\.)?)?(\w+)\s*:?=\s*(?:'[^'\\]*'|[-+\w]+)[\s;]*$/i,
  /^\s*set\s+(?:session|local)\s+transaction\s+(isolation)\s+level\s+[\w\s]+[\s;]*$/i,
];

/**
 * The list with `added` at its end. An earlier setting of the same thing is left out as far as nothing in between depends on
 * it, so that a session that sets one thing again and again has a short list.
 */
export function withSetting(settings: readonly Statement[], added: Statement): readonly Statement[] {
  const subject = subjectOf(added);
  if (subject === undefined) return [...settings, added];
  for (let index = settings.length - 1; index >= 0; index -= 1) {
    const earlier = settings[index];
    const other = earlier === undefined ? undefined : subjectOf(earlier);
    if (other === undefined) break;
    if (other === subject) return [...settings.toSpliced(index, 1), added];
  }
  return [...settings, added];
}

/** What a setting sets that does not look at the state before; undefined for all others. */
function subjectOf({ mode, form }: Statement): string | undefined {
  const text = typeof form === 'string' ? form : form.sql;
  // Where a text with double quotes or letters beyond ASCII ends may depend on a setting before it.
  if (mode !== 'query' || text.length > TEXT_LIMIT || /[^\t\n\r -~]|["\\]/.test(text)) return undefined;
  for (const pattern of PLAIN) {
    const subject = pattern.exec(text)?.[1]?.toLowerCase();
    if (subject !== undefined) return subject;
  }
  return undefined;
}
