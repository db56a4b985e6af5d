/** Takes passwords out of statements, and out of what the driver and the server say about them. */

/** What stands after a `PASSWORD =` or an `IDENTIFIED BY`; a server that quotes a statement may cut it off in the middle. */
const PASSWORD = /((?:PASSWORD\s*=|IDENTIFIED\s+BY)\s*)'(?:[^'\\]|\\.|'')*(?:'|$)/gi;

/** The text as it may be shown: what stands after a `PASSWORD` or an `IDENTIFIED BY` is left out. */
export function withoutPasswords(text: string): string {
  return text.replace(PASSWORD, "$1'***'");
}

/** The same error: the driver hangs the whole statement on it, and the server quotes where it stopped reading. */
export function hidePasswords<E extends Error>(error: E): E {
  const texts = error as { -readonly [name in 'message' | 'sqlMessage' | 'sql' | 'stack']?: unknown };
  for (const name of ['message', 'sqlMessage', 'sql', 'stack'] as const) {
    const text = texts[name];
    if (typeof text === 'string') texts[name] = withoutPasswords(text);
  }
  return error;
}
