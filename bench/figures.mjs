/** Medians, spreads, and ratios of rounds that ran side by side. */

/** @param {readonly number[]} numbers */
export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** @param {readonly number[]} numbers @param {number} share */
export function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** One line of a table: the medians of a row, and how far half of the rounds lay apart. */
export function summary({ peer, work, atOnce, rounds }) {
  const of = (field) => rounds.map((one) => one[field]);
  return {
    work,
    atOnce,
    peer,
    cpuUs: round(median(of('cpuUs'))),
    cpuSpread: `${round(quantile(of('cpuUs'), 0.25))}–${round(quantile(of('cpuUs'), 0.75))}`,
    perSecond: Math.round(median(of('perSecond'))),
    p50Us: Math.round(median(of('p50Us'))),
    p99Us: Math.round(median(of('p99Us'))),
  };
}

/**
 * How `field` of `peer` compares with that of `reference`: the median of the ratios of rounds that ran one beside the
 * other, which a slow moment of the machine changes less than the ratio of medians.
 */
export function ratio(rows, { work, atOnce, peer, reference, field }) {
  const find = (name) =>
    rows.find((row) => row.peer === name && row.work === work && row.atOnce === atOnce)?.rounds ?? [];
  const others = new Map(find(reference).map((one) => [one.number, one[field]]));
  const ratios = find(peer).flatMap((one) => {
    const other = others.get(one.number);
    return other === undefined ? [] : [one[field] / other];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/**
 * A goal's outcome. `at` says which row, `most` or `least` which ratio is wanted.
 *
 * @param {readonly unknown[]} rows
 * @param {{ text: string, work: string, atOnce: number, peer?: string, reference: string, field: 'cpuUs' | 'perSecond' | 'p99Us', most?: number, least?: number }} goal
 */
export function judge(rows, goal) {
  const found = ratio(rows, { peer: 'stormlamp', ...goal });
  const reached =
    found === undefined ? null : goal.most === undefined ? found >= goal.least : found <= goal.most;
  return {
    goal: goal.text,
    wanted: goal.most === undefined ? `≥ ${goal.least}` : `≤ ${goal.most}`,
    measured: found === undefined ? 'not measured' : round(found, 2),
    reached,
  };
}

/** Fewer digits. */
export function round(number, digits = 1) {
  return Number(number.toFixed(digits));
}
