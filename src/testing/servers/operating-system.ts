/** Which operating system this is, as far as it decides where server programs can come from. */
import { readFileSync } from 'node:fs';

/** A system whose packages can be unpacked into a private folder by apt's own client. */
export interface AptSystem {
  /** Tells it from {@link OtherSystem}. */
  readonly kind: 'apt';
  /** What people call it, like `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  /** `ID` of os-release, like `debian`, `ubuntu` or `linuxmint`. */
  readonly distro: string;
  /** Whose packages it uses. */
  readonly family: 'debian' | 'ubuntu';
  /** The release's code name in its package sources, like `bookworm` or `noble`. */
  readonly suite: string;
}

/** A system on which nothing can be unpacked: its own package manager or Docker has to help. */
interface OtherSystem {
  /** Tells it from {@link AptSystem}. */
  readonly kind: 'other';
  /** What people call it. */
  readonly name: string;
  /** The package manager that brings the servers there, when one is known. */
  readonly manager?: PackageManager;
}

/** Package managers that an error message can name. */
export type PackageManager = 'apt' | 'dnf' | 'zypper' | 'pacman' | 'apk' | 'brew';

/** What {@link decideOperatingSystem} can answer. */
export type OperatingSystem = AptSystem | OtherSystem;

const MANAGERS: readonly (readonly [manager: PackageManager, ids: readonly string[]])[] = [
  ['dnf', ['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'ol', 'amzn']],
  ['zypper', ['suse', 'opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'sles']],
  ['pacman', ['arch', 'manjaro', 'endeavouros']],
  ['apk', ['alpine']],
];

/** Reads the `NAME=value` lines of os-release; quotes are taken off, everything else is ignored. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (match === null) continue;
    const [, name = '', raw = ''] = match;
    const value = raw.trim();
    const quoted = /^(["'])(.*)\1$/.exec(value);
    values.set(name, quoted === null ? value : (quoted[2] ?? '').replace(/\\(["$`\\])/g, '$1'));
  }
  return values;
}

/** What can be done on the system that `platform` (as Node names it) and its os-release describe. */
export function decideOperatingSystem(
  platform: NodeJS.Platform,
  release: ReadonlyMap<string, string>,
): OperatingSystem {
  if (platform === 'darwin') return { kind: 'other', name: 'macOS', manager: 'brew' };
  if (platform !== 'linux') return { kind: 'other', name: platform === 'win32' ? 'Windows' : platform };
  const distro = release.get('ID') ?? 'linux';
  const name = release.get('PRETTY_NAME') ?? release.get('NAME') ?? distro;
  const ids = [distro, ...(release.get('ID_LIKE') ?? '').split(/\s+/)].filter((id) => id !== '');
  const codename = release.get('VERSION_CODENAME');
  const ubuntu = release.get('UBUNTU_CODENAME') ?? (distro === 'ubuntu' ? codename : undefined);
  if (ids.includes('ubuntu') && isSuite(ubuntu)) {
    return { kind: 'apt', name, distro, family: 'ubuntu', suite: ubuntu };
  }
  // Debian's unstable release had no code name in os-release for many years.
  const debian = release.get('DEBIAN_CODENAME') ?? codename ?? (distro === 'debian' ? 'sid' : undefined);
  if (ids.includes('debian') && isSuite(debian)) {
    return { kind: 'apt', name, distro, family: 'debian', suite: debian };
  }
  const manager = MANAGERS.find(([, known]) => ids.some((id) => known.includes(id)))?.[0];
  return { kind: 'other', name, ...(manager === undefined ? {} : { manager }) };
}

/** The system that this process runs on. */
export function readOperatingSystem(): OperatingSystem {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      return decideOperatingSystem(process.platform, parseOsRelease(readFileSync(file, 'utf8')));
    } catch {
      // The second place is the standard's fallback; a system with neither is not a Linux distribution.
    }
  }
  return decideOperatingSystem(process.platform, new Map());
}

// The name becomes part of a path and of a package source.
function isSuite(value: string | undefined): value is string {
  return value !== undefined && /^[a-z][a-z0-9-]*$/.test(value);
}
