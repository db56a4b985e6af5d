/** Keeps a file that tells PHP, or whoever reads it, where writes and reads go. Readers see the old or the new file, never a part. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../../common/clock.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { replaceFile } from '../../files/replace-file.js';
import type { FailoverEvents } from '../failover-events.js';
import { sendsElsewhere, type TierView, tierView } from './tier-view.js';
import { nextDocument, readDocument, type TopologyDocument, writeDocument } from './topology-document.js';
import {
  type ResolvedTopologyFileOptions,
  readTopologyFileOptions,
  type TopologyFileOptions,
} from './topology-file-options.js';
import { isFresh, type TopologySource } from './topology-source.js';

/** The events of a {@link TopologyFile}. */
export interface TopologyFileEvents {
  /** The file was written. */
  'file-written': TopologyDocument;
  /** The file could not be written: what stands in it grows old, and is not believed after its time. */
  'file-failed': { readonly error: Error };
}

/** A topology file that is kept. */
export interface TopologyFile extends SafeEmitter<TopologyFileEvents> {
  /** What this process wrote last; undefined while another process of this machine writes it. */
  readonly document: TopologyDocument | undefined;
  /** Stops; the file stays, and is not believed after its time. */
  close(): Promise<void>;
}

/** How often it is looked for changes that no event tells, such as lag, milliseconds. */
const LOOK_MS = 500;
/** Events after which the file is looked at, at once. */
const CHANGES: readonly (keyof FailoverEvents)[] = [
  'primary-followed',
  'primary-lost',
  'primary-returned',
  'lease-gained',
  'lease-lost',
  'split-brain',
  'failure-detected',
  'failure-cleared',
  'suspicion-changed',
];
/** A file that is longer than this was not written here. */
const MAX_BYTES = 1_000_000;

/**
 * Keeps `options.file` in step with the cluster until it is closed; resolves when it was written, or found to be kept by another
 * process of this machine. Several processes may keep one file: one writes, and another takes over when it stops.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, or `ERR_UNSUPPORTED` when the file cannot be written, with the system's words.
 */
export async function startTopologyFile(
  source: TopologySource,
  options: TopologyFileOptions,
): Promise<TopologyFile> {
  const keeper = new FileKeeper(source, readTopologyFileOptions(options));
  await keeper.start();
  return keeper;
}

class FileKeeper extends SafeEmitter<TopologyFileEvents> implements TopologyFile {
  document: TopologyDocument | undefined;
  readonly #source: TopologySource;
  readonly #options: ResolvedTopologyFileOptions;
  readonly #clock: Clock = systemClock;
  readonly #id = `${process.pid}-${randomUUID()}`;
  #view: TierView | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #asked = false;
  #closed = false;

  constructor(source: TopologySource, options: ResolvedTopologyFileOptions) {
    super();
    this.#source = source;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#warnOfUnknown();
    try {
      await this.#look();
    } catch (error) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `The topology file ${this.#options.file} cannot be written: ${describeError(error)}; ` +
          'its folder must be there, and the account of this process must be allowed to write into it',
        { cause: error },
      );
    }
    for (const event of CHANGES) this.#source.failover.on(event, this.#ask);
    this.#timer = setInterval(this.#ask, Math.min(LOOK_MS, this.#options.validForMs / 3));
    this.#timer.unref();
  }

  /** Found nodes may come later, so that this is no error. */
  #warnOfUnknown(): void {
    const known = this.#source.topology().nodes.map(({ id }) => id);
    const unknown = Object.keys(this.#options.addresses).filter((id) => !known.includes(id));
    if (unknown.length === 0) return;
    process.emitWarning(
      `topologyFile.addresses names ${unknown.join(', ')}, and no node is called that; known are: ${known.join(', ')}`,
      { type: 'StormlampOptionWarning' },
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const event of CHANGES) this.#source.failover.off(event, this.#ask);
    await this.#running;
  }

  /** Looks after the look that is under way; who asks meanwhile shares it. */
  readonly #ask = (): void => {
    if (this.#asked || this.#closed) return;
    this.#asked = true;
    this.#running = this.#running.then(async () => {
      this.#asked = false;
      if (this.#closed) return;
      try {
        await this.#look();
      } catch (error) {
        this.publish('file-failed', { error: error instanceof Error ? error : new Error(String(error)) });
      }
    });
  };

  async #look(): Promise<void> {
    const { file, format, cluster, validForMs, mode } = this.#options;
    const { state } = this.#source.failover;
    // What a process sees that stalls is not worth telling; the file keeps what it says until its time.
    if (state.tilted && this.#view !== undefined) return;
    const topology = this.#source.topology();
    const now = this.#clock.now();
    if (!isFresh(topology, now, validForMs) && this.#view !== undefined) return;
    const view = tierView(topology, state, { ...this.#options, now });
    const before = await this.#read();
    const at = this.#clock.wall();
    const ageMs = before === undefined ? Number.POSITIVE_INFINITY : at - before.at * 1_000;
    const isOurs = before?.writer === this.#id;
    if (!isOurs && Math.abs(ageMs) < (validForMs * 2) / 3) {
      this.#view = view;
      this.document = undefined;
      return;
    }
    const isNew = this.#view === undefined || sendsElsewhere(this.#view, view);
    if (isOurs && !isNew && ageMs >= 0 && ageMs < validForMs / 3) return;
    const context = { cluster, writer: this.#id, epoch: state.epoch, at, validForMs, before };
    const document = nextDocument(view, context);
    await replaceFile(file, writeDocument(document, format), { mode });
    this.#view = view;
    this.document = document;
    this.publish('file-written', document);
  }

  async #read(): Promise<TopologyDocument | undefined> {
    const { file, format } = this.#options;
    try {
      const text = await readFile(file, 'utf8');
      return text.length > MAX_BYTES ? undefined : readDocument(text, format);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
