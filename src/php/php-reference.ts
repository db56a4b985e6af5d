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

  /** The value, for `JSON.stringify`. */
  toJSON(): unknown {
    return this.value;
  }
}
