/** How programs of an unpacked package folder are run: through the folder's own loader and libraries. */
import { readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';

/** Command and first arguments of a program of a package folder. */
export interface FolderProgram {
  /** The folder's loader. */
  readonly command: string;
  /** `--library-path …` and the program. */
  readonly prefixArgs: readonly string[];
}

/** What differs by architecture. */
interface Architecture {
  /** Node's name of it. */
  readonly node: NodeJS.Architecture;
  /** The name of its library folders. */
  readonly triplet: string;
  /** The file name of its loader. */
  readonly loader: string;
}

/** By Debian's name. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  amd64: { node: 'x64', triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { node: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
  armhf: { node: 'arm', triplet: 'arm-linux-gnueabihf', loader: 'ld-linux-armhf.so.3' },
  i386: { node: 'ia32', triplet: 'i386-linux-gnu', loader: 'ld-linux.so.2' },
  ppc64el: { node: 'ppc64', triplet: 'powerpc64le-linux-gnu', loader: 'ld64.so.2' },
  riscv64: { node: 'riscv64', triplet: 'riscv64-linux-gnu', loader: 'ld-linux-riscv64-lp64d.so.1' },
  s390x: { node: 's390x', triplet: 's390x-linux-gnu', loader: 'ld64.so.1' },
};

/** Debian's name of the architecture that Node calls `arch`; `undefined` when its packages cannot be run from a folder. */
export function debianArchitecture(arch: NodeJS.Architecture = process.arch): string | undefined {
  return Object.entries(ARCHITECTURES).find(([, { node }]) => node === arch)?.[0];
}

/** How `program` (relative to `folder`) is run; `undefined` when it or the folder's loader is not there. */
export function folderProgram(
  folder: string,
  architecture: string,
  program: string,
): FolderProgram | undefined {
  const names = ARCHITECTURES[architecture];
  if (names === undefined || !isFile(join(folder, program))) return undefined;
  const { triplet, loader } = names;
  const root = realpathSync(folder);
  // A package may link to the loader by an absolute path, which is the system's one and does not fit these libraries.
  const command = ['usr/lib', 'lib', 'usr/lib64', 'lib64']
    .flatMap((at) => [join(root, at, triplet, loader), join(root, at, loader)])
    .find((path) => isFile(path) && realpathSync(path).startsWith(root + sep));
  if (command === undefined) return undefined;
  const libraries = [`usr/lib/${triplet}`, `lib/${triplet}`, 'usr/lib/mysql/private']
    .map((path) => join(root, path))
    .filter(isFolder);
  return { command, prefixArgs: ['--library-path', libraries.join(':'), join(root, program)] };
}

/** The last name in a sub-folder (by natural order, so that 8.10 follows 8.9) that `pattern` matches, as a relative path. */
export function newestName(folder: string, at: string, pattern: RegExp): string | undefined {
  let names: string[];
  try {
    names = readdirSync(join(folder, at));
  } catch {
    return undefined;
  }
  const found = names
    .filter((name) => pattern.test(name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
  return found === undefined ? undefined : `${at}/${found}`;
}

/** Whether `path` is a file, links followed. What may not be looked at is none. */
export function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

/** Whether `path` is a folder, links followed. What may not be looked at is none. */
export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A PATH may name folders of other users, and of files.
    return undefined;
  }
}
