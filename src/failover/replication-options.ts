/** Options of the account that replicas log in with. */
import { type NodeId, parseNodeAddress } from '../common/node-address.js';
import { invalidOption, readBoolean, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { ReplicationTls } from './plan/replication-tls.js';

/** The account that replicas log in with, and where they find each other. */
export interface ReplicationOptions {
  /** Its user. */
  readonly user: string;
  /** Its password. */
  readonly password: string;
  /**
   * How a former primary that becomes a replica encrypts what it receives: `true`, `false` (in clear text), or with these files.
   *
   * @defaultValue as the replicas do
   */
  readonly tls?: boolean | ReplicationTlsOptions | undefined;
  /** Where replicas find a node, as `host:port` by node id, when that is not where this process does. */
  readonly addresses?: Readonly<Record<NodeId, string>> | undefined;
}

/** How a replica encrypts what it receives; all files are those of its server. */
export interface ReplicationTlsOptions {
  /** The file of the certificate authority that has signed the sources' certificates. */
  readonly ca?: string | undefined;
  /** The file of the certificate that the replica shows. */
  readonly cert?: string | undefined;
  /** The file of the key of `cert`. */
  readonly key?: string | undefined;
  /**
   * Whether a source must show a certificate in its own name.
   *
   * @defaultValue whether `ca` is given
   */
  readonly verify?: boolean | undefined;
}

/** {@link ReplicationOptions} with everything filled in. */
export interface ResolvedReplicationOptions {
  readonly replication: {
    readonly user: string;
    readonly password: string;
    /** undefined: as the replicas do. */
    readonly tls: ReplicationTls | undefined;
  };
  readonly addresses: Readonly<Record<NodeId, { readonly host: string; readonly port: number }>>;
}

/**
 * Reads the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function readReplication(path: string, replication: ReplicationOptions): ResolvedReplicationOptions {
  rejectUnknownOptions(path, replication, ['user', 'password', 'tls', 'addresses']);
  const user = readString(`${path}.user`, replication.user, '');
  const { password } = replication;
  for (const [name, value] of Object.entries({ user, password })) {
    if (typeof value === 'string' && value !== '' && !/[\\\n\r\0]/.test(value)) continue;
    // Without the value: it may be a secret.
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected \`${path}.${name}\` to be a non-empty string without backslashes and line ends`,
    );
  }
  const addresses = Object.entries(replication.addresses ?? {}).map(([node, address]) => {
    const { host, port } = parseNodeAddress(`${path}.addresses.${node}`, address, 3306);
    if (host === undefined)
      throw invalidOption(`${path}.addresses.${node}`, "an address like 'host:port'", address);
    return [node, { host, port }] as const;
  });
  return {
    replication: { user, password, tls: readTls(`${path}.tls`, replication.tls) },
    addresses: Object.fromEntries(addresses),
  };
}

function readTls(path: string, tls: ReplicationOptions['tls']): ReplicationTls | undefined {
  if (tls === undefined || tls === false) return tls;
  if (tls === true) return { verify: undefined, texts: {} };
  if (typeof tls !== 'object' || tls === null)
    throw invalidOption(path, 'true, false or { ca, cert, key, verify }', tls);
  rejectUnknownOptions(path, tls, ['ca', 'cert', 'key', 'verify']);
  const { ca, cert, key } = tls;
  if ((cert === undefined) !== (key === undefined))
    throw invalidOption(
      `${path}.${cert === undefined ? 'cert' : 'key'}`,
      'a file: `cert` and `key` go together',
      undefined,
    );
  const files = Object.entries({ ca, cert, key }).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (typeof value !== 'string' || value === '' || /[\n\r\0{}]/.test(value))
      throw invalidOption(`${path}.${name}`, 'the path of a file on the database servers', value);
    return [[`SSL_${name.toUpperCase()}`, value] as const];
  });
  return {
    verify: readBoolean(`${path}.verify`, tls.verify, ca !== undefined),
    texts: Object.fromEntries(files),
  };
}
