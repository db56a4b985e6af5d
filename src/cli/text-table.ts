/** Sets rows of text in columns that are as wide as what is in them, and leaves out what does not fit. */

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

const GAP = '  ';

/** Sets `rows` (a text for every column) in lines of at most `width` characters, each after `indent`. */
export function setTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width: number,
  indent = '',
): TextTable {
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
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

/** `text` in at most `width` characters; what is missing is shown. */
export function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}

function fitting(
  columns: readonly TextColumn[],
  widths: readonly number[],
  width: number,
): readonly number[] {
  let kept = columns.map((_, at) => at);
  const room = (): number => kept.reduce((sum, at) => sum + (widths[at] ?? 0) + GAP.length, -GAP.length);
  while (room() > width) {
    const droppable = kept.filter((at) => columns[at]?.dropAt !== undefined);
    const least = Math.max(...droppable.map((at) => columns[at]?.dropAt ?? 0));
    if (droppable.length === 0) return kept;
    kept = kept.filter((at) => columns[at]?.dropAt !== least);
  }
  return kept;
}
