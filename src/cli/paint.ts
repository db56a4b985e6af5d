/** Colours for terminals. */

/** What text can look like. */
export type PaintStyle = 'bold' | 'dim' | 'green' | 'yellow' | 'red';

/** Colours text; the identity when colours are off. */
export type Paint = (style: PaintStyle, text: string) => string;

const CODES: Readonly<Record<PaintStyle, number>> = { bold: 1, dim: 2, green: 32, yellow: 33, red: 31 };

/** ANSI colours. */
export const ansiPaint: Paint = (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m`;
/** No colours. */
export const plainPaint: Paint = (_style, text) => text;

/** The colours for a stream: only on a terminal that is not dumb, and not when `NO_COLOR` is set (no-color.org). */
export function paintFor(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  const isOff = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return stream.isTTY === true && !isOff ? ansiPaint : plainPaint;
}
