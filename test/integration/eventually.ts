/** Waiting for a state instead of for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again and again until `question` answers something else than `undefined` or `false`; fails after `deadlineMs`. */
export async function eventually<T>(
  what: string,
  question: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 60_000,
): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() >= until) throw new Error(`It did not come true in ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}
