/** Ends, or stops, the process at one point of a plan: as when the power goes, nothing is told and nothing is closed. */

/** Does so when `manager` is at the step `step`: when it begins, when a statement of it is on its way, or when it has ended. */
export function endAt(manager, { step: wanted, phase: when, kind, signal = 'SIGKILL' }) {
  let plan;
  let isOver = false;
  /** The nodes on which the step is under way; null for one that is about all. */
  const underWay = new Set();
  const end = () => {
    if (isOver) return;
    isOver = true;
    process.kill(process.pid, signal);
  };
  manager.on('change-started', (change) => {
    plan = change.plan;
    underWay.clear();
  });
  manager.on('change-step', ({ step, phase }) => {
    if (step.id.split('@')[0] !== wanted || (kind !== undefined && plan?.kind !== kind)) return;
    if (phase === 'started') underWay.add(step.node);
    else underWay.delete(step.node);
    if (phase === when) end();
  });
  manager.on('statement', ({ node, outcome }) => {
    if (when !== 'sent' || outcome !== undefined || !(underWay.has(node) || underWay.has(null))) return;
    // It is written to the socket by then, and the server goes on with it.
    setImmediate(end);
  });
}
