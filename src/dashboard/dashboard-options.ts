/** What the live page can be told. */
import type { IncomingMessage } from 'node:http';
import { invalidOption, readBoolean, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Options of {@link dashboard}. */
export interface DashboardOptions {
  /**
   * Whether a request may see the page and all that belongs to it. Required where `NODE_ENV` is `production`. Without it only
   * requests from this machine, for a name of this machine, are answered.
   * An open page is asked about again every five seconds, with the request that it began with: it ends when the answer is not true any
   * more, or takes as long.
   */
  readonly authorize?: ((request: IncomingMessage) => boolean | Promise<boolean>) | undefined;
  /** Whether the page can take nodes out and let them in again, and, where the failover mode allows it, switch over. Default false. */
  readonly allowActions?: boolean | undefined;
  /** The page's heading. Default `stormlamp`. */
  readonly title?: string | undefined;
}

/** The options with the defaults filled in. */
export interface ResolvedDashboardOptions {
  readonly authorize: ((request: IncomingMessage) => boolean | Promise<boolean>) | undefined;
  readonly allowActions: boolean;
  readonly title: string;
}

/**
 * Checks the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` in production without `authorize`.
 */
export function readDashboardOptions(
  options: DashboardOptions,
  env: Readonly<Record<string, string | undefined>>,
): ResolvedDashboardOptions {
  rejectUnknownOptions('dashboard', options, ['authorize', 'allowActions', 'title']);
  const { authorize } = options;
  if (authorize !== undefined && typeof authorize !== 'function')
    throw invalidOption('dashboard.authorize', 'a function', authorize);
  if (authorize === undefined && env['NODE_ENV'] === 'production') {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      'The dashboard is not mounted in production without `authorize`: pass a function that says whether a request may see it',
    );
  }
  return {
    authorize,
    allowActions: readBoolean('dashboard.allowActions', options.allowActions, false),
    title: readString('dashboard.title', options.title, 'stormlamp'),
  };
}
