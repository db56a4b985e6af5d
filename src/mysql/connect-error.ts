/** Turns the error of a failed connection into one of ours, which says what is wrong and what to do about it. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { classifyServerError } from './server-error.js';

/** What is known about a connection that failed. */
export interface ConnectFailure {
  /** The node. */
  readonly node: NodeId;
  /** The account that was used, when one was given. */
  readonly user: string | undefined;
  /** The option that the account is from, when that is not the node's own. */
  readonly accountOption?: string | undefined;
  /** What the driver, the server or the system said. */
  readonly error: unknown;
}

/** The `ERR_NODE_UNREACHABLE`, `ERR_ACCESS_DENIED` or `ERR_PROTOCOL` for a failed connection. */
export function connectError(failure: ConnectFailure): StormlampError {
  const { node, error } = failure;
  if (isStormlampError(error)) return error;
  const { kind } = classifyServerError(error);
  const details = { cause: error, node };
  if (kind === 'access' || isLockedAccount(error)) {
    return new StormlampError(ErrorCode.ACCESS_DENIED, accessMessage(failure), details);
  }
  if (kind === 'protocol') {
    return new StormlampError(ErrorCode.PROTOCOL, protocolMessage(failure), details);
  }
  return new StormlampError(ErrorCode.NODE_UNREACHABLE, unreachableMessage(failure), details);
}

/** Login errors that only one of the families sends, so that they are safe to tell before the family is known. */
function isLockedAccount(error: unknown): boolean {
  const errno = numberOf(error);
  return errno === 1862 || errno === 3118 || errno === 3955 || errno === 4151;
}

function accessMessage({ node, user, accountOption, error }: ConnectFailure): string {
  const name = user === undefined ? 'the login without a user' : `user '${user}'`;
  const account = accountOption === undefined ? name : `${name} of \`${accountOption}\``;
  const said = describeError(error);
  switch (numberOf(error)) {
    case 1049:
      return `Node ${node} does not have the database for ${account}: ${said}; check the database name of the node, or, if this is a replica, whether it has got the database from its primary yet`;
    case 1044:
      return `Node ${node} refused the database for ${account}: ${said}; check the database name of the node and GRANT the user access to it, or, if this is a replica, whether it has got that from its primary yet`;
    case 1129:
      return `Node ${node} blocks this machine after too many broken connections: ${said}; run FLUSH HOSTS there (or TRUNCATE performance_schema.host_cache)`;
    case 1130:
      return `Node ${node} lets nobody in from this machine: ${said}; create ${account} for this machine's address`;
    case 1820:
    case 1862:
      return `The password of ${account} on node ${node} has expired: ${said}; set a new one with ALTER USER`;
    case 3118:
    case 4151:
    case 3955:
      return `The account of ${account} on node ${node} is locked: ${said}; run ALTER USER ... ACCOUNT UNLOCK there`;
    default:
      return `Node ${node} refused ${account}: ${said}; ${remedy(accountOption)}`;
  }
}

function remedy(accountOption: string | undefined): string {
  return accountOption === undefined
    ? 'check user and password of the node, whether the account is for this machine (its host part), and whether it asks for TLS (REQUIRE SSL: give `ssl`)'
    : `correct user and password in \`${accountOption}\`, or leave it out to use the node's own account`;
}

function protocolMessage({ node, error }: ConnectFailure): string {
  const said = describeError(error);
  switch ((error as { code?: unknown }).code) {
    case 'HANDSHAKE_NO_SSL_SUPPORT':
      return `Node ${node} offers no TLS: ${said}; enable TLS on the server or remove \`ssl\` from the node's options`;
    case 'HANDSHAKE_SSL_ERROR':
      return `TLS with node ${node} failed: ${said}; ${tlsRemedy(said)}`;
    case 'AUTH_SWITCH_PLUGIN_ERROR':
      return `Node ${node} wants a way of logging in that is not possible here: ${said}; change the account's authentication plugin, or use TLS`;
    default:
      return `Node ${node} does not speak the MySQL protocol: ${said}; check its port`;
  }
}

function tlsRemedy(said: string): string {
  return /altnames/.test(said)
    ? 'call the node by a name that is in its certificate, or have one made for this name'
    : 'give the authority that signed its certificate as `ssl.ca`';
}

function unreachableMessage({ node, error }: ConnectFailure): string {
  const said = describeError(error);
  if (numberOf(error) === 1040 || numberOf(error) === 1203 || numberOf(error) === 1226) {
    return `Node ${node} takes no more connections: ${said}; lower \`pool.max\` of its clients or raise the server's limit`;
  }
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `Node ${node} refuses connections: ${said}; start the server, or correct host and port of the node`;
    case 'ENOENT':
      return `Node ${node} cannot be reached: ${said}; start the server, or correct the socket's path`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name of node ${node} cannot be resolved: ${said}; correct the host of the node, or the name service`;
    case 'ETIMEDOUT':
      return `Node ${node} did not answer: ${said}; check that the server runs, that it is MySQL, and that no firewall is in between`;
    default:
      return `No connection to node ${node} could be made: ${said}; check that the server runs and accepts connections`;
  }
}

function numberOf(error: unknown): number | undefined {
  const errno = (error as { errno?: unknown } | null)?.errno;
  return typeof errno === 'number' && errno > 0 ? errno : undefined;
}

/** Of several addresses, one that refuses shows that the machine is there, whatever became of the others. */
function codeOf(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (!(error instanceof AggregateError)) return code;
  const codes = error.errors.map((each: { code?: unknown } | null) => each?.code);
  return codes.includes('ECONNREFUSED') ? 'ECONNREFUSED' : (code ?? codes[0]);
}
