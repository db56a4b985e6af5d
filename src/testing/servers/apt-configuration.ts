/**
 * A private place for apt's client: own sources, indexes, status and downloads, so that it needs no privilege,
 * changes nothing of the system and does not see what is installed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AptSource, formatDeb822Sources } from './apt-sources.js';

/** What {@link writeAptConfiguration} needs to know. */
export interface AptConfigurationOptions {
  /** An existing folder that the private place is made in. */
  readonly folder: string;
  /** Where packages come from. */
  readonly sources: readonly AptSource[];
  /** The architecture's Debian name, like `amd64`. */
  readonly architecture: string;
  /** The `Origin` of the distribution's own repositories, preferred over everybody else's. */
  readonly origin: string;
  /** Packages that shall not be got though others want them, and so neither what only they need. */
  readonly without?: readonly string[];
  /** The machine's own settings about how to reach repositories; see {@link keepAcquireSettings}. */
  readonly acquire: readonly string[];
}

/** The places of a private apt. */
export interface AptConfiguration {
  /** The file for the variable `APT_CONFIG`. */
  readonly file: string;
  /** Where downloaded packages lie. */
  readonly archives: string;
}

/** Seconds without a byte after which a connection is given up. */
const NETWORK_TIMEOUT_S = 20;

/** Makes the folders and files of a private apt below `options.folder`. */
export function writeAptConfiguration(options: AptConfigurationOptions): AptConfiguration {
  const { folder, sources, architecture, origin, acquire, without = [] } = options;
  const at = (...path: string[]): string => join(folder, ...path);
  for (const path of ['state/lists/partial', 'cache/archives/partial', 'sources', 'log']) {
    mkdirSync(at(path), { recursive: true });
  }
  // In an otherwise empty status nothing counts as installed, so every library comes along.
  writeFileSync(at('state/status'), without.map((name) => pretendInstalled(name, architecture)).join(''));
  // Sources and settings may hold a password for a mirror or a proxy.
  const secret = { mode: 0o600 };
  writeFileSync(at('sources/distribution.sources'), formatDeb822Sources(sources.map(copied)), secret);
  writeFileSync(at('preferences'), `Package: *\nPin: release o=${origin}\nPin-Priority: 990\n`);
  const settings: readonly (readonly [name: string, value: string])[] = [
    // The machine's own configuration may run programs after every download, or ask for indexes of no use here.
    ['Dir::Etc::main', '/dev/null'],
    ['Dir::Etc::parts', '/dev/null'],
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', at('sources')],
    ['Dir::Etc::preferences', at('preferences')],
    ['Dir::Etc::preferencesparts', '/dev/null'],
    ['Dir::State', at('state')],
    ['Dir::State::lists', at('state/lists')],
    ['Dir::State::status', at('state/status')],
    ['Dir::Cache', at('cache')],
    ['Dir::Cache::archives', at('cache/archives')],
    ['Dir::Log', at('log')],
    ['APT::Architecture', architecture],
    ['APT::Architectures::', architecture],
    ['APT::Install-Recommends', 'false'],
    ['APT::Get::AllowUnauthenticated', 'false'],
    ['APT::Sandbox::User', ''],
    ['Debug::NoLocking', 'true'],
    ['Acquire::AllowInsecureRepositories', 'false'],
    ['Acquire::AllowWeakRepositories', 'false'],
    ['Acquire::Languages::', 'none'],
    ['Acquire::Retries', '2'],
    ['Acquire::http::Timeout', `${NETWORK_TIMEOUT_S}`],
    ['Acquire::https::Timeout', `${NETWORK_TIMEOUT_S}`],
  ];
  const lines = [...acquire, ...settings.map(([name, value]) => `${name} "${value}";`)];
  writeFileSync(at('apt.conf'), `${lines.join('\n')}\n`, secret);
  return { file: at('apt.conf'), archives: at('cache/archives') };
}

/** The paragraph of a status file that makes apt believe in a package, newer than any. */
function pretendInstalled(name: string, architecture: string): string {
  return `Package: ${name}
Status: install ok installed
Architecture: ${architecture}
Multi-Arch: allowed
Version: 9999
Maintainer: nobody
Description: left out

`;
}

// Packages of a local folder are used where they are, unless apt is told to copy them.
function copied(source: AptSource): AptSource {
  return { ...source, uri: source.uri.replace(/^file:/, 'copy:') };
}

/**
 * Of the machine's whole configuration, as `apt-config dump` prints it, the lines that say how to reach
 * repositories: proxies, certificates, whether dates are checked. Nothing that weakens the check of signatures.
 */
export function keepAcquireSettings(dump: string): readonly string[] {
  return dump
    .split('\n')
    .filter((line) =>
      /^Acquire::(?:https?|ftp|tor|Check-Valid-Until|Check-Date|Max-ValidTime|ForceIPv[46]|By-Hash|Queue-Mode)\b[^"]*"[^"]*";$/i.test(
        line,
      ),
    );
}
