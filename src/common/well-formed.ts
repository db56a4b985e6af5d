/** Whether text is Unicode: half of a surrogate pair would become U+FFFD on its way into bytes, without a word. */
export function isWellFormed(text: string): boolean {
  return (text as WellFormedText).isWellFormed();
}

// Node 20 has it, the library that TypeScript is given does not.
type WellFormedText = string & { isWellFormed(): boolean };
