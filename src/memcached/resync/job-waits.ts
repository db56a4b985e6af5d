/** Which work on nodes waits after it failed, or could not be done whole, and how long. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import type { JobDone } from './resync-options.js';
import type { NodeJob } from './resync-plan.js';

/** After a failure. */
const AGAIN_MS = 5_000;
/** After a connection was lost: what is open to a node that has just been restarted fails, and what is opened then does not. */
const LOST_AGAIN_MS = 500;
/** While what a node lacks can be had from nobody, and it gets all that is written: at least this, and many times what the work took. */
const INCOMPLETE_AGAIN_MS = 60_000;
/** While others still miss writes: at least this, and several times what the work took. */
const MEND_AGAIN_MS = 1_000;
const UNSUPPORTED_AGAIN_MS = 600_000;

/** Until when work on a node waits. */
interface Wait {
  readonly at: number;
  /** The nodes that could be reached then. */
  readonly reached: string;
  /** What it was to bring. */
  readonly extent: string;
}

/** See the head of this file. */
export class JobWaits {
  readonly #notBefore = new Map<NodeId, Wait>();

  /** It was done, and the node is not complete. */
  incomplete(job: NodeJob, { elapsedMs }: JobDone, reached: string): void {
    this.#later(job, againMs(job.kind, elapsedMs), reached);
  }

  /** It failed. */
  failed(job: NodeJob, error: unknown, reached: string): void {
    this.#later(job, againAfter(error), reached);
  }

  /** Work on a node waits no more. */
  forget(node: NodeId): void {
    this.#notBefore.delete(node);
  }

  /** Whether it need not wait: what failed is tried as soon as another node can be reached, or is stood in for. */
  isDue(job: NodeJob, reached: string): boolean {
    const wait = this.#notBefore.get(job.node);
    if (wait === undefined || performance.now() >= wait.at || wait.reached !== reached) return true;
    return job.kind === 'fill' && extentOf(job) !== wait.extent;
  }

  #later(job: NodeJob, ms: number, reached: string): void {
    this.#notBefore.set(job.node, { at: performance.now() + ms, reached, extent: extentOf(job) });
  }
}

function againAfter(error: unknown): number {
  // A server that only speaks the binary protocol will not learn the other one.
  if (isStormlampError(error, ErrorCode.UNSUPPORTED)) return UNSUPPORTED_AGAIN_MS;
  return isStormlampError(error, ErrorCode.NODE_UNREACHABLE) ? LOST_AGAIN_MS : AGAIN_MS;
}

function againMs(kind: NodeJob['kind'], elapsedMs: number): number {
  if (kind === 'mend') return Math.max(MEND_AGAIN_MS, 4 * elapsedMs);
  return kind === 'fill' ? Math.max(INCOMPLETE_AGAIN_MS, 20 * elapsedMs) : AGAIN_MS;
}

function extentOf(job: NodeJob): string {
  return job.kind === 'fill' ? `${job.complete} ${job.away.join(' ')}` : '';
}
