/** Finds and reads the file that configures commands, the gateway's too, and the environment for what the file leaves out. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { CLUSTER_VARIABLES, type ClusterOptions, clusterOptionsFromEnvironment } from '../cluster-options.js';
import { invalidOption } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { AnySessionOptions } from '../session/store-options.js';
import { importAnew } from './import-anew.js';
import { unlessInVain } from './vain-wait.js';

/** What was found; the options are not checked yet. */
export interface FoundConfig {
  /** Those of the file, and of the environment for the parts that it does not have. */
  readonly options: ClusterOptions<AnySessionOptions>;
  /** What the file says under `gateway`. */
  readonly gateway: unknown;
  /** The file; undefined for none. */
  readonly file: string | undefined;
  /** Where the options are from, for people: a path and the names of variables; undefined when there is nothing. */
  readonly source: string | undefined;
}

/** In the order in which they are looked for. */
const NAMES = ['mjs', 'js', 'cjs', 'json', 'ts', 'mts', 'cts'].map((ending) => `stormlamp.config.${ending}`);
const VARIABLE = 'STORMLAMP_CONFIG';
/** How long a script may take until its options are there, milliseconds: on a terminal somebody may have to answer it. */
const LIMIT_MS = 15_000;
const TERMINAL_LIMIT_MS = 60_000;

/** How long a configuration may take, milliseconds. */
export function readingLimit(interactive: boolean): number {
  return interactive ? TERMINAL_LIMIT_MS : LIMIT_MS;
}

/**
 * Finds the file that `given` (the option `--config`) or the variable `STORMLAMP_CONFIG` names, else the first
 * `stormlamp.config.*` from `folder` upwards, and reads it, anew when it has changed.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when it cannot be read or can never give options, `ERR_TIMEOUT` after `limitMs`,
 * naming it.
 */
export async function findConfig(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
  limitMs: number = readingLimit(false),
): Promise<FoundConfig> {
  if (given === '') throw invalidOption('--config', 'the name of a file', given);
  const named = given ?? (env[VARIABLE] === '' ? undefined : env[VARIABLE]);
  const file = named === undefined ? searchUpwards(folder) : resolve(folder, named);
  const by = given === undefined ? VARIABLE : '--config';
  const { gateway, ...inFile } =
    file === undefined ? {} : said(await inTime(file, readConfigFile(file, by), limitMs));
  const variables = [
    ...(inFile.mysql === undefined ? [CLUSTER_VARIABLES.primary, CLUSTER_VARIABLES.replicas] : []),
    ...(inFile.sessions === undefined ? [CLUSTER_VARIABLES.memcached] : []),
  ].filter((name) => (env[name] ?? '') !== '');
  // Only these: a variable for a part that the file has may be half of what is needed.
  const wanted = Object.fromEntries(variables.map((name) => [name, env[name]]));
  const fromEnvironment = variables.length === 0 ? {} : clusterOptionsFromEnvironment(wanted);
  const sources = [...(file === undefined ? [] : [file]), ...variables];
  return {
    options: { ...fromEnvironment, ...inFile },
    gateway,
    file,
    source: sources.length === 0 ? undefined : sources.join(', '),
  };
}

/** Without the parts that are undefined: they are as good as left out, and the environment has them. */
function said<O extends object>(options: O): Partial<O> {
  return Object.fromEntries(Object.entries(options).filter(([, part]) => part !== undefined)) as Partial<O>;
}

/** Without a timer that keeps the process: where nothing else is left, nothing comes any more, and that is told at once. */
async function inTime<T>(file: string, reading: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `The configuration ${file} gave no options within ${limitMs / 1_000} s: what it waits for (a secret store?) does not answer; give it a time limit of its own`;
      reject(new StormlampError(ErrorCode.TIMEOUT, message));
    }, limitMs).unref();
  });
  try {
    return await unlessInVain(() => Promise.race([reading, late]), {
      starved: () =>
        noOptions(
          file,
          'it awaits what nothing in the process can bring any more (a promise that nobody resolves, or modules that import each other with `await`); export the options, or a function that returns them',
        ),
      ended: () =>
        noOptions(
          file,
          'it ended the process (`process.exit`); export the options, and throw an error where there are none',
        ),
    });
  } finally {
    clearTimeout(timer);
  }
}

function noOptions(file: string, why: string): StormlampError {
  return new StormlampError(ErrorCode.INVALID_OPTION, `The configuration ${file} gave no options: ${why}`);
}

function searchUpwards(from: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

async function readConfigFile(
  file: string,
  by: string,
): Promise<ClusterOptions<AnySessionOptions> & { readonly gateway?: unknown }> {
  const bad = (reason: string, cause?: unknown): StormlampError =>
    new StormlampError(ErrorCode.INVALID_OPTION, `The configuration ${file} ${reason}`, { cause });
  if (!existsSync(file)) throw bad(`is not there; correct \`${by}\``);
  let value: unknown;
  try {
    value = extname(file) === '.json' ? parseJson(await readFile(file, 'utf8')) : await importAnew(file);
  } catch (cause) {
    if (/^\.[mc]?ts$/.test(extname(file)) && !stripsTypes()) {
      throw bad(
        `cannot be read: Node ${process.versions.node} runs no TypeScript; write it as .mjs, or use Node 22.18 or newer`,
        cause,
      );
    }
    throw bad(`cannot be read: ${describeError(cause)}${remedyOf(cause, file)}`, cause);
  }
  if (typeof value === 'function') {
    try {
      value = await (value as () => unknown)();
    } catch (cause) {
      throw bad(`exports a function that failed: ${describeError(cause)}`, cause);
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad('has no options: export them as default, an object or a function that returns one');
  }
  return value;
}

/** What to do about an error of Node's, where that does not say it, or says what breaks others. */
function remedyOf(cause: unknown, file: string): string {
  const text = describeError(cause);
  if (/before initialization$/.test(text))
    return '; if it imports itself, or what imports it, move what both need into a file of its own';
  if ((cause as { readonly code?: unknown }).code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return ': Node only takes types away; write it without what has to be compiled';
  const [, ending] = /\.([jt]s)$/.exec(file) ?? [];
  const isModule = /Unexpected token 'export'|import statement outside a module/.test(text);
  return ending !== undefined && isModule
    ? `: it is CommonJS where package.json says nothing else; end its name with .m${ending}`
    : '';
}

/** Editors of other systems put a mark before the text, which is none of it. */
function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ''));
}

function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}
