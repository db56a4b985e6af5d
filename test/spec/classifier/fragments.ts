/** Pieces of SQL for making texts by chance, well-formed and not. */
import fc from 'fast-check';

const WORDS =
  'select from where t u a b c d as by for update share lock in mode into outfile insert delete replace values value table ' +
  'with recursive x union set autocommit session global names begin end not atomic start transaction read only write commit ' +
  'rollback work and chain release savepoint to case when then else if create temporary drop procedure call do show tables ' +
  'warnings explain describe analyze handler open close prepare execute immediate deallocate use xa statement next previous ' +
  'count max now sum left get_lock release_lock last_insert_id found_rows row_count nextval lastval json_table columns ' +
  'path over partition window limit order group having on join lateral fn_writes sql_calc_found_rows distinct null like';

const SIGNS = [
  '(',
  ')',
  ',',
  ';',
  '.',
  '=',
  ':=',
  '+',
  '-',
  '--',
  '-- ',
  '#',
  '\n',
  ' ',
  '*',
  '/',
  '/*',
  '*/',
  '/**/',
  '/*!',
  '/*!50000 ',
  '/*!80000 ',
  '/*!100100 ',
  '/*!999999 ',
  '/*M!',
  '/*M!100100 ',
  '@',
  '@@',
  '@a',
  '@@autocommit',
  '@@warning_count',
  "'",
  '"',
  '`',
  '\\',
  "\\'",
  "''",
  "'a'",
  '"a"',
  '`a`',
  "'a\\'",
  '"a\\"',
  '1',
  '0x1F',
  '1e5',
  '1.',
  '.5',
  '1.5e3',
  "n'x'",
  "x'41'",
  '?',
  ':a',
  '$a',
  '$$',
  '\0',
  '\u00a0',
  '\u00e9',
  '\ufeff',
  '{',
  '}',
  '<',
  '>',
  '!',
  '||',
  '->',
  '%',
];

/** A piece that is a token, or a part of one. */
export const fragment: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...WORDS.split(' ')) },
  { weight: 2, arbitrary: fc.constantFrom(...SIGNS) },
);

/** Pieces one after the other, mostly with blanks in between. */
export const mash: fc.Arbitrary<string> = fc
  .array(fc.tuple(fragment, fc.constantFrom(' ', ' ', ' ', '', '\n', '/**/')), { maxLength: 30 })
  .map((pieces) => pieces.map(([piece, gap]) => piece + gap).join(''));

/** Any text of `texts`, with some of its pieces taken out, doubled, replaced, or mixed with pieces of another one. */
export function mutation(texts: readonly string[]): fc.Arbitrary<string> {
  const text = fc.constantFrom(...texts);
  const edit = fc.record({
    at: fc.nat(1000),
    what: fc.constantFrom('insert', 'remove', 'replace', 'double', 'swap', 'wrap', 'cut'),
    piece: fc.oneof(fragment, text),
  });
  return fc.tuple(text, fc.array(edit, { maxLength: 4 })).map(([start, edits]) => {
    let pieces: string[] = start.match(/\w+|\s+|[^\w\s]/gu) ?? [''];
    for (const { at, what, piece } of edits) {
      const index = at % (pieces.length + 1);
      const here = pieces[index] ?? '';
      if (what === 'insert') pieces.splice(index, 0, ' ', piece, ' ');
      else if (what === 'remove') pieces.splice(index, 1);
      else if (what === 'replace') pieces.splice(index, 1, piece);
      else if (what === 'double') pieces.splice(index, 0, here);
      else if (what === 'swap') pieces = [...pieces.slice(index), ' ', ...pieces.slice(0, index)];
      else if (what === 'wrap') pieces = ['(', ...pieces, ')'];
      else pieces = pieces.slice(0, index);
    }
    return pieces.join('');
  });
}
