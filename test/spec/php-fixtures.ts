/** The cases that `scripts/generate-php-fixtures.mjs` recorded from a real PHP. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Fixture<Case> {
  readonly php: string;
  readonly cases: readonly Case[];
}

function read<Case>(name: string): readonly Case[] {
  const text = readFileSync(join(import.meta.dirname, `${name}.fixture.json`), 'utf8');
  return (JSON.parse(text) as Fixture<Case>).cases;
}

/** A double and what `serialize()` writes for it. */
export function floatCases(): readonly { readonly bits: string; readonly text: string }[] {
  return read('php-floats');
}

/** An input of `unserialize()`, and what PHP writes for what it read; null when it refused. */
export function grammarCases(): readonly { readonly data: string; readonly written: string | null }[] {
  return read('php-grammar');
}

/** A session container, and what PHP encodes after it decoded it; null when it could not. */
export function sessionCases(): readonly {
  readonly handler: 'php' | 'php_serialize' | 'php_binary';
  readonly data: string;
  readonly written: string | null;
}[] {
  return read('php-sessions');
}

/** Values and sessions that PHP made up and wrote. */
export function valueCases(): readonly {
  readonly handler: 'php' | 'php_serialize' | 'php_binary' | 'igbinary' | null;
  readonly data: string;
  readonly igbinary?: string;
}[] {
  return read('php-values');
}

/** Bytes of a text with one character per byte. */
export function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
