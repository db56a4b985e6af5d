/** Drives apt's own client inside a private configuration: indexes, the plan of a download, the download. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { AptConfiguration } from './apt-configuration.js';
import type { InstallProgressListener } from './install-progress.js';
import { SERVER_VARIABLES } from './missing-server.js';
import { type ProgramResult, runProgram } from './run-program.js';

/** One package of a plan. */
export interface PlannedPackage {
  /** Its name, like `libc6`. */
  readonly name: string;
  /** Its version, like `1:10.11.14-0+deb12u2`. */
  readonly version: string;
  /** How large the download is. */
  readonly bytes: number;
}

/** What every step of the client takes. */
export interface AptRun {
  /** The private place. */
  readonly configuration: AptConfiguration;
  /** The name of the set in progress reports. */
  readonly set: string;
  /** More variables for apt's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets the progress. */
  readonly onProgress: InstallProgressListener;
  /** Stops the client. */
  readonly signal: AbortSignal | undefined;
}

function environment({ configuration, env }: AptRun): Readonly<Record<string, string>> {
  return { ...env, APT_CONFIG: configuration.file };
}

const UPDATE_TIMEOUT_MS = 300_000;
const PLAN_TIMEOUT_MS = 60_000;
const DOWNLOAD_TIMEOUT_MS = 1_800_000;

/** Reads the indexes. Answers what apt complained about; whether that matters shows when packages are looked for. */
export async function updateIndexes(run: AptRun): Promise<string> {
  let last = -1;
  const report = (percent: number): void => {
    if (percent <= last) return;
    last = percent;
    const message = `Reading package indexes (${percent} %)`;
    run.onProgress({ phase: 'index', set: run.set, done: percent, total: 100, message });
  };
  report(0);
  const result = await runProgram('apt-get', ['update', '-o', 'APT::Status-Fd=3'], {
    env: environment(run),
    signal: run.signal,
    timeoutMs: UPDATE_TIMEOUT_MS,
    onStatusLine: onPercent(report),
  });
  report(100);
  return complaints(result);
}

/** Names of all packages that begin with `prefix`. */
export async function packageNames(run: AptRun, prefix: string): Promise<readonly string[]> {
  const result = await runProgram('apt-cache', ['pkgnames', prefix], {
    env: environment(run),
    signal: run.signal,
    timeoutMs: PLAN_TIMEOUT_MS,
  });
  return result.stdout.split('\n').filter((name) => name !== '');
}

/**
 * Everything that must be downloaded for `packages` to run.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` with apt's reason; `indexComplaints` are part of it.
 */
export async function planPackages(
  run: AptRun,
  packages: readonly string[],
  indexComplaints = '',
): Promise<readonly PlannedPackage[]> {
  const result = await runProgram(
    'apt-get',
    ['install', '-y', '--no-install-recommends', '--print-uris', ...packages],
    {
      env: environment(run),
      signal: run.signal,
      timeoutMs: PLAN_TIMEOUT_MS,
    },
  );
  const plan = parsePrintedUris(result.stdout);
  if (result.code === 0 && plan.length > 0) return plan;
  // Without its indexes apt knows no package at all, so what went wrong with them is the real reason.
  if (/Failed to fetch|not signed|repository/i.test(indexComplaints)) {
    throw failed('read the package indexes', indexComplaints);
  }
  throw failed(`find the packages ${packages.join(', ')}`, complaints(result));
}

/**
 * Downloads `packages` and all they need; apt verifies every one against the signed indexes.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` with apt's reason.
 */
export async function downloadPackages(
  run: AptRun,
  packages: readonly string[],
  plan: readonly PlannedPackage[],
): Promise<void> {
  const total = plan.reduce((sum, { bytes }) => sum + bytes, 0);
  let last = -1;
  const report = (percent: number): void => {
    if (percent <= last) return;
    last = percent;
    const done = Math.round((total * percent) / 100);
    const message = `Downloading ${plan.length} packages (${megabytes(done)} of ${megabytes(total)} MB)`;
    run.onProgress({ phase: 'download', set: run.set, done, total, message });
  };
  report(0);
  const result = await runProgram(
    'apt-get',
    ['install', '-y', '--download-only', '--no-install-recommends', '-o', 'APT::Status-Fd=3', ...packages],
    {
      env: environment(run),
      signal: run.signal,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      onStatusLine: onPercent(report),
    },
  );
  if (result.code !== 0) throw failed(`download the packages ${packages.join(', ')}`, complaints(result));
  report(100);
}

/** Reads the `'uri' file size hash` lines of `--print-uris`. The file's name holds the package's name and version. */
export function parsePrintedUris(text: string): readonly PlannedPackage[] {
  const plan: PlannedPackage[] = [];
  for (const line of text.split('\n')) {
    const match = /^'[^']*' ([^\s_]+)_([^\s_]+)_[^\s_]+\.deb (\d+)/.exec(line);
    if (match === null) continue;
    const [, name = '', version = '', bytes = ''] = match;
    plan.push({ name, version: version.replaceAll('%3a', ':'), bytes: Number(bytes) });
  }
  return plan;
}

/** The percentage of one line of apt's status output, as a whole number. */
export function parseStatusPercent(line: string): number | undefined {
  const match = /^(?:dl|pm)status:[^:]*:(\d+(?:\.\d+)?):/.exec(line);
  return match === null ? undefined : Math.min(100, Math.floor(Number(match[1])));
}

function onPercent(report: (percent: number) => void): (line: string) => void {
  return (line) => {
    const percent = parseStatusPercent(line);
    if (percent !== undefined) report(percent);
  };
}

function complaints(result: ProgramResult): string {
  return (
    result.stderr
      .split('\n')
      .filter((line) => /^[EW]:/.test(line))
      .slice(0, 3)
      // The address of a mirror or a proxy may hold a password.
      .map((line) =>
        line
          .slice(2)
          .trim()
          .replace(/\/\/[^/@\s]*@/g, '//'),
      )
      .join('; ')
  );
}

const NO_SPACE = /no space left|enough free space|disk quota/i;

function failed(what: string, reason: string): StormlampError {
  if (NO_SPACE.test(reason)) {
    return new StormlampError(
      ErrorCode.SERVER_MISSING,
      `apt could not ${what}: ${reason} Free some space where the cache folder is, or set STORMLAMP_CACHE to a folder on a larger disk.`,
    );
  }
  return new StormlampError(
    ErrorCode.SERVER_MISSING,
    `apt could not ${what}: ${reason === '' ? 'it gave no reason' : reason} ` +
      'Check that this machine reaches its package repositories (also through a proxy, if it has one), ' +
      `or name the paths of installed servers with ${Object.values(SERVER_VARIABLES).join(', ')}.`,
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
