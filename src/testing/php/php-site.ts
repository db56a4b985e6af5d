/** A PHP site that sees the cluster's sessions, served by PHP's own web server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { invalidOption, readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import { FaultProxy } from '../faults/fault-proxy.js';
import type { LocalPhpSite } from '../nodes/local-node.js';
import { ManagedNode, type ManagedNodeOptions } from '../nodes/managed-node.js';
import { LOCAL_HOST } from '../process/free-port.js';
import { iniArgs, type PhpIni } from './php-ini.js';
import { checkScript, type PhpRunnerOptions } from './php-runner.js';

/** What a site serves: the text of a router script that answers every request, or a folder of PHP files. */
export type PhpSiteSource = string | { readonly dir: string };

/** How a PHP site is served. */
export interface PhpSiteOptions {
  /** Settings that are added to the cluster's, or take the place of them. */
  readonly ini?: PhpIni | undefined;
  /** How many requests are answered at a time. Default 4. */
  readonly workers?: number | undefined;
  /** More variables for the site's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Ends the start. */
  readonly signal?: AbortSignal | undefined;
}

/** A {@link LocalPhpSite}. */
export class PhpSiteNode extends ManagedNode implements LocalPhpSite {
  /** Makes the site's folder and proxy; starts nothing. */
  static async create(
    runner: PhpRunnerOptions,
    name: string,
    source: PhpSiteSource,
    options: PhpSiteOptions = {},
  ): Promise<PhpSiteNode> {
    rejectUnknownOptions('options', options, ['ini', 'workers', 'env', 'signal']);
    const workers = readNumber('options.workers', options.workers, 4, { integer: true, min: 1, max: 64 });
    checkSource(source);
    const folder = join(runner.clusterFolder, name);
    mkdirSync(folder, { mode: 0o700 });
    const served = servedArgs(source, folder);
    const logFile = join(folder, 'server.log');
    const proxy: FaultProxy = await FaultProxy.open(() => node.realPort);
    const node: PhpSiteNode = new PhpSiteNode({
      name,
      proxy,
      logFile,
      signal: options.signal,
      launch: (port) =>
        runner.launcher.launch({
          server: 'php',
          name,
          folder,
          logFile,
          shared: typeof source === 'string' ? [] : [source.dir],
          args: [...iniArgs({ ...runner.ini, ...options.ini }), '-S', `${LOCAL_HOST}:${port}`, ...served],
          env: { ...options.env, ...(workers === 1 ? {} : { PHP_CLI_SERVER_WORKERS: String(workers) }) },
        }),
    });
    return node;
  }

  private constructor(options: ManagedNodeOptions) {
    super(options);
  }

  get url(): string {
    return `http://${this.id}`;
  }
}

function checkSource(source: PhpSiteSource): void {
  if (typeof source === 'string') {
    checkScript('source', source);
    return;
  }
  rejectUnknownOptions('source', source, ['dir']);
  if (typeof source.dir !== 'string' || !isAbsolute(source.dir)) {
    throw invalidOption('source.dir', 'an absolute path of a folder', source.dir);
  }
}

function servedArgs(source: PhpSiteSource, folder: string): readonly string[] {
  if (typeof source !== 'string') return ['-t', source.dir];
  const router = join(folder, 'router.php');
  writeFileSync(router, source);
  return ['-t', folder, router];
}
