/** Finds what cluster a command is about: a configuration file, and the environment for what the file leaves out. */
import { CLUSTER_VARIABLES, type ClusterOptions, checkClusterOptions } from '../cluster-options.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { AnySessionOptions } from '../session/store-options.js';
import { findConfig } from './config-file.js';

/** What a command found out about its cluster. */
export interface ClusterConfig {
  /** The options for `createCluster`, checked, and in words that each of its parts understands by itself. */
  readonly options: ClusterOptions<AnySessionOptions>;
  /** Where they are from, for people: a path and the names of variables. */
  readonly source: string;
}

/** The option that names a configuration file, and its line in a `--help`. */
export const CONFIG_OPTION: { readonly config: { readonly type: 'string' } } = { config: { type: 'string' } };

/** How a `--help` tells where the configuration is from. */
export const CONFIG_HELP: string = `  --config <file>     the cluster's options (default: stormlamp.config.{mjs,js,cjs,json,ts,mts,cts} here or in a folder above)

What the file leaves out is read from ${Object.values(CLUSTER_VARIABLES).join(', ')}.`;

/** As {@link findClusterConfig}, but undefined when there is nothing. */
export async function clusterConfigIfAny(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = process.cwd(),
  limitMs?: number,
): Promise<ClusterConfig | undefined> {
  const { options, file, source } = await findConfig(given, env, folder, limitMs);
  if (source === undefined) return undefined;
  // Of the environment alone everything has its form.
  if (file === undefined) return { options, source };
  try {
    return { options: checkClusterOptions(withApproval(options, file)), source };
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    throw new StormlampError(error.code, `${source}: ${error.message}`, { cause: error });
  }
}

/**
 * The cluster's options: those of the file that `given` (the option `--config`) or the variable `STORMLAMP_CONFIG`
 * names, else of the first `stormlamp.config.*` from `folder` upwards; parts that it does not have come from the
 * environment.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when there is nothing, or the file cannot be used, and `ERR_TIMEOUT` when
 *   it gives none within `limitMs`, naming it.
 */
export async function findClusterConfig(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = process.cwd(),
  limitMs?: number,
): Promise<ClusterConfig> {
  const found = await clusterConfigIfAny(given, env, folder, limitMs);
  if (found === undefined) throw nothingConfigured();
  return found;
}

/**
 * The mode `approve` needs a hook, which JSON cannot hold: services that read such a file add it. A command decides nothing by itself,
 * whatever a hook says.
 */
function withApproval(
  options: ClusterOptions<AnySessionOptions>,
  file: string,
): ClusterOptions<AnySessionOptions> {
  const { failover } = options;
  if (!file.endsWith('.json') || failover?.mode !== 'approve' || failover.hooks !== undefined) return options;
  return {
    ...options,
    failover: { ...failover, hooks: { approve: () => ({ veto: 'a command decides nothing by itself' }) } },
  };
}

function nothingConfigured(): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `No cluster is configured: there is no stormlamp.config.{mjs,js,cjs,json,ts,mts,cts} here or in a folder above, and none of ${Object.values(CLUSTER_VARIABLES).join(', ')} is set; write the file, or name it with --config`,
  );
}
