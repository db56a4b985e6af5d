/** Chooses, among all the machine's package sources, those of the distribution itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AptSource, parseDeb822Sources, parseSourcesList } from './apt-sources.js';
import type { AptSystem } from './operating-system.js';

/** Names that a machine may use in its sources instead of a release's code name. */
const ALIASES = ['stable', 'testing', 'unstable', 'sid', 'oldstable', 'oldoldstable'] as const;
/** The pockets whose packages belong to a release as it is meant to be run. */
const POCKETS = ['', '-updates', '-security', '/updates'] as const;

/** All sources that apt itself would read below `etc` (`/etc/apt`). Files that cannot be read are left out. */
export function readAptSources(etc = '/etc/apt'): readonly AptSource[] {
  const sources = [...parseSourcesList(textOf(join(etc, 'sources.list')))];
  let names: string[] = [];
  try {
    names = readdirSync(join(etc, 'sources.list.d')).sort();
  } catch {
    // A machine may have the one file only.
  }
  for (const name of names) {
    const text = (): string => textOf(join(etc, 'sources.list.d', name));
    // apt ignores every other ending, and that is how people switch a file off.
    if (name.endsWith('.list')) sources.push(...parseSourcesList(text()));
    else if (name.endsWith('.sources')) sources.push(...parseDeb822Sources(text()));
  }
  return sources;
}

/**
 * The sources of the distribution's own release, with exactly its free components; empty when the machine has none.
 * With `suite`, the same repositories, but that other suite of them (like Debian's `sid`).
 */
export function distroSources(
  all: readonly AptSource[],
  system: Pick<AptSystem, 'family' | 'suite'> & { readonly architecture: string },
  suite?: string,
): readonly AptSource[] {
  const usable = all.filter(
    ({ uri, components, architectures }) =>
      components.includes('main') &&
      !uri.startsWith('cdrom:') &&
      (architectures ?? [system.architecture]).includes(system.architecture),
  );
  const components = system.family === 'ubuntu' ? ['main', 'universe'] : ['main'];
  for (const base of [system.suite, ...ALIASES]) {
    const own = usable.filter((source) => POCKETS.some((pocket) => source.suite === `${base}${pocket}`));
    if (!own.some((source) => source.suite === base)) continue;
    const named = own.filter((source) => /(?:^|\/)(?:debian|ubuntu)[^/]*(?:\/|$)/.test(source.uri));
    // Other vendors also name their suites after the release; the distribution's mirrors mostly carry its name.
    const chosen = named.some((source) => source.suite === base) ? named : own;
    const wanted =
      suite === undefined || suite === base
        ? chosen
        : chosen.filter((source) => source.suite === base).map((source) => ({ ...source, suite }));
    return unique(wanted.map((source) => ({ ...source, components })));
  }
  return [];
}

function unique(sources: readonly AptSource[]): readonly AptSource[] {
  const seen = new Set<string>();
  return sources.filter(({ uri, suite }) => {
    const key = `${uri} ${suite}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
