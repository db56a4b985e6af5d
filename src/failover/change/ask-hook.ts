/** Asks one of the user's hooks and waits for its verdict, for as long as it may take. */
import type { Clock } from '../../common/clock.js';
import { describeWithoutValues } from '../../common/error-without-values.js';

/** What a hook decides. Nothing at all means `'allow'`, except from `approve`: there only `'allow'` itself does. */
export type Verdict = 'allow' | { readonly veto: string } | { readonly delayMs: number };

/** How long a hook may take, and what its silence means. */
export interface HookLimits {
  /** Longest time, milliseconds. */
  readonly timeoutMs: number;
  /** What it means when the time is over. */
  readonly onTimeout: 'veto' | 'continue';
  /** Ends the wait when the manager closes. */
  readonly signal: AbortSignal;
}

/** What every hook gets besides its subject. */
export interface HookFrame {
  /** Fires when the hook's time is over or the manager closes. */
  readonly signal: AbortSignal;
  /** When its time is over, monotonic milliseconds. */
  readonly deadline: number;
}

/** Calls `hook`. Never rejects: what it throws is a veto that says why. */
export async function askHook(
  name: string,
  hook: (frame: HookFrame) => unknown,
  limits: HookLimits,
  clock: Clock,
): Promise<Verdict> {
  const abort = new AbortController();
  const { timeoutMs, onTimeout, signal } = limits;
  let settle = (): void => {};
  const given = new Promise<Verdict>((resolve) => {
    const end = (verdict: Verdict): void => {
      abort.abort();
      resolve(verdict);
    };
    const late: Verdict =
      onTimeout === 'veto' ? { veto: `hook '${name}' did not answer within ${timeoutMs} ms` } : 'allow';
    const timer = setTimeout(() => end(late), timeoutMs);
    timer.unref();
    const onClose = (): void => end({ veto: `hook '${name}' was given up because the manager closes` });
    if (signal.aborted) onClose();
    else signal.addEventListener('abort', onClose, { once: true });
    settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onClose);
    };
  });
  const asked = (async (): Promise<Verdict> => {
    try {
      return verdictOf(name, await hook({ signal: abort.signal, deadline: clock.now() + timeoutMs }));
    } catch (error) {
      return { veto: `hook '${name}' failed: ${describeWithoutValues(error)}` };
    }
  })();
  // The time of a hook that has answered is not over later.
  return await Promise.race([asked, given]).finally(settle);
}

function verdictOf(name: string, answer: unknown): Verdict {
  if (answer === 'allow') return 'allow';
  if (answer === undefined) {
    // Who forgets to answer whether something may be done has not said yes.
    if (name === 'approve') return { veto: `hook '${name}' answered nothing, and only 'allow' means yes` };
    return 'allow';
  }
  const { veto, delayMs } = (answer ?? {}) as { veto?: unknown; delayMs?: unknown };
  if (typeof veto === 'string') return { veto };
  if (typeof delayMs === 'number' && delayMs >= 0) return { delayMs };
  return { veto: `hook '${name}' answered neither 'allow' nor { veto } nor { delayMs }` };
}
