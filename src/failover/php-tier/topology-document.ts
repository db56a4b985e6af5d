/** The topology file's contents, as JSON or as a PHP file that returns an array, and what is read back of it. */
import type { NodeId } from '../../common/node-address.js';
import type { TierNode, TierView } from './tier-view.js';

/** The forms of the file. */
export type TopologyFileFormat = 'json' | 'php';

/** What stands in the file. Times are seconds since 1970, with milliseconds. */
export interface TopologyDocument {
  /** Version of this layout. */
  readonly format: 1;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Who wrote it; another process takes over only when its writing stops. */
  readonly writer: string;
  /** Grows with every new primary, and never falls. */
  readonly epoch: number;
  /** When it was written. */
  readonly at: number;
  /** After this time nobody knows whether it is still true. */
  readonly valid_until: number;
  /** The node that takes writes; null while there is none. */
  readonly primary: DocumentNode | null;
  /** The last node that took writes; for comparing, not for connecting. */
  readonly last_primary: NodeId | null;
  /** The nodes that serve reads. */
  readonly replicas: readonly DocumentNode[];
  /** What is wrong with the primary; null when nothing is. */
  readonly failure: string | null;
}

/** A node in the file. */
export interface DocumentNode {
  /** Its name. */
  readonly id: NodeId;
  /** Where it listens; null with `socket`. */
  readonly host: string | null;
  /** Its port; null with `socket`. */
  readonly port: number | null;
  /** Its unix socket, else null. */
  readonly socket: string | null;
  /** Its share of reads. */
  readonly weight: number;
  /** How far it is behind, milliseconds; null when nobody knows, and for the primary. */
  readonly lag_ms: number | null;
}

/** What a document needs besides the view. Times are milliseconds since 1970. */
export interface DocumentContext {
  readonly cluster: string;
  readonly writer: string;
  /** The epoch that this process counted. */
  readonly epoch: number;
  readonly at: number;
  readonly validForMs: number;
  /** What stands in the file now. */
  readonly before: TopologyDocument | undefined;
}

/** The next document. Its epoch is above the file's when the primary is another one, whatever this process counted. */
export function nextDocument(view: TierView, context: DocumentContext): TopologyDocument {
  const { cluster, writer, at, validForMs, before } = context;
  const primary = view.primary?.id ?? null;
  const known = before?.last_primary ?? null;
  const moved = primary !== null && known !== null && primary !== known;
  return {
    format: 1,
    cluster,
    writer,
    epoch: Math.max(context.epoch, (before?.epoch ?? 0) + (moved ? 1 : 0)),
    at: at / 1_000,
    valid_until: (at + validForMs) / 1_000,
    primary: view.primary === null ? null : nodeOf(view.primary),
    last_primary: primary ?? known,
    replicas: view.replicas.map(nodeOf),
    failure: view.failure,
  };
}

function nodeOf({ id, address, weight, lagMs }: TierNode): DocumentNode {
  const { host, port, socketPath } = address;
  const isSocket = socketPath !== undefined;
  return {
    id,
    host: isSocket ? null : (host ?? null),
    port: isSocket ? null : port,
    socket: socketPath ?? null,
    weight,
    lag_ms: lagMs,
  };
}

/** The text of the file. */
export function writeDocument(document: TopologyDocument, format: TopologyFileFormat): string {
  if (format === 'json') return `${JSON.stringify(document, undefined, 2)}\n`;
  // The comment is for reading it back; a slash is escaped, so that nothing in it can end the comment.
  const own = JSON.stringify(document).replaceAll('/', '\\/');
  return `<?php /* stormlamp ${own} */\nreturn ${phpValue(document)};\n`;
}

/** The document in the text of a file; undefined when there is none that this version wrote. */
export function readDocument(text: string, format: TopologyFileFormat): TopologyDocument | undefined {
  const json = format === 'json' ? text : /^<\?php \/\* stormlamp (\{.*\}) \*\/$/m.exec(text)?.[1];
  if (json === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isDocument(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isDocument(value: unknown): value is TopologyDocument {
  if (typeof value !== 'object' || value === null) return false;
  const {
    format,
    epoch,
    at,
    writer,
    last_primary: last,
  } = value as Partial<Record<keyof TopologyDocument, unknown>>;
  return (
    format === 1 &&
    Number.isSafeInteger(epoch) &&
    typeof at === 'number' &&
    Number.isFinite(at) &&
    typeof writer === 'string' &&
    (last === null || typeof last === 'string')
  );
}

/** A value as PHP source, for every PHP since 5.4. */
function phpValue(value: unknown, indent = ''): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (typeof value !== 'object') return String(value);
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((each) => `${inner}${phpValue(each, inner)},\n`)
    : Object.entries(value).map(([name, each]) => `${inner}'${name}' => ${phpValue(each, inner)},\n`);
  return lines.length === 0 ? '[]' : `[\n${lines.join('')}${indent}]`;
}
