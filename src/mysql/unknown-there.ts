/**
 * What a server answers that does not know a database, table, column, index, routine or partition that a statement names, or does
 * not know of the right to it: one that is behind a migration, if it is a replica.
 */
const UNKNOWN_THERE: ReadonlyMap<number | undefined, string> = new Map([
  [1049, 'a database that it lacks'],
  [1054, 'a column that it lacks'],
  [1146, 'a table that it lacks'],
  [1176, 'an index that it lacks'],
  [1191, 'a full-text index that it lacks'],
  [1305, 'a routine that it lacks'],
  [1735, 'a partition that it lacks'],
  [1747, 'a partition that it lacks'],
  [1044, 'no right to the database'],
  [1142, 'no right to the table'],
  [1143, 'no right to the column'],
  [1370, 'no right to the routine'],
]);

/** Whether the error with this number is what a replica may answer because it is behind a migration. */
export function mayLackIt(errno: number | undefined): boolean {
  return UNKNOWN_THERE.has(errno);
}

/**
 * Such an answer of `node` as the reason to ask the primary. Not in the server's words, which quote what it was asked, also a value
 * that it took for a name (`ANSI_QUOTES`).
 */
export function mayBeBehindBecause(node: string, error: unknown): string {
  const { errno } = (error ?? {}) as { readonly errno?: number };
  return `${node} may be behind, which answered: error ${errno}, ${UNKNOWN_THERE.get(errno) ?? 'which it may have by now'}`;
}
