/** Takes the headers out of the arguments of `writeHead`, so that others can be added to them. */
import type { ServerResponse } from 'node:http';

/** Sets the headers that were given to `writeHead`; the arguments without them. */
export function liftHeaders(response: ServerResponse, args: readonly unknown[]): readonly unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null || response.headersSent) return args;
  const entries = Array.isArray(last) ? pairs(last) : Object.entries(last);
  // Names that come twice in a list are sent twice.
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    if (seen.has(name.toLowerCase())) response.appendHeader(name, value as string);
    else response.setHeader(name, value as string);
    seen.add(name.toLowerCase());
  }
  return args.slice(0, -1);
}

function pairs(list: readonly unknown[]): [string, unknown][] {
  if (list.every((item) => Array.isArray(item))) return list as [string, unknown][];
  return list.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), list[index + 1]] as [string, unknown]] : [],
  );
}
