/** The hooks of an application process, which answer what the test has said, and tell when they are called. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A hook for each of `answers`: a list is answered one after the other, its last entry from then on; `'hang'` is never answered,
 * `'throw'` is thrown, `{ afterMs, answer }` is answered late, and anything else is the answer.
 */
export function answeringHooks(answers, tell) {
  return Object.fromEntries(
    Object.entries(answers).map(([hook, said]) => {
      const left = Array.isArray(said) ? [...said] : [said];
      return [
        hook,
        async ({ opId, plan, from, to, epoch, outageMs, attempt }) => {
          const answer = left.length > 1 ? left.shift() : left[0];
          const about = { kind: plan?.kind, from: from ?? plan?.from, to: to ?? plan?.to, attempt };
          const steps = plan?.steps.length;
          tell({ hook, opId: opId ?? plan?.opId, ...about, epoch: epoch ?? plan?.epoch, outageMs, steps });
          if (answer === 'throw') throw new Error('the hook is broken');
          if (answer === 'hang') return await new Promise(() => undefined);
          if (answer?.afterMs === undefined) return answer;
          await sleep(answer.afterMs);
          return answer.answer;
        },
      ];
    }),
  );
}
