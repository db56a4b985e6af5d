/** Lets Node read a CommonJS module again: it keeps each by its path, for as long as the process lives. */
import { createRequire } from 'node:module';
import { sep } from 'node:path';

const { cache } = createRequire(import.meta.url);

/** Forgets the module at `path` and its own parts, not the packages that they use. Harmless where it was never read. */
export function forgetRequired(path: string): void {
  const module = cache[path];
  delete cache[path];
  for (const { filename } of module?.children ?? [])
    if (cache[filename] !== undefined && !filename.includes(`${sep}node_modules${sep}`))
      forgetRequired(filename);
}
