/** Finds what cluster a command is about: a configuration file, and the environment for what the file leaves out. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  CLUSTER_VARIABLES,
  type ClusterOptions,
  checkClusterOptions,
  clusterOptionsFromEnvironment,
} from '../cluster-options.js';
import { invalidOption } from '../common/option-reader.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { AnySessionOptions } from '../session/store-options.js';

/** What a command found out about its cluster. */
export interface ClusterConfig {
  /** The options for `createCluster`. */
  readonly options: ClusterOptions<AnySessionOptions>;
  /** Where they are from, for people: a path, or the names of variables. */
  readonly source: string;
}

/** The option that names a configuration file, and its line in a `--help`. */
export const CONFIG_OPTION: { readonly config: { readonly type: 'string' } } = { config: { type: 'string' } };

/** How a `--help` tells where the configuration is from. */
export const CONFIG_HELP: string = `  --config <file>     the cluster's options (default: stormlamp.config.{mjs,js,cjs,json,ts} here or in a folder above)

What the file leaves out is read from ${Object.values(CLUSTER_VARIABLES).join(', ')}.`;

/** In the order in which they are looked for. */
const NAMES = ['mjs', 'js', 'cjs', 'json', 'ts'].map((ending) => `stormlamp.config.${ending}`);
const VARIABLE = 'STORMLAMP_CONFIG';

/**
 * The cluster's options: those of the file that `given` (the option `--config`) or the variable `STORMLAMP_CONFIG`
 * names, else of the first `stormlamp.config.*` from `folder` upwards; parts that it does not have come from the
 * environment.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when there is nothing, or the file cannot be used, naming it.
 */
export async function findClusterConfig(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = process.cwd(),
): Promise<ClusterConfig> {
  if (given === '') throw invalidOption('--config', 'the name of a file', given);
  const named = given ?? (env[VARIABLE] === '' ? undefined : env[VARIABLE]);
  const file = named === undefined ? searchUpwards(folder) : resolve(folder, named);
  const variables = Object.values(CLUSTER_VARIABLES).filter(isSet(env));
  const fromEnvironment = variables.length === 0 ? {} : clusterOptionsFromEnvironment(env);
  if (file === undefined) {
    if (variables.length === 0) throw nothingConfigured();
    return { options: fromEnvironment, source: variables.join(', ') };
  }
  // `stormlamp gateway` reads the same file.
  const { gateway: _gateway, ...inFile } = await readConfigFile(
    file,
    given === undefined ? VARIABLE : '--config',
  );
  const options = { ...fromEnvironment, ...inFile };
  try {
    checkClusterOptions(options);
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    throw new StormlampError(error.code, `${file}: ${error.message}`, { cause: error });
  }
  return { options, source: file };
}

function isSet(env: Readonly<Record<string, string | undefined>>): (name: string) => boolean {
  return (name) => (env[name] ?? '') !== '';
}

function nothingConfigured(): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `No cluster is configured: there is no stormlamp.config.{mjs,js,cjs,json} here or in a folder above, and none of ${Object.values(CLUSTER_VARIABLES).join(', ')} is set; write the file, or name it with --config`,
  );
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
    value = extname(file) === '.json' ? parseJson(await readFile(file, 'utf8')) : await exported(file);
  } catch (cause) {
    if (extname(file) === '.ts' && !stripsTypes()) {
      throw bad(`cannot be read: Node ${process.versions.node} runs no TypeScript; write it as .mjs`, cause);
    }
    throw bad(`cannot be read: ${describeError(cause)}`, cause);
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

/** Editors of other systems put a mark before the text, which is none of it. */
function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ''));
}

async function exported(file: string): Promise<unknown> {
  const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  return module.default;
}

function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}
