/** How a replica encrypts what it receives: as others do it, or as the options say; pure. */
import type { NodeId } from '../../common/node-address.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import type { NodeSurvey } from '../survey/node-survey.js';

/** How a replica encrypts what it receives; false: not at all. */
export type ReplicationTls = false | TlsSettings;

/** The settings of a replica that does. */
export interface TlsSettings {
  /** Whether it looks whose certificate the source shows; undefined: as its server has it by default. */
  readonly verify: boolean | undefined;
  /** What else is set, by the name of the option as `CHANGE …` has it, without its first word: `SSL_CA`. Files are its server's. */
  readonly texts: Readonly<Record<string, string>>;
}

/** The options that a status tells, and their columns. */
const COLUMNS: readonly (readonly [string, string])[] = [
  ['SSL_CA', 'SSL_CA_File'],
  ['SSL_CAPATH', 'SSL_CA_Path'],
  ['SSL_CERT', 'SSL_Cert'],
  ['SSL_KEY', 'SSL_Key'],
  ['SSL_CIPHER', 'SSL_Cipher'],
  ['SSL_CRL', 'SSL_Crl'],
  ['SSL_CRLPATH', 'SSL_Crlpath'],
  ['TLS_VERSION', 'TLS_Version'],
];

/** The options that name files or folders, and the variables by which a server uses such for its own clients. */
const FILES = ['SSL_CA', 'SSL_CAPATH', 'SSL_CERT', 'SSL_KEY', 'SSL_CRL', 'SSL_CRLPATH'];
const OWN_FILES = FILES.map((name) => name.toLowerCase());

/** How the replica of this status does it; undefined where the status does not tell. */
export function tlsIn(status: StatusRow): ReplicationTls | undefined {
  const read = (name: string): string => String(status[`Source_${name}`] ?? status[`Master_${name}`] ?? '');
  const allowed = read('SSL_Allowed').toLowerCase();
  if (allowed === '') return undefined;
  if (allowed === 'no') return false;
  const texts = COLUMNS.map(([option, column]) => [option, read(column)] as const);
  return {
    verify: read('SSL_Verify_Server_Cert').toLowerCase() === 'yes',
    texts: Object.fromEntries(texts.filter(([, value]) => value !== '')),
  };
}

/** How the replicas among `surveys` do it; of several ways the strongest. undefined where none tells. */
export function tlsAmong(surveys: Iterable<NodeSurvey>): ReplicationTls | undefined {
  // The same one first, in whatever order they answered.
  const sorted = [...surveys].sort((a, b) => (a.node < b.node ? -1 : 1));
  const found = sorted.flatMap(({ status }) => (status === undefined ? [] : (tlsIn(status) ?? [])));
  return found.reduce<ReplicationTls | undefined>(
    (best, tls) => (best === undefined || strengthOf(tls) > strengthOf(best) ? tls : best),
    undefined,
  );
}

/** How a replica of `source` shall do it when nobody is left to ask: encrypted where that server can, and in need of nothing else. */
export function tlsOffered(source: NodeSurvey | undefined): ReplicationTls {
  return source?.offersTls === true ? { verify: false, texts: {} } : false;
}

/** The options of a `CHANGE …` statement whose words begin with `word`. */
export function tlsSql(word: string, tls: ReplicationTls): string {
  if (tls === false) return `${word}_SSL=0`;
  const texts = Object.entries(tls.texts).map(([name, value]) => `${word}_${name}=${literal(value)}`);
  const verify = tls.verify === undefined ? [] : [`${word}_SSL_VERIFY_SERVER_CERT=${tls.verify ? 1 : 0}`];
  return [`${word}_SSL=1`, ...texts, ...verify].join(', ');
}

/** What a replica of `version` would do worse with `tls` than one that receives by `used`; nothing when it is as good. */
export function weaknessesOf(
  tls: ReplicationTls,
  used: ReplicationTls,
  version: ServerVersion,
): readonly string[] {
  if (used === false) return [];
  if (tls === false) return ['in clear text'];
  const lacks = (...names: string[]): boolean =>
    names.some((name) => name in used.texts) && !names.some((name) => name in tls.texts);
  // MariaDB 11.4 and later look at certificates unless they are told not to.
  const verifies = tls.verify ?? (version.flavor === 'mariadb' && isAtLeast(version, 11, 4, 0));
  return [
    ...(used.verify === true && !verifies ? ['without a look at who the source is'] : []),
    ...(lacks('SSL_CA', 'SSL_CAPATH') ? ['without its certificate authority'] : []),
    ...(lacks('SSL_CERT') ? ['without a certificate of its own'] : []),
  ];
}

/**
 * The files that a server would read as a replica that receives by `tls`, and that nobody can tell whether it has: it neither uses
 * them for its own clients nor receives with them now.
 */
export function unseenFiles(survey: NodeSurvey, tls: ReplicationTls | undefined): readonly string[] {
  if (tls === undefined || tls === false) return [];
  const { variables, status } = survey;
  const home = variables.get('datadir') ?? '';
  const own = OWN_FILES.flatMap((name) => {
    const file = variables.get(name) ?? '';
    return file === '' ? [] : [file, home + file];
  });
  const used = status === undefined ? undefined : tlsIn(status);
  const seen = new Set([...own, ...(used === undefined || used === false ? [] : Object.values(used.texts))]);
  const files = FILES.flatMap((name) => tls.texts[name] ?? []);
  return [...new Set(files)].filter((file) => !seen.has(file));
}

/** The same in words. */
export function unseenWords(node: NodeId, files: readonly string[]): string {
  return `${node} would receive with ${files.join(', ')} as a replica, and uses none of that now, so that nobody can tell whether it is there`;
}

function strengthOf(tls: ReplicationTls): number {
  if (tls === false) return 0;
  const has = (...names: string[]): number => Number(names.some((name) => name in tls.texts));
  return 1 + has('SSL_CERT') + 2 * has('SSL_CA', 'SSL_CAPATH') + 4 * Number(tls.verify === true);
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
