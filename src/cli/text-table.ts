/** Sets rows of text in columns that are as wide as what is in them, and leaves out what does not fit. */
import { hangLine } from './wrap-line.js';

/** One column. */
export interface TextColumn {
  /** What stands above it. */
  readonly title: string;
  /** The side that its texts stand at. Default: left. */
  readonly align?: 'left' | 'right';
  /** Where there is not room for all, columns with a higher number go first; those without one stay. */
  readonly dropAt?: number;
}

/** A set table: its heading and its rows, in the order in which they were given. */
export interface TextTable {
  /** The titles. */
  readonly heading: string;
  /** A line for every row. */
  readonly lines: readonly string[];
}

/** A table whose rows may need several lines each. */
export interface TextRows {
  /** The titles. */
  readonly heading: string;
  /** The lines of every row. */
  readonly rows: readonly (readonly string[])[];
}

const GAP = '  ';

/** Sets `rows` (a text for every column) in lines of at most `width` characters, each after `indent`. */
export function setTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width: number,
  indent = '',
): TextTable {
  const widths = widthsOf(columns, rows);
  const kept = fitting(columns, widths, width - indent.length);
  const line = (texts: readonly string[]): string => {
    const cells = kept.map((at) => {
      const text = texts[at] ?? '';
      return columns[at]?.align === 'right' ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0);
    });
    return cut(`${indent}${cells.join(GAP)}`.trimEnd(), width);
  };
  return { heading: line(columns.map(({ title }) => title)), lines: rows.map(line) };
}

/**
 * {@link setTable} where the columns that stay have room; else every row over several lines: its first text, and what is in
 * the others of these columns below it.
 */
export function setRows(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width: number,
  indent = '',
): TextRows {
  const staying = columns.flatMap(({ dropAt }, at) => (dropAt === undefined ? [at] : []));
  const widths = widthsOf(columns, rows);
  if (roomOf(staying, widths) <= width - indent.length) {
    const { heading, lines } = setTable(columns, rows, width, indent);
    return { heading, rows: lines.map((line) => [line]) };
  }
  const below = `${indent}    `;
  const stacked = rows.map((row) => {
    const rest = staying
      .slice(1)
      .map((at) => `${columns[at]?.title.trim()} ${row[at] ?? ''}`.trim())
      .filter((text) => text !== '');
    return [...hangLine(row[0] ?? '', width, indent), ...hangLine(rest.join(', '), width, below)];
  });
  return { heading: cut(`${indent}${columns[0]?.title ?? ''}`, width), rows: stacked };
}

/** `text` in at most `width` characters; what is missing is shown. */
export function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}

function widthsOf(columns: readonly TextColumn[], rows: readonly (readonly string[])[]): readonly number[] {
  return columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)));
}

/** How wide the columns at `kept` are together. */
function roomOf(kept: readonly number[], widths: readonly number[]): number {
  return kept.reduce((sum, at) => sum + (widths[at] ?? 0) + GAP.length, -GAP.length);
}

function fitting(
  columns: readonly TextColumn[],
  widths: readonly number[],
  width: number,
): readonly number[] {
  let kept = columns.map((_, at) => at);
  while (roomOf(kept, widths) > width) {
    const droppable = kept.filter((at) => columns[at]?.dropAt !== undefined);
    const least = Math.max(...droppable.map((at) => columns[at]?.dropAt ?? 0));
    if (droppable.length === 0) return kept;
    kept = kept.filter((at) => columns[at]?.dropAt !== least);
  }
  return kept;
}
