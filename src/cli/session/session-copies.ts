/** Reads the copies of a session, each from its own place, without mending or locking anything. */
import { describeError, isStormlampError } from '../../common/stormlamp-error.js';
import type { SessionDocument } from '../../php/index.js';
import { sessionFileName } from '../../session/file-save-path.js';
import type { ResolvedFileSessionOptions } from '../../session/file-session-options.js';
import { assertSessionId } from '../../session/session-id.js';
import { sessionDataKey, sessionPlacement } from '../../session/session-keys.js';
import { SessionNodes } from '../../session/session-nodes.js';
import { sessionBytes } from '../../session/session-values.js';
import { type AnySessionOptions, resolveStoreOptions } from '../../session/store-options.js';
import { type MountReader, mountsHere } from '../mounts/mount-reader.js';
import { differencesOf, documentOf, type VariableDifference, variablesOf } from './session-text.js';

/** One copy. */
export interface SessionCopyReport {
  /** The memcached node or the mount. */
  readonly node: string;
  /** `held`; `missing`; `unreadable`: what is stored is no session; `unreachable`. */
  readonly state: 'held' | 'missing' | 'unreadable' | 'unreachable';
  /** How long it is; null when there is none. */
  readonly bytes: number | null;
  /** Why it cannot be read; null when it can. */
  readonly error: string | null;
}

/** All copies of a session, the deciding one first. */
export interface SessionReport {
  /** Whether it is there, readable, and every copy is the same. */
  readonly ok: boolean;
  /** Its id. */
  readonly id: string;
  /** The copies. */
  readonly copies: readonly SessionCopyReport[];
  /** Whether all copies have the same bytes. */
  readonly same: boolean;
  /** The variables of the first copy that can be read; null when none can. */
  readonly data: unknown;
  /** How many variables a copy has at most whose names are not UTF-8: they are kept, and neither shown nor compared. */
  readonly unnamed: number;
  /** What copies do not hold alike. */
  readonly differences: readonly VariableDifference[];
}

interface RawCopy {
  readonly node: string;
  readonly bytes: Buffer | null;
  readonly error: unknown;
}

/**
 * The copies of the session `id`; `reader` reads those on mounts.
 *
 * @throws StormlampError `ERR_SESSION_ID`, `ERR_INVALID_OPTION`.
 */
export async function readSessionCopies(
  given: AnySessionOptions,
  id: string,
  reader: MountReader = mountsHere,
): Promise<SessionReport> {
  const resolved = resolveStoreOptions(given);
  const { options } = resolved;
  assertSessionId(id, options.accept);
  const raw =
    resolved.kind === 'files'
      ? await fromMounts(resolved.options, id, reader)
      : await fromMemcached(resolved.options, id);
  const documents: Record<string, SessionDocument> = {};
  const copies = raw.map(({ node, bytes, error }): SessionCopyReport => {
    if (error !== undefined) return { node, state: 'unreachable', bytes: null, error: describeError(error) };
    if (bytes === null) return { node, state: 'missing', bytes: null, error: null };
    try {
      documents[node] = documentOf(bytes, options.serialize);
      return { node, state: 'held', bytes: bytes.length, error: null };
    } catch (cause) {
      if (!isStormlampError(cause)) throw cause;
      return { node, state: 'unreadable', bytes: bytes.length, error: cause.message };
    }
  });
  const [first] = raw;
  const same = raw.every(
    ({ bytes, error }) => error === undefined && bytes !== null && first?.bytes?.equals(bytes) === true,
  );
  const shown = Object.values(documents)[0];
  return {
    ok: same && copies.every(({ state }) => state === 'held'),
    id,
    copies,
    same,
    data: shown === undefined ? null : variablesOf(shown),
    unnamed: Math.max(0, ...Object.values(documents).map(({ byteKeys }) => byteKeys.length)),
    differences: differencesOf(documents),
  };
}

async function fromMounts(
  { mounts, depth, operationTimeoutMs }: ResolvedFileSessionOptions,
  id: string,
  reader: MountReader,
): Promise<readonly RawCopy[]> {
  const files = await reader.read(mounts, sessionFileName(id, depth), operationTimeoutMs);
  return files.map(({ mount, bytes, error }) => ({ node: mount, bytes, error: error ?? undefined }));
}

async function fromMemcached(
  options: Extract<ReturnType<typeof resolveStoreOptions>, { kind: 'memcached' }>['options'],
  id: string,
): Promise<readonly RawCopy[]> {
  const ignore = (): void => undefined;
  const nodes = new SessionNodes(options, ignore, ignore);
  const { key, place } = sessionDataKey(options, id);
  const order = sessionPlacement(options)(place).slice(0, options.copies);
  const holders = order.flatMap((index) => nodes.nodes[index] ?? []);
  try {
    return await Promise.all(
      holders.map((node) =>
        readOne(node.id, async () => {
          const item = await node.get(key, { timeoutMs: options.operationTimeoutMs });
          return item === null ? null : sessionBytes(item, options.handler);
        }),
      ),
    );
  } finally {
    await nodes.stop();
    await nodes.close();
  }
}

async function readOne(node: string, read: () => Promise<Buffer | null>): Promise<RawCopy> {
  try {
    return { node, bytes: await read(), error: undefined };
  } catch (error) {
    return { node, bytes: null, error };
  }
}
