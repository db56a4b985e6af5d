/** Texts as literals that the tables of the manager have room for. */

/** Makes a literal of a text that is to go into a column of up to `limit` characters. */
export type Literal = (value: string, limit?: number) => string;

/** So many UTF-16 units have room in a TEXT, whatever letters they are. */
const TEXT_LIMIT = 20_000;
/** So much of the details of a change is kept: they are an object, which is of no use when it is cut. */
export const DETAILS_LIMIT = 1_000_000;
/** Width of the columns of names. */
export const NAME_LIMIT = 128;

/** A text as a literal that every SQL mode reads alike. */
export const text: Literal = (value, limit = TEXT_LIMIT) =>
  `'${value.slice(0, limit).replace(/\\/g, '/').replaceAll("'", "''").replaceAll('\0', '')}'`;

/** The same in letters that every character set has, for a table that an older version has made. */
export const plainText: Literal = (value, limit) => text(plain(value), limit);

/** Of a text that was written by either, read again or not, what is the same. */
export function asKept(value: string): string {
  return plain(value.replaceAll('\\', '/').replaceAll('\0', '')).slice(0, TEXT_LIMIT / 2);
}

/** What a server says of a value that a column has no room for: too long, or in letters that it has not. */
const UNFIT: ReadonlySet<number> = new Set([1264, 1265, 1292, 1300, 1366, 1406, 3854, 3988]);

/** Whether an error is about the values of a statement, so that the same statement fails for ever. */
export function isAboutValues(error: unknown): boolean {
  return UNFIT.has(Number((error as { errno?: unknown }).errno));
}

function plain(value: string): string {
  return value.replace(/[^\t\n\r -~]/gu, '?');
}
