/** What a client's connection shares with those of others. */
import type { AnswerRoom } from './answer-room.js';
import type { AttentiveClock } from './attentive-clock.js';
import type { FairTurns } from './fair-turns.js';
import type { GatewayCounters } from './gateway-counters.js';
import type { ReaderLimits } from './gateway-request.js';
import type { GatewayItems } from './item-command.js';

/** What a connection gets from its gateway. */
export interface ConnectionContext {
  /** The store. */
  readonly items: GatewayItems;
  /** Limits of requests. */
  readonly limits: ReaderLimits;
  /** How long a request may take to arrive, and answers to be read, in milliseconds; 0 is no limit. */
  readonly stallTimeoutMs: number;
  /** How long a client may say nothing between requests; 0 is no limit. */
  readonly idleTimeoutMs: number;
  /** What those timeouts are measured by. */
  readonly clock: AttentiveClock;
  /** Who asks for more than a window of reads at once waits for a turn for every further one. */
  readonly turns: FairTurns;
  /** The memory for answers of all clients. */
  readonly room: AnswerRoom;
  /** The memory for what is here of requests that are not whole, of all clients. */
  readonly requests: AnswerRoom;
  /** Figures of the gateway. */
  readonly counters: GatewayCounters;
  /** The gateway's figures of a group; undefined when there is no such group. */
  stats(group: string): ReadonlyMap<string, string> | undefined;
  /** Whether these are the right credentials. */
  login(username: string, password: string): boolean;
  /** The client was at fault, and its connection is closed. */
  onFault(connection: { readonly peer: string }, reason: string): void;
}
