/** Reads the machine's own package sources, in both of apt's formats, and writes private ones from them. */

/** One repository: one URI and one suite of it. */
export interface AptSource {
  /** Where the repository is. */
  readonly uri: string;
  /** The release in it, like `bookworm-security`. */
  readonly suite: string;
  /** Its parts, like `main`. */
  readonly components: readonly string[];
  /** Paths of keyrings, fingerprints, or a whole armored key that sign it; apt's own keyrings when left out. */
  readonly signedBy?: string;
  /** The architectures it is for; all of the machine's when left out. */
  readonly architectures?: readonly string[];
  /** The machine's own word on whether an index may be past its date. */
  readonly checkValidUntil?: string;
}

/** Reads a `sources.list`: one repository a line, `deb [options] uri suite component…`. */
export function parseSourcesList(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (match === null) continue;
    const [, optionText = '', uri = '', suite = '', componentText = ''] = match;
    const options = new Map(
      optionText
        .split(/\s+/)
        .map((word) => /^([a-z-]+)[+-]?=(.*)$/i.exec(word))
        .filter((pair) => pair !== null)
        .map(([, name = '', value = '']) => [name.toLowerCase(), value]),
    );
    sources.push(
      sourceOf(uri, suite, words(componentText), {
        signedBy: options.get('signed-by')?.replaceAll(',', ' '),
        checkValidUntil: options.get('check-valid-until'),
        architectures: options.get('arch')?.split(','),
      }),
    );
  }
  return sources;
}

/** Reads a `*.sources` file: paragraphs of `Field: value`, each one the product of its URIs and suites. */
export function parseDeb822Sources(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of text.split(/\n[ \t]*(?:\n[ \t]*)+/)) {
    const fields = parseParagraph(paragraph);
    const enabled = fields.get('enabled')?.trim().toLowerCase() ?? 'yes';
    if (['no', 'false', '0', 'off', 'without', 'disable'].includes(enabled)) continue;
    if (!words(fields.get('types') ?? '').includes('deb')) continue;
    const components = words(fields.get('components') ?? '');
    const architectures = fields.get('architectures');
    for (const uri of words(fields.get('uris') ?? '')) {
      for (const suite of words(fields.get('suites') ?? '')) {
        sources.push(
          sourceOf(uri, suite, components, {
            signedBy: fields.get('signed-by')?.trim(),
            checkValidUntil: fields.get('check-valid-until')?.trim(),
            architectures: architectures === undefined ? undefined : words(architectures),
          }),
        );
      }
    }
  }
  return sources;
}

/** The text of a `*.sources` file that names exactly `sources`. */
export function formatDeb822Sources(sources: readonly AptSource[]): string {
  return sources
    .map((source) =>
      [
        'Types: deb',
        `URIs: ${source.uri}`,
        `Suites: ${source.suite}`,
        `Components: ${source.components.join(' ')}`,
        ...(source.signedBy === undefined ? [] : [`Signed-By:${continued(source.signedBy)}`]),
        ...(source.checkValidUntil === undefined ? [] : [`Check-Valid-Until: ${source.checkValidUntil}`]),
      ].join('\n'),
    )
    .join('\n\n')
    .concat('\n');
}

/** A repository as a message or a manifest may show it: without a password in its URI. */
export function describeSource(source: AptSource): string {
  const uri = source.uri.replace(/\/\/[^/@]*@/, '//');
  return `${uri} ${source.suite} ${source.components.join(' ')}`;
}

function sourceOf(
  uri: string,
  suite: string,
  components: readonly string[],
  options: {
    signedBy: string | undefined;
    checkValidUntil: string | undefined;
    architectures: readonly string[] | undefined;
  },
): AptSource {
  const { signedBy, checkValidUntil, architectures } = options;
  return {
    uri,
    suite,
    components,
    ...(signedBy === undefined || signedBy === '' ? {} : { signedBy }),
    ...(checkValidUntil === undefined || checkValidUntil === '' ? {} : { checkValidUntil }),
    ...(architectures === undefined ? {} : { architectures }),
  };
}

function parseParagraph(paragraph: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of paragraph.split('\n')) {
    if (line.startsWith('#')) continue;
    const field = /^([A-Za-z][A-Za-z0-9-]*):(.*)$/.exec(line);
    if (field !== null) {
      last = (field[1] ?? '').toLowerCase();
      fields.set(last, field[2] ?? '');
    } else if (last !== undefined && /^[ \t]/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ''}\n${line.slice(1)}`);
    }
  }
  return fields;
}

// A key given in the file itself spans lines; each one is indented, an empty one is a dot.
function continued(value: string): string {
  const lines = value.split('\n');
  if (lines.length === 1) return ` ${value}`;
  return lines.map((line) => `\n ${line === '' ? '.' : line}`).join('');
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
