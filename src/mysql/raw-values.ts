/** Values that are SQL themselves: what `mysql.raw()` makes, and any object with a `toSqlString` method. */

/** Deeper nesting than any statement has; what lies deeper counts as SQL. */
const DEPTH_LIMIT = 8;

/** Whether mysql2 would put something of `values` into the text without quoting it. */
export function holdsRawSql(values: unknown, depth = 0): boolean {
  if (typeof values !== 'object' || values === null || values instanceof Date || ArrayBuffer.isView(values))
    return false;
  if (depth > DEPTH_LIMIT || typeof (values as { toSqlString?: unknown }).toSqlString === 'function')
    return true;
  const inside: readonly unknown[] = Array.isArray(values) ? values : Object.values(values);
  for (const value of inside) {
    if (typeof value === 'object' && holdsRawSql(value, depth + 1)) return true;
  }
  return false;
}
