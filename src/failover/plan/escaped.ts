/** Makes a name fit for a text between quotes, in a column of names; pure. */

/** A name as a text between quotes. */
export function escaped(text: string): string {
  return text.replace(/[^\w.:[\]@/-]/g, '_').slice(0, 128);
}
