/** Answers HAProxy's agent checks: HAProxy asks about each of its servers, and sends traffic by what it is told. */
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../common/clock.js';
import {
  readMsOrInfinity,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../../common/option-reader.js';
import type { LagLimits } from '../../topology/replica-freshness.js';
import { agentAnswer, readQuestion } from './agent-answer.js';
import type { TopologySource } from './topology-source.js';

/** Options of {@link startHaproxyAgent}. */
export interface HaproxyAgentOptions {
  /** The port to listen on; 0 takes a free one. */
  readonly port: number;
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** How far a replica that serves reads may be behind, milliseconds. Default 5000. */
  readonly maxLagMs?: number | undefined;
  /**
   * The same while no primary can be reached, when this is more, milliseconds; `Infinity` lets reads go on for as long as that
   * lasts. Default `Infinity`.
   */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
}

/** The endpoint. */
export interface HaproxyAgent extends AsyncDisposable {
  /** The port that it listens on. */
  readonly port: number;
  /** Takes no more questions. */
  close(): Promise<void>;
}

/** A question is one short line. */
const MAX_QUESTION = 300;
/** Longest time for a question, milliseconds. */
const QUESTION_MS = 2_000;
/** Questions that are answered at once. */
const MAX_CONNECTIONS = 200;

/**
 * Starts to answer; resolves when it listens. The servers of HAProxy ask with `agent-check agent-addr 127.0.0.1 agent-port <port>
 * agent-send "<node> write\n"` (or `read`), the node by its name in this process.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; the system's own error when the port cannot be had.
 */
export async function startHaproxyAgent(
  source: TopologySource,
  options: HaproxyAgentOptions,
): Promise<HaproxyAgent> {
  rejectUnknownOptions('haproxyAgent', options, ['port', 'host', 'maxLagMs', 'maxLagWithoutPrimaryMs']);
  const port = readNumber('haproxyAgent.port', options.port, Number.NaN, {
    min: 0,
    max: 65_535,
    integer: true,
  });
  const host = readString('haproxyAgent.host', options.host, '127.0.0.1');
  const maxLagMs = readNumber('haproxyAgent.maxLagMs', options.maxLagMs, 5_000, { min: 0 });
  const maxLagWithoutPrimaryMs = readMsOrInfinity(
    'haproxyAgent.maxLagWithoutPrimaryMs',
    options.maxLagWithoutPrimaryMs,
    Number.POSITIVE_INFINITY,
  );
  const agent = new Agent(source, { maxLagMs, maxLagWithoutPrimaryMs });
  await agent.listen(port, host);
  return agent;
}

class Agent implements HaproxyAgent {
  readonly #source: TopologySource;
  readonly #limits: LagLimits;
  readonly #clock: Clock = systemClock;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(source: TopologySource, limits: LagLimits) {
    this.#source = source;
    this.#limits = limits;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => undefined);
        this.#server.unref();
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: Socket): void {
    let text = '';
    this.#sockets.add(socket);
    socket.unref();
    socket.setEncoding('latin1');
    socket.setTimeout(QUESTION_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= MAX_QUESTION) return;
      socket.removeAllListeners('data');
      const answer = end < 0 ? undefined : this.#answer(text.slice(0, end));
      if (answer === undefined) socket.destroy();
      else socket.end(answer);
    });
  }

  #answer(line: string): string | undefined {
    const question = readQuestion(line);
    if (question === undefined)
      return 'ready down #ask with agent-send "<node> write" or "<node> read" and a line end\n';
    const { failover } = this.#source;
    return agentAnswer(question, {
      topology: this.#source.topology(),
      state: failover.state,
      ...this.#limits,
      now: this.#clock.now(),
    });
  }
}
