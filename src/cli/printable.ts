/** Text for a terminal: what comes from servers, sessions and configurations must not command it. */

/** What follows ESC in the codes that `ansiPaint` writes; no others are let through. */
const OWN_CODE = /^\[(?:0|1|2|31|32|33)m/;
/** Control characters but tab and line feed, and those that turn the direction of what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const COMMANDING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** `text` with every character that could command a terminal written as `\u001b`; colours stay where `colours` says so. */
export function printable(text: string, colours: boolean): string {
  return text.replaceAll(COMMANDING, (character, at: number) =>
    colours && character === '\u001b' && OWN_CODE.test(text.slice(at + 1, at + 5))
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
