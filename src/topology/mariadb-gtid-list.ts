/** GTID lists of MariaDB, `domain-server-sequence`: a position is one GTID per domain, and the sequence is what counts. */

/** One GTID. */
export interface MariadbGtid {
  /** The replication domain. */
  readonly domain: string;
  /** The `server_id` of the server that wrote it. */
  readonly server: string;
  /** Its number; numbers of one domain grow, whichever server writes. */
  readonly sequence: bigint;
}

const GTID = /^\s*(\d{1,10})-(\d{1,10})-(\d{1,20})\s*$/;

/** Domains and servers are numbers of 32 bits, sequences of 64. Servers refuse a wait for larger ones. */
const [LARGEST_ID, LARGEST_SEQUENCE] = [2 ** 32 - 1, 2n ** 64n - 1n];

/** Reads a list; undefined when it cannot be read, or when no server could have written it. */
export function mariadbGtids(text: string): readonly MariadbGtid[] | undefined {
  const gtids: MariadbGtid[] = [];
  for (const member of text.split(',')) {
    const match = GTID.exec(member);
    if (match !== null) {
      const [, domain = '', server = ''] = match;
      const sequence = BigInt(match[3] ?? '0');
      const fits =
        Number(domain) <= LARGEST_ID && Number(server) <= LARGEST_ID && sequence <= LARGEST_SEQUENCE;
      if (!fits) return undefined;
      gtids.push({ domain, server, sequence });
    } else if (member.trim() !== '') return undefined;
  }
  return gtids;
}

/** The highest GTID of every domain. */
export function highestPerDomain(gtids: readonly MariadbGtid[]): readonly MariadbGtid[] {
  const highest = new Map<string, MariadbGtid>();
  for (const gtid of gtids) {
    const present = highest.get(gtid.domain);
    if (present === undefined || gtid.sequence > present.sequence) highest.set(gtid.domain, gtid);
  }
  return [...highest.values()];
}

/**
 * Whether it is proven that a server has all of `want`: it stands at the same or a higher sequence of the same server; or at
 * such a sequence of another one, and its `gtid_binlog_state` (`log`) names it. Either alone proves nothing, whatever
 * `MASTER_GTID_WAIT` says: a replica with replicas of its own may write, too, for example by `ANALYZE TABLE`; and a transaction
 * is in the log before anybody sees what it changed. What the server wrote itself (its `server_id` is `own`) is not in the
 * position of a replica: there the log is enough.
 */
export function hasProvenly(
  have: readonly MariadbGtid[],
  log: readonly MariadbGtid[],
  want: readonly MariadbGtid[],
  own?: string,
): boolean {
  const stands = (h: MariadbGtid, w: MariadbGtid): boolean =>
    h.domain === w.domain && h.sequence >= w.sequence;
  const covers = (h: MariadbGtid, w: MariadbGtid): boolean => h.server === w.server && stands(h, w);
  return want.every(
    (w) =>
      have.some((h) => covers(h, w)) ||
      ((w.server === own || have.some((h) => stands(h, w))) && log.some((h) => covers(h, w))),
  );
}

/** Whether a server at `have` has applied all of `want`, by the rule of `MASTER_GTID_WAIT`: the same or a higher sequence. */
export function hasApplied(have: readonly MariadbGtid[], want: readonly MariadbGtid[]): boolean {
  return want.every((w) => have.some((h) => h.domain === w.domain && h.sequence >= w.sequence));
}

/** The list as the server writes it. */
export function mariadbGtidText(gtids: readonly MariadbGtid[]): string {
  return gtids.map(({ domain, server, sequence }) => `${domain}-${server}-${sequence}`).join(',');
}
