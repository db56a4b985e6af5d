/** What a package folder says about itself: what is in it, where it is from, which versions its programs told. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program that was run once, and the file that it was then. */
export interface VerifiedProgram {
  /** Relative to the folder. */
  readonly path: string;
  /** What it told of itself. */
  readonly version: string;
  /** When the file was last changed, as `stat` tells it. */
  readonly mtimeMs: number;
  /** The file's size. */
  readonly size: number;
}

/** The content of `manifest.json`. */
export interface PackageManifest {
  /** The layout of the folder; another number means that the folder is not understood and is made anew. */
  readonly format: typeof MANIFEST_FORMAT;
  /** The folder's name. */
  readonly set: string;
  /** Debian's name of the architecture. */
  readonly architecture: string;
  /** When it was made, as ISO 8601. */
  readonly createdAt: string;
  /** The repositories, without passwords. */
  readonly sources: readonly string[];
  /** The packages that were asked for. */
  readonly requested: readonly string[];
  /** Name and exact version of every package. */
  readonly packages: Readonly<Record<string, string>>;
  /** The programs by server name. */
  readonly programs: Readonly<Record<string, VerifiedProgram>>;
}

/** The layout that this release writes and reads. */
export const MANIFEST_FORMAT = 1;

const FILE = 'manifest.json';

/** The manifest of a folder; `undefined` when there is none of this format. */
export function readManifest(folder: string): PackageManifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, FILE), 'utf8'));
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

/** Writes the manifest of a folder in one step. */
export function writeManifest(folder: string, manifest: PackageManifest): void {
  const temporary = join(folder, `${FILE}.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(temporary, join(folder, FILE));
}

/** The entry of a program that told `version` just now. */
export function verifiedProgram(folder: string, path: string, version: string): VerifiedProgram {
  const { mtimeMs, size } = statSync(join(folder, path));
  return { path, version, mtimeMs, size };
}

/** Whether the file is still the one that was verified. */
export function isUnchanged(folder: string, program: VerifiedProgram): boolean {
  const found = statSync(join(folder, program.path), { throwIfNoEntry: false });
  return found?.isFile() === true && found.mtimeMs === program.mtimeMs && found.size === program.size;
}

function isManifest(value: unknown): value is PackageManifest {
  if (typeof value !== 'object' || value === null) return false;
  const manifest = value as Partial<Record<keyof PackageManifest, unknown>>;
  return (
    manifest.format === MANIFEST_FORMAT &&
    typeof manifest.set === 'string' &&
    typeof manifest.architecture === 'string' &&
    Array.isArray(manifest.sources) &&
    Array.isArray(manifest.requested) &&
    typeof manifest.packages === 'object' &&
    manifest.packages !== null &&
    typeof manifest.programs === 'object' &&
    manifest.programs !== null
  );
}
