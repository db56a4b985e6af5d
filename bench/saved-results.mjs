/** The results that are kept: suites that are measured anew replace their own figures, and no others. */

/**
 * Whether figures that are kept can stand on one page with those of this machine.
 *
 * @param {{ machine: string, node: string } | undefined} saved
 * @param {{ machine: string, node: string }} here
 */
export function isSameMachine(saved, here) {
  return saved !== undefined && saved.machine === here.machine && saved.node === here.node;
}

/**
 * What to keep from now on. A suite that did not come to its end does not replace one that did.
 *
 * @param {object | undefined} saved What was kept before.
 * @param {object} result What was measured now.
 * @param {readonly string[]} names All suites, in the order of the page.
 */
export function merged(saved, result, names) {
  const suites = names.flatMap((name) => {
    const before = saved?.suites.find((suite) => suite.name === name);
    const now = result.suites.find((suite) => suite.name === name);
    const kept = before?.isWhole && !now?.isWhole ? before : (now ?? before);
    return kept === undefined ? [] : [kept];
  });
  const missing = names.filter((name) => !suites.some((suite) => suite.name === name));
  return { ...result, missing, suites };
}
