/** Imports a module of the user, anew once it has changed. */
import { realpathSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { forgetRequired } from './forget-required.js';

/** What the module `file` exports as default. */
export async function importAnew(file: string): Promise<unknown> {
  // By its date another module after each change: one of the same name is never read twice. CommonJS is kept by path alone.
  const { href } = pathToFileURL(file);
  forgetRequired(realpathSync(file));
  const given = process.emitWarning;
  process.emitWarning = withoutAdvice(given, href);
  try {
    const module = (await import(`${href}?${statSync(file).mtimeMs}`)) as { readonly default?: unknown };
    return module.default;
  } finally {
    process.emitWarning = given;
  }
}

/** `export` in a package that says nothing of its modules is no mistake, and Node's advice for it breaks those that use `require`. */
function withoutAdvice(emitWarning: typeof process.emitWarning, href: string): typeof process.emitWarning {
  return (warning: string | Error, ...more: unknown[]) => {
    const code = (more[0] as { readonly code?: unknown } | undefined)?.code;
    const isAdvice = code === 'MODULE_TYPELESS_PACKAGE_JSON' && String(warning).includes(href);
    if (!isAdvice) (emitWarning as (...args: unknown[]) => void).call(process, warning, ...more);
  };
}
