/** Sends the statement of a step, and ends the sessions that it lists, or that keep it from being executed. */
import { pause } from '../../common/backoff.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { classifyServerError } from '../../mysql/server-error.js';
import type { LockSession } from '../locks/lock-session.js';
import type { PlanStep } from '../plan/failover-plan.js';

/** What a step is sent on. */
type StepSession = Pick<LockSession, 'ask' | 'askBeside' | 'lost'> & {
  readonly connection: Pick<LockSession['connection'], 'threadId'>;
};

/** So long sessions that were ended may take to be gone, milliseconds: what they have changed is undone first. */
const GONE_MS = 1_000;
const ROUND_MS = 25;
/** So old a look at transactions may be, milliseconds: a server keeps what it told of them for a tenth of a second. */
const STALE_MS = 150;
/** A MySQL that ends the waits comes back when its receiver of acknowledgements has ended, which takes up to a second, milliseconds. */
const WAITS_MS = 2_000;
const SHOWN = 10;
/** Accounts without `PROCESS`, and those that may not end others, end nobody. */
const MAY_NOT: ReadonlySet<number> = new Set([1044, 1045, 1142, 1227]);

/**
 * The rows of the answer. `say`: told in words which sessions were ended, also where it fails later.
 *
 * Rejects as `LockSession.ask` does.
 */
export async function sendStep(
  session: StepSession,
  step: PlanStep,
  sql: string,
  timeoutMs: number,
  say: (words: readonly string[]) => void,
): Promise<readonly StatusRow[]> {
  const ended = new EndedSessions();
  const tell = (): void => say(ended.words);
  if (step.ends === true) return await endListed(session, sql, timeoutMs, ended).finally(tell);
  try {
    return await session.ask(sql, timeoutMs);
  } catch (error) {
    const { inTheWay, endsWaits } = step;
    // Both families give it the same number.
    const isLate =
      session.lost === undefined && classifyServerError(error, 'mariadb').kind === 'lock-timeout';
    if (!isLate || inTheWay === undefined) throw error;
    const listed = await session.ask(inTheWay, timeoutMs).catch(() => []);
    if (!listed.some(isWaiting)) throw error;
    const waits = endsWaits?.replaceAll('{session}', String(session.connection.threadId));
    return await askOnceMore(session, sql, { inTheWay, waits, timeoutMs }, ended).finally(tell);
  }
}

/** Until none is left of them: what is being ended may still end in a commit. */
async function endListed(
  session: StepSession,
  sql: string,
  timeoutMs: number,
  ended: EndedSessions,
): Promise<readonly StatusRow[]> {
  const until = performance.now() + GONE_MS;
  for (;;) {
    const listed = await session.ask(sql, timeoutMs).catch((error: unknown) => {
      if (session.lost === undefined && MAY_NOT.has(Number((error as { errno?: unknown }).errno))) return [];
      throw error;
    });
    await ended.end(listed, (kill) => session.ask(kill, timeoutMs));
    if (!listed.some(({ id }) => ended.has(id)) || performance.now() > until) return [];
    await pause(ROUND_MS);
  }
}

/**
 * Ends sessions while the statement waits: no statement that writes begins then, so that what can still be committed is what is
 * listed. A commit that waits for a replica waits for all that are committed together with it, and they are acknowledged, by no
 * replica, when only it is ended: whatever else may be committed is ended first, and it only when none of that is left. It must have
 * been seen waiting a look before: all that are committed with it are in the list then. Where commits wait on all the same, `waits`
 * ends that when nobody is left who would be told of it.
 */
async function askOnceMore(
  session: StepSession,
  sql: string,
  more: { readonly inTheWay: string; readonly waits: string | undefined; readonly timeoutMs: number },
  ended: EndedSessions,
): Promise<readonly StatusRow[]> {
  let isOver = false;
  let seen: ReadonlySet<number> = new Set();
  let nobodySince = Number.POSITIVE_INFINITY;
  const beside = (statement: string): Promise<readonly StatusRow[]> => session.askBeside(statement);
  const endSome = async (): Promise<void> => {
    const askedAt = performance.now();
    const rows = await beside(more.inTheWay);
    const waiting = rows.filter(isWaiting);
    const left = rows.filter(({ id }) => !ended.has(id));
    const others = left.filter((row) => !isWaiting(row));
    const doomed = others.length > 0 ? others : waiting.filter(({ id }) => seen.has(Number(id)));
    if (waiting.length > 0) await ended.end(doomed, beside);
    seen = new Set(waiting.map(({ id }) => Number(id)));
    nobodySince =
      waiting.length === 0 || left.length > 0 ? Number.POSITIVE_INFINITY : Math.min(nobodySince, askedAt);
    if (more.waits !== undefined && askedAt - nobodySince > STALE_MS)
      await session.askBeside(more.waits, WAITS_MS);
  };
  const limitMs = more.waits === undefined ? more.timeoutMs : more.timeoutMs + WAITS_MS;
  const sent = session.ask(sql, limitMs).finally(() => {
    isOver = true;
  });
  const ending = (async (): Promise<void> => {
    for (;;) {
      await pause(ROUND_MS);
      if (isOver) return;
      await endSome();
    }
  })();
  const [rows] = await Promise.allSettled([sent, ending]);
  if (rows.status === 'rejected') throw rows.reason;
  return rows.value;
}

function isWaiting({ waits }: StatusRow): boolean {
  return Number(waits) === 1;
}

/** The sessions that were ended, each once. */
class EndedSessions {
  readonly #ended = new Map<number, string>();
  readonly #failed = new Map<number, string>();
  /** What is in the way and has no number to be ended by. */
  readonly #fixed = new Set<string>();

  /** What became of them; nothing when there were none. */
  get words(): readonly string[] {
    const list = (all: ReadonlyMap<number, string>): string => {
      const more = all.size > SHOWN ? ` and ${all.size - SHOWN} more` : '';
      return `${[...all]
        .slice(0, SHOWN)
        .map(([id, what]) => `${id} ${what}`)
        .join(', ')}${more}`;
    };
    return [
      ...(this.#ended.size === 0 ? [] : [`ended the sessions ${list(this.#ended)}`]),
      ...(this.#failed.size === 0 ? [] : [`could not end ${list(this.#failed)}`]),
      ...(this.#fixed.size === 0 ? [] : [`cannot end ${[...this.#fixed].join(', nor ')}`]),
    ];
  }

  has(id: unknown): boolean {
    return this.#ended.has(Number(id));
  }

  async end(rows: readonly StatusRow[], send: (kill: string) => Promise<unknown>): Promise<void> {
    for (const { id, user, host } of rows) {
      const number = Number(id);
      if (number === 0) this.#fixed.add(String(user));
      if (!Number.isSafeInteger(number) || number <= 0) continue;
      if (this.#ended.has(number) || this.#failed.has(number)) continue;
      const account = `(${String(user)}@${String(host)})`;
      try {
        await send(`KILL ${number}`);
        this.#ended.set(number, account);
      } catch (error) {
        // One that has ended meanwhile is in nobody's way.
        if (Number((error as { errno?: unknown }).errno) !== 1094)
          this.#failed.set(number, `${account}: ${describeError(error)}`);
      }
    }
  }
}
