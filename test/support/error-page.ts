/** Reads `docs/errors.md`: the entry of each code, and the part of the page that it stands in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-node.js';

/** What the page says of one code. */
export interface ErrorEntry {
  /** The heading of its part of the page. */
  readonly part: string;
  /** Its text. */
  readonly text: string;
}

/** The entries by code. */
export function errorPage(): ReadonlyMap<string, ErrorEntry> {
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
  const entries = new Map<string, ErrorEntry>();
  for (const [, part = '', body = ''] of page.matchAll(/^## (.+)\n([\s\S]*?)(?=^## |(?![\s\S]))/gm)) {
    for (const [, code = '', text = ''] of body.matchAll(/^### (.+)\n([\s\S]*?)(?=^### |(?![\s\S]))/gm)) {
      if (entries.has(code)) throw new Error(`The page about errors has ${code} twice`);
      entries.set(code, { part, text });
    }
  }
  return entries;
}
