/** Fits help texts into a terminal: long lines continue below the beginning of their own text. */

/** `text` with no line wider than `width` characters, as far as its words allow. */
export function fitHelp(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => fitLine(line, width))
    .join('\n');
}

function fitLine(line: string, width: number): readonly string[] {
  if (line.length <= width) return [line];
  // After `  --option <value>     ` or `  command    ` the explanation has a column of its own.
  const head = /^\s+\S(?:.*?\S)?\s{2,}(?=\S)/.exec(line)?.[0] ?? /^\s*/.exec(line)?.[0] ?? '';
  const indent = ' '.repeat(head.length < width / 2 ? head.length : 4);
  const lines: string[] = [];
  let current = head;
  for (const word of line.slice(head.length).split(' ')) {
    const isEmpty = current === head || current === indent;
    if (!isEmpty && current.length + 1 + word.length > width) {
      lines.push(current);
      current = indent;
    }
    current += current === head || current === indent ? word : ` ${word}`;
  }
  return [...lines, current];
}
