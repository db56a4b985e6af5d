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

/** One line of a table: the medians of a row, and how far half of the rounds lay apart; with `waits` how the process was held up, too. */
export function summary({ peer, work, atOnce, rounds }, { waits = false } = {}) {
  const of = (field) => rounds.map((one) => one[field]);
  return {
    work,
    atOnce,
    peer,
    cpuUs: round(median(of('cpuUs'))),
    cpuSpread: spread(of('cpuUs')),
    ...(waits ? { waitUs: round(median(of('waitUs'))), taken: round(median(of('taken')), 2) } : {}),
    perSecond: Math.round(median(of('perSecond'))),
    p50Us: Math.round(median(of('p50Us'))),
    p99Us: Math.round(median(of('p99Us'))),
  };
}

/**
 * How `field` of `peer` compares with that of `reference`: the median of the ratios of rounds that ran one beside the
 * other, which a slow moment of the machine changes less than the ratio of medians. With `base`, what each adds to it is
 * compared. `referenceWork` compares with another work, `scale` times as large.
 */
export function ratio(rows, goal) {
  const ratios = ratiosOf(rows, goal);
  return ratios.length === 0 ? undefined : median(ratios);
}

function ratiosOf(rows, goal) {
  const { work, atOnce, peer, reference, field, base, referenceWork = work, scale = 1 } = goal;
  const byNumber = (name, of) => {
    const row = rows.find((one) => one.peer === name && one.work === of && one.atOnce === atOnce);
    return new Map(row?.rounds.map((one) => [one.number, one[field]]));
  };
  const bases = base === undefined ? undefined : byNumber(base, work);
  const others = byNumber(reference, referenceWork);
  return [...byNumber(peer, work)].flatMap(([number, value]) => {
    const less = bases === undefined ? 0 : (bases.get(number) ?? Number.NaN);
    const found = (value - less) / ((others.get(number) ?? Number.NaN) - less) / scale;
    return Number.isFinite(found) ? [found] : [];
  });
}

/**
 * A goal's outcome. `most` or `least` says which ratio is wanted, or, without a `reference`, which figure, of which a
 * call counts `each` times. Beside a goal of throughput stands what CPU alone would allow, which a busy machine changes
 * less.
 *
 * @param {readonly unknown[]} rows
 * @param {{ text: string, work: string, atOnce: number, peer?: string, reference?: string, base?: string, referenceWork?: string, scale?: number, each?: number, field: 'cpuUs' | 'perSecond' | 'p99Us', most?: number, least?: number }} goal
 */
export function judge(rows, goal) {
  const full = { peer: 'stormlamp', each: 1, ...goal };
  const byCpu =
    full.field !== 'perSecond'
      ? undefined
      : full.reference === undefined
        ? figure(rows, full, (one) => 1e6 / one.cpuUs)
        : invert(ratio(rows, { ...full, field: 'cpuUs' }));
  if (full.reference === undefined)
    return outcome(
      goal,
      figure(rows, full, (one) => one[full.field]),
      byCpu,
    );
  return { ...outcome(goal, ratio(rows, full), byCpu), spread: spread(ratiosOf(rows, full), 2) };
}

/**
 * A line of the table of goals.
 *
 * @param {{ text: string, most?: number, least?: number }} goal
 * @param {number | undefined} found What was measured.
 * @param {number} [byCpu] What CPU alone would allow.
 */
export function outcome({ text, most, least }, found, byCpu) {
  return {
    goal: text,
    wanted: most === undefined ? `≥ ${grouped(least)}` : `≤ ${grouped(most)}`,
    measured: found === undefined ? 'not measured' : grouped(found),
    byCpu: byCpu === undefined ? null : grouped(byCpu),
    reached: found === undefined ? null : most === undefined ? found >= least : found <= most,
  };
}

/** In which range the middle half of `numbers` lies. */
export function spread(numbers, digits = 1) {
  if (numbers.length === 0) return null;
  return `${round(quantile(numbers, 0.25), digits)}–${round(quantile(numbers, 0.75), digits)}`;
}

function figure(rows, { peer, work, atOnce, each }, of) {
  const row = rows.find((one) => one.peer === peer && one.work === work && one.atOnce === atOnce);
  return row === undefined ? undefined : median(row.rounds.map(of)) * each;
}

const invert = (number) => (number === undefined ? undefined : 1 / number);

/** Two digits behind the point of a ratio, none of a large figure. */
function grouped(number) {
  return number < 1000
    ? String(round(number, 2))
    : Math.round(number).toLocaleString('en').replaceAll(',', ' ');
}

/** Fewer digits. */
export function round(number, digits = 1) {
  return Number(number.toFixed(digits));
}
