/** Whether two servers took acknowledged writes while both could be written to; pure. */

/** A time in which a server took writes, from the first look that found it so to the last, milliseconds since 1970. */
export interface WritableTime {
  readonly from: number;
  readonly to: number;
  /** The server's own port then. */
  readonly port: number;
}

/** A row that a server took itself. */
export interface TakenRow {
  readonly id: string;
  readonly at: number;
  /** The port of the server that took it. */
  readonly port: number;
}

/** Two servers that could both be written to. */
export interface BothWritable {
  readonly nodes: readonly [string, string];
  readonly from: number;
  readonly to: number;
  readonly ports: readonly [number, number];
}

/** The times in which two servers could both be written to. */
export function bothWritable(
  times: Readonly<Record<string, readonly WritableTime[]>>,
): readonly BothWritable[] {
  const all = Object.entries(times).flatMap(([node, own]) => own.map((time) => ({ node, ...time })));
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => other.node !== one.node)
      .map(
        (other): BothWritable => ({
          nodes: [one.node, other.node],
          from: Math.max(one.from, other.from),
          to: Math.min(one.to, other.to),
          ports: [one.port, other.port],
        }),
      )
      .filter(({ from, to }) => from < to),
  );
}

/** What was wrong, as sentences: of each time in which both could be written to, the rows that each of them took in it. */
export function twoPrimaries(
  times: readonly BothWritable[],
  rows: readonly TakenRow[],
  acknowledged: ReadonlySet<string>,
): readonly string[] {
  return times.flatMap(({ nodes, from, to, ports }) => {
    const [mine, theirs] = ports.map((port) =>
      rows.filter((row) => row.port === port && row.at >= from && row.at <= to && acknowledged.has(row.id)),
    );
    if (mine === undefined || theirs === undefined || mine.length === 0 || theirs.length === 0) return [];
    const [one, other] = nodes;
    return [
      `two primaries: from ${Math.round(from)} on, for ${Math.round(to - from)} ms, ${one} took ${mine.length} acknowledged ` +
        `writes (${mine[0]?.id}) and ${other} ${theirs.length} (${theirs[0]?.id})`,
    ];
  });
}
