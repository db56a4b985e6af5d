/** When an item ends, as its server says. */
import type { CallOptions } from '../common/deadline.js';
import { assertKey } from './memcached-key.js';
import { MORE, type TextConnection } from './text-connection.js';

/** What is left of an item's life, without its value; the first servers with meta commands said OK. */
const REST_LINE = /^(?:HD|OK) t(-?\d{1,10})$/;
const STATS_LINE = /^STAT ([^ ]+) ?(.*)$/;
/** Twice is enough unless its life is changed all the time. */
const ROUNDS = 10;

/**
 * The second since 1970, by the server's own clock, with which an item ends; 0 for one without an end, undefined for a miss. An
 * item that is stored with it as its date ends with the same second, however much later that is.
 *
 * @throws StormlampError as the commands of {@link TextConnection} do.
 */
export async function endOfItem(
  connection: TextConnection,
  key: string,
  options?: CallOptions,
): Promise<number | undefined> {
  assertKey(key);
  const commands = `mg ${key} t\r\nstats\r\nmg ${key} t\r\n`;
  for (let round = 1; ; round += 1) {
    const look = new Look();
    const [before, after] = await connection.lines(
      'asking when an item ends',
      commands,
      (line) => look.read(line),
      options,
    );
    if (before === 'gone' || after === 'gone') return undefined;
    if (after < 0) return 0;
    // The clock may have ticked, or its life been changed, in between.
    if (before === after || round === ROUNDS) return look.seconds + after;
  }
}

type Rest = number | 'gone';

/** Reads how long the item still lives, what the time is, and how long it lives then. */
class Look {
  /** The server's time, in seconds since 1970. */
  seconds: number = Number.NaN;
  #before: Rest | undefined;
  #isTold = false;

  /** Takes a line; gives both rests with the last one. */
  read(line: string): readonly [Rest, Rest] | typeof MORE | undefined {
    if (this.#before !== undefined && !this.#isTold) return this.#readStats(line);
    const rest = line === 'EN' ? 'gone' : REST_LINE.exec(line)?.[1];
    if (rest === undefined) return undefined;
    const seconds = rest === 'gone' ? rest : Number(rest);
    if (this.#before !== undefined) return [this.#before, seconds];
    this.#before = seconds;
    return MORE;
  }

  #readStats(line: string): typeof MORE | undefined {
    if (line === 'END') {
      this.#isTold = true;
      return Number.isSafeInteger(this.seconds) ? MORE : undefined;
    }
    const match = STATS_LINE.exec(line);
    if (match?.[1] === 'time') this.seconds = Number(match[2]);
    return match === null ? undefined : MORE;
  }
}
