/** Breaks a line of a report so that it fits into a terminal. */

/** `text` in lines of at most `width` characters, broken between words, or inside one that is longer than a line. */
export function wrapLine(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length <= width) {
      line += ` ${word}`;
      continue;
    }
    if (line !== '') lines.push(line);
    while (word.length > width) {
      lines.push(word.slice(0, width));
      word = word.slice(width);
    }
    line = word;
  }
  return [...lines, line];
}

/** {@link wrapLine} with `first` before the first line, and `rest` before every other one; `width` is that of both together. */
export function hangLine(
  text: string,
  width: number,
  first: string,
  rest: string = ' '.repeat(first.length),
): readonly string[] {
  const lines = wrapLine(text, Math.max(1, width - Math.max(first.length, rest.length)));
  return lines.map((line, at) => `${at === 0 ? first : rest}${line}`);
}
