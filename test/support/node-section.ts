/** The section of docs/compatibility.md about releases of Node, which a run of its own writes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-node.js';

const PAGE = join(ROOT, 'docs/compatibility.md');
const SECTION = /^## Node\n[\s\S]*?(?=^## )/m;

/** The section as it stands; empty when there is none. */
export function nodeSection(): string {
  return SECTION.exec(readFileSync(PAGE, 'utf8'))?.[0] ?? '';
}

/** Puts `section` in its place, before what was not tried. */
export function writeNodeSection(section: string): void {
  const page = readFileSync(PAGE, 'utf8').replace(SECTION, '');
  writeFileSync(
    PAGE,
    page.replace(/^## Said, and not tried/m, () => `${section}\n## Said, and not tried`),
  );
}
