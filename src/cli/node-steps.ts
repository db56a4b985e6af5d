/** The steps of a change of nodes that a running gateway takes, one after the other: at the start, and whenever its file is read again. */
import { pause } from '../common/backoff.js';
import { describeError, ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { SetNodesOptions } from '../session/node-change.js';
import type { SessionStore } from '../session/session-store.js';
import type { GatewayNodeChange } from './gateway-nodes.js';

const AGAIN_MS = 1_000;
/** What a gateway that was just started adds to `recopyAfterMs`: it counts the silence of a node from its own first look. */
const SLACK_MS = 10_000;

interface Taking {
  readonly change: GatewayNodeChange;
  readonly stop: AbortController;
}

/** See the head of this file. */
export class NodeSteps {
  readonly #store: SessionStore;
  readonly #tell: (line: string) => void;
  readonly #signal: AbortSignal;
  readonly #againMs: number;
  /** The step that is under way, and those that wait for it. */
  readonly #pending: Taking[] = [];
  /** What became of the step that was taken last. */
  #last: { readonly change: GatewayNodeChange; readonly error: unknown } | undefined;
  #turn: Promise<void> = Promise.resolve();

  /**
   * Takes no step yet.
   *
   * @param tell told of every step that is taken, or why it was not
   * @param signal ends the step that is under way
   */
  constructor(
    store: SessionStore,
    tell: (line: string) => void,
    signal: AbortSignal,
    againMs: number = AGAIN_MS,
  ) {
    this.#store = store;
    this.#tell = tell;
    this.#signal = signal;
    this.#againMs = againMs;
  }

  /**
   * Takes the steps that the other processes have taken already: before the gateway serves. While a node does not answer that may have
   * sessions, or that is to be one of the nodes, it waits for as long as it takes to give one up. When the file calls the change off meanwhile,
   * or names another list, that is taken instead; the step that comes next is taken afterwards. Errors: as `setNodes`, also of what was taken instead.
   */
  async catchUp(change: GatewayNodeChange | undefined): Promise<void> {
    if (change?.step !== 'prepare' && change?.step !== 'switch') return;
    const taking = this.#begin(change);
    const { nodes, ...options } = change;
    try {
      await this.#run(taking, async (signal) => {
        await this.#patiently(nodes, { ...options, step: 'prepare' }, signal);
        if (change.step === 'switch') await this.#patiently(nodes, options, signal);
      });
    } catch (error) {
      if (!taking.stop.signal.aborted || this.#signal.aborted) throw error;
      await this.#turn;
      // Called off before anything was prepared, there is nothing to call off.
      if (this.#last?.error !== undefined && this.#last.change.step !== 'cancel') throw this.#last.error;
    }
  }

  /**
   * Takes the step that the file names by now, after the one that is under way; that one is given up unless it leads to this one. A step
   * that was taken is not taken again. Never rejects: what failed is told.
   */
  take(change: GatewayNodeChange): Promise<void> {
    const last = this.#pending.at(-1);
    if (last !== undefined && isSame(last.change, change)) return this.#turn;
    if (last !== undefined && !leadsTo(last.change, change))
      for (const { stop } of this.#pending) stop.abort();
    const taking = this.#begin(change);
    const { nodes, ...options } = change;
    const list = nodes.join(', ');
    const work = this.#run(taking, (signal) => {
      // It lasts until the nodes have what they shall hold.
      if (options.step === 'switch') this.#tell(`nodes: step 'switch' begins for ${list}`);
      return this.#store.setNodes(nodes, { ...options, signal });
    }).then(
      () => {
        this.#last = { change, error: undefined };
        this.#tell(`nodes: step '${options.step}' is taken for ${list}`);
      },
      (error: unknown) => {
        this.#last = { change, error };
        this.#tell(
          `nodes: step '${options.step}' is not taken, all goes on as it was: ${
            taking.stop.signal.aborted ? 'the file names another one now' : describeError(error)
          }`,
        );
      },
    );
    this.#turn = work;
    return work;
  }

  #begin(change: GatewayNodeChange): Taking {
    const taking = { change, stop: new AbortController() };
    this.#pending.push(taking);
    return taking;
  }

  async #run(taking: Taking, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const before = this.#turn;
    const mine = before.then(() => {
      const signal = AbortSignal.any([this.#signal, taking.stop.signal]);
      signal.throwIfAborted();
      return work(signal);
    });
    this.#turn = mine.catch(() => undefined);
    try {
      await mine;
    } finally {
      this.#pending.splice(this.#pending.indexOf(taking), 1);
    }
  }

  async #patiently(nodes: readonly string[], options: SetNodesOptions, signal: AbortSignal): Promise<void> {
    const until = performance.now() + this.#store.options.recopyAfterMs + SLACK_MS;
    for (let told = false; ; told = true) {
      try {
        return await this.#store.setNodes(nodes, { ...options, signal });
      } catch (error) {
        if (!isStormlampError(error, ErrorCode.STORE_DOWN) || performance.now() >= until) throw error;
        if (!told)
          this.#tell(`nodes: step '${options.step}' has to wait before this serves: ${describeError(error)}`);
        await pause(this.#againMs, signal);
      }
    }
  }
}

const NEXT: Readonly<Record<string, string>> = { prepare: 'switch', switch: 'finish' };

/** Whether `later` is the next step of the same change: a process that left one out would stay behind the others. */
function leadsTo(step: GatewayNodeChange, later: GatewayNodeChange): boolean {
  return NEXT[step.step] === later.step && isSame({ ...step, step: later.step }, later);
}

function isSame(one: GatewayNodeChange, other: GatewayNodeChange): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
