/** The characters that the lexer tells apart, by code. */

/**
 * Classes of ASCII characters: signs that are a token each and nothing else, blanks, what has to be looked at, and what may be
 * part of an unquoted name, which is `NAME` and above.
 */
export const CharacterClass = { SIGN: 0, SPACE: 1, SPECIAL: 2, NAME: 3, DIGIT: 4 } as const;

/** The {@link CharacterClass} of every ASCII character. Everything beyond ASCII may be part of a name. */
export const CLASSES: Uint8Array = new Uint8Array(128);
for (const sign of '"\'`.@#-/*:;\\\0') CLASSES[sign.charCodeAt(0)] = CharacterClass.SPECIAL;
for (const code of [9, 10, 11, 12, 13, 32]) CLASSES[code] = CharacterClass.SPACE;
for (let code = 48; code <= 57; code += 1) CLASSES[code] = CharacterClass.DIGIT;
for (let code = 65; code <= 90; code += 1) CLASSES[code] = CLASSES[code + 32] = CharacterClass.NAME;
CLASSES[36] = CLASSES[95] = CharacterClass.NAME;

/** Codes of single characters. */
export const Character = {
  NUL: 0,
  NEWLINE: 10,
  EXCLAMATION: 33,
  DOUBLE_QUOTE: 34,
  HASH: 35,
  DOLLAR: 36,
  PERCENT: 37,
  QUOTE: 39,
  OPEN: 40,
  CLOSE: 41,
  STAR: 42,
  PLUS: 43,
  COMMA: 44,
  MINUS: 45,
  POINT: 46,
  SLASH: 47,
  ZERO: 48,
  COLON: 58,
  SEMICOLON: 59,
  EQUALS: 61,
  QUESTION_MARK: 63,
  AT: 64,
  LARGE_M: 77,
  BACKSLASH: 92,
  BACKTICK: 96,
  SMALL_B: 98,
  SMALL_E: 101,
  SMALL_N: 110,
  SMALL_X: 120,
  NO_BREAK_SPACE: 160,
} as const;

/** Whether the code, which may be `NaN`, is that of a digit. */
export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Whether the code is that of a hexadecimal digit. */
export function isHexDigit(code: number): boolean {
  return isDigit(code) || ((code | 32) >= 97 && (code | 32) <= 102);
}

/** Whether the code may be part of an unquoted name. */
export function isNameCharacter(code: number): boolean {
  return code >= 128 || (CLASSES[code] ?? 0) >= CharacterClass.NAME;
}
