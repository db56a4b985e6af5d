/** Reads PHP's settings by name and type, and collects what cannot be followed, so that one error names everything. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { PhpSettings } from './php-settings.js';

/** See the head of this file. */
export class PhpSettingsReader {
  readonly #settings: PhpSettings;
  readonly #troubles: string[] = [];

  /** Reads from `settings`. */
  constructor(settings: PhpSettings) {
    this.#settings = settings;
  }

  /** The setting as it is. */
  text(name: string, fallback: string): string {
    return this.#settings.get(name) ?? fallback;
  }

  /** The setting as a boolean, by PHP's rule (`zend_ini_parse_bool`): `true`, `yes`, `on`, or a number that is not 0. */
  flag(name: string, fallback: boolean): boolean {
    const value = this.#settings.get(name);
    if (value === undefined) return fallback;
    return /^(?:true|yes|on)$/i.test(value) || (Number.parseInt(value, 10) || 0) !== 0;
  }

  /** The setting as an integer, with PHP's prefixes: `010` is 8. Another value is refused. */
  integer(name: string, fallback: number, min = 0): number {
    const value = this.#settings.get(name);
    if (value === undefined || value === '') return fallback;
    const number = DECIMAL.has(name) ? Number(value) : integerOf(value.trim());
    if (Number.isInteger(number) && number >= min) return number;
    this.refuse(name, `it is not an integer of at least ${min}`);
    return fallback;
  }

  /** Notes that a setting cannot be followed. */
  refuse(name: string, why: string): void {
    this.#troubles.push(`${name} = "${this.text(name, '')}": ${why}`);
  }

  /** Throws what was refused, all of it. */
  finish(): void {
    if (this.#troubles.length === 0) return;
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      `PHP's settings ask for what the session store cannot do:\n- ${this.#troubles.join('\n- ')}`,
    );
  }
}

/** Settings that PHP reads as decimal numbers, whatever they begin with (`strtol` with base 10). */
const DECIMAL: ReadonlySet<string> = new Set([
  'session.sid_length',
  'session.sid_bits_per_character',
  'memcache.session_redundancy',
]);

/** What PHP makes of a number (`zend_ini_parse_quantity`); NaN where it would read a part of it only. */
function integerOf(text: string): number {
  if (/^[+-]?0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^[+-]?(?:0\d|\d*\.?\d*e)/i.test(text) ? Number.NaN : Number(text);
}
