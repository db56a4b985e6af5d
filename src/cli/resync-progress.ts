/** What `stormlamp resync` sees of the work on nodes: its own, and that of other processes. */
import type { NodeId } from '../common/node-address.js';
import { leaseKey } from '../memcached/copies/copy-key.js';
import { isFilled } from '../memcached/resync/asked-marks.js';
import { decodeUnderWay, type RepairUnderWay } from '../memcached/resync/repair-notes.js';
import type { SessionStore } from '../session/session-store.js';
import type { ProgressPrinter } from './progress-printer.js';

const BAR = 24;
/** The lease that tells it is renewed every second. */
const LOOK_EVERY_MS = 1_000;

/** Whether a node says that it is complete with what the store keeps there: some process keeps it so. Never rejects. */
export async function isKept(store: SessionStore): Promise<boolean> {
  const { nodes, ring } = store.copies.places;
  const call = { timeoutMs: store.options.operationTimeoutMs };
  const filled = await Promise.all(nodes.map((node) => isFilled(node, ring, call).catch(() => false)));
  return filled.includes(true);
}

/** Shows how far the work is until it is ended, also where another process is at it. */
export class ResyncProgressLines {
  readonly #store: SessionStore;
  readonly #printer: ProgressPrinter;
  readonly #timer: NodeJS.Timeout;
  /** Nodes that this process works on: it knows best. */
  readonly #ours = new Set<NodeId>();
  #ended = false;

  /** Begins to show. */
  constructor(store: SessionStore, printer: ProgressPrinter) {
    this.#store = store;
    this.#printer = printer;
    store.on('resync-started', ({ node }) => void this.#ours.add(node));
    store.on('resync-progress', ({ node, ...progress }) => this.#show(node, progress, ''));
    store.on('resynced', ({ node }) => void this.#ours.delete(node));
    store.on('resync-failed', ({ node }) => void this.#ours.delete(node));
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Shows no more. */
  end(): void {
    clearInterval(this.#timer);
    this.#ended = true;
    this.#printer.end();
  }

  #look(): void {
    const call = { timeoutMs: this.#store.options.operationTimeoutMs };
    for (const node of this.#store.copies.places.nodes) {
      node.peek(leaseKey(node.id), call).then(
        (lease) => {
          const underWay = lease === null ? undefined : decodeUnderWay(lease.value);
          if (underWay !== undefined && !this.#ours.has(node.id))
            this.#show(node.id, underWay, ' (by another process)');
        },
        () => undefined,
      );
    }
  }

  #show(node: NodeId, progress: Omit<RepairUnderWay, 'kind'>, by: string): void {
    if (!this.#ended) this.#printer.show({ phase: node, message: `${progressLine(node, progress)}${by}` });
  }
}

/** A bar, what is done of what there is at most, and how fast. */
function progressLine(
  node: NodeId,
  { copied, skipped, total, elapsedMs }: Omit<RepairUnderWay, 'kind'>,
): string {
  const done = copied + skipped;
  const perSecond = elapsedMs === 0 ? 0 : Math.round((done * 1000) / elapsedMs);
  if (total === null) return `${node} ${copied} mended, ${perSecond}/s`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * BAR);
  const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled);
  return `${node} [${bar}] ${Math.round(share * 100)} %  ${copied} copied, ${skipped} there already, of ${total} at most, ${perSecond}/s`;
}
