/**
 * A contest between peers: each lives in a process of its own, so that none runs on what the engine learned from
 * another, and their rounds take turns, so that a busy moment of the machine hits all of them.
 */
import { fork } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';

const PEER_PROCESS = join(import.meta.dirname, 'peer-process.mjs');
const OPEN_TIMEOUT_MS = 60_000;
/** With fewer at once than there will be the same code is warmed, and little is left to be learned. */
const WARM_BESIDE_MS = 100;
/** How much longer than it should a round may take. */
const ROUND_GRACE_MS = 20_000;

/**
 * @typedef {{ name: string, ms: number, atOnce: readonly number[], warmMs?: number, settles?: boolean }} Work What is done in one round, and for how long; `warmMs`, with as many at once as there will be, before the first.
 * @typedef {{ cpuUs: number, perSecond: number, p50Us: number, p99Us: number }} Measured One round of one peer.
 * @typedef {{ peer: string, work: string, atOnce: number, rounds: Measured[] }} Row Everything measured of one kind.
 */

/**
 * Runs `works` with all peers of a suite. Stopped by `signal`, it answers with what has been measured until then. `settle`
 * waits, after a round of a work with `settles`, until the servers have done what it left them to do.
 *
 * @param {{ file: string, peers: readonly string[], works: readonly Work[], context: unknown, rounds: number, warmUps?: number, settle?: () => Promise<unknown>, onProgress(text: string): void, signal: AbortSignal }} options
 * @returns {Promise<{ rows: Row[], failures: { peer: string, reason: string }[], memory: Record<string, { openMb: number, endMb: number }> }>}
 */
export async function contest(options) {
  const { file, works, context, rounds, warmUps = 2, settle, onProgress, signal } = options;
  // Each peer listens.
  setMaxListeners(0, signal);
  const contestants = [];
  const failures = [];
  const rows = new Map();
  const memory = {};
  try {
    for (const peer of options.peers) {
      if (signal.aborted) break;
      const contestant = new Contestant(file, peer, signal);
      contestants.push(contestant);
      try {
        const opened = await contestant.ask({ type: 'open', context }, OPEN_TIMEOUT_MS);
        memory[peer] = { openMb: opened.heapMb };
        contestant.works = new Set(opened.works);
      } catch (error) {
        if (!signal.aborted) failures.push({ peer, reason: error.message });
        contestant.end();
      }
    }
    for (let number = 1 - warmUps; number <= rounds && !signal.aborted; number += 1) {
      onProgress(number <= 0 ? 'warming up' : `round ${number} of ${rounds}`);
      for (const { name, ms, warmMs = ms, atOnce, settles } of works) {
        const most = Math.max(...atOnce);
        for (const workers of atOnce) {
          // Whoever went first last time goes last now.
          for (const contestant of rotate(contestants, number)) {
            if (signal.aborted) break;
            if (contestant.ended || !contestant.works.has(name)) continue;
            const warm = number <= 0;
            const length = !warm ? ms : workers === most ? warmMs : Math.min(ms, WARM_BESIDE_MS);
            const message = { type: 'round', work: name, ms: length, workers, warm };
            try {
              const measured = await contestant.ask(message, 5 * message.ms + ROUND_GRACE_MS);
              if (settles) await settle?.();
              if (warm) continue;
              const key = `${contestant.peer}\0${name}\0${workers}`;
              const row = rows.get(key) ?? { peer: contestant.peer, work: name, atOnce: workers, rounds: [] };
              rows.set(key, row);
              row.rounds.push({ number, ...measured });
            } catch (error) {
              if (signal.aborted) break;
              failures.push({
                peer: contestant.peer,
                reason: `${name}, ${workers} at once: ${error.message}`,
              });
              contestant.end();
            }
          }
        }
      }
    }
    for (const contestant of contestants) {
      if (contestant.ended) continue;
      try {
        memory[contestant.peer].endMb = (await contestant.ask({ type: 'close' }, OPEN_TIMEOUT_MS)).heapMb;
      } catch (error) {
        failures.push({ peer: contestant.peer, reason: `closing: ${error.message}` });
      }
    }
    return { rows: [...rows.values()], failures, memory };
  } finally {
    for (const contestant of contestants) contestant.end();
  }
}

/** One peer in a process of its own. */
export class Contestant {
  ended = false;
  works = new Set();
  #child;
  #waiting;

  constructor(file, peer, signal) {
    this.peer = peer;
    // What a peer prints is not the result.
    this.#child = fork(PEER_PROCESS, [file, peer], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#child.on('message', (message) => this.#settle(message));
    this.#child.once('exit', (code, killed) =>
      this.#settle({ type: 'failed', reason: `its process ended (${killed ?? `code ${code}`})` }),
    );
    signal.addEventListener('abort', () => this.end(), { once: true });
  }

  ask(message, timeoutMs) {
    return new Promise((done, fail) => {
      const timer = setTimeout(
        () => this.#settle({ type: 'failed', reason: `no answer in ${timeoutMs / 1000} s` }),
        timeoutMs,
      );
      this.#waiting = (answer) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        if (answer.type === 'failed') fail(new Error(answer.reason));
        else done(answer);
      };
      if (this.#child.connected) this.#child.send(message);
      else this.#settle({ type: 'failed', reason: 'its process has ended' });
    });
  }

  end() {
    this.ended = true;
    this.#child.kill('SIGKILL');
  }

  #settle(message) {
    this.#waiting?.(message);
  }
}

function rotate(list, by) {
  const at = ((by % list.length) + list.length) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
