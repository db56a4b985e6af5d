/** PHP's `&`: one variable at several places. */

/**
 * A place that PHP bound with `&`. The same PhpReference at two places is one variable: changing `value` changes both.
 * It is `R:` in the bytes from its second place on.
 */
export class PhpReference {
  /** The value that all the places share. */
  value: unknown;

  /** Makes a reference to `value`; put it at every place that shares it. */
  constructor(value?: unknown) {
    this.value = value;
  }

  /** The value in its own JSON form, for `JSON.stringify`. */
  toJSON(key?: string): unknown {
    const { value } = this;
    // JSON.stringify asks only once.
    return hasToJson(value) ? value.toJSON(key) : value;
  }
}

function hasToJson(value: unknown): value is { toJSON(key?: string): unknown } {
  return (
    typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
  );
}
