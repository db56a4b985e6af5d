/** How replicas received when the present primary was made, as its change has noted: nobody may be left whose status tells. */
import { Deadline } from '../../common/deadline.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { ReplicationTls } from '../plan/replication-tls.js';
import type { Voter } from '../voters.js';
import { text } from './meta-text.js';

const TIMEOUT_MS = 3_000;
const OPTION = /^(SSL|TLS)_[A-Z]+$/;

/** Asks `primary`; undefined where nothing is noted, or it does not say. Never rejects. */
export async function notedTls(cluster: string, primary: Voter): Promise<ReplicationTls | undefined> {
  const sql =
    'SELECT o.details AS details FROM ha_meta.topology t JOIN ha_meta.operation o ON o.op_id=t.op_id ' +
    `WHERE t.cluster=${text(cluster)}`;
  const deadline = Deadline.of({ timeoutMs: TIMEOUT_MS });
  try {
    const connection = await primary.act.connect(deadline);
    try {
      const [row]: readonly StatusRow[] = await connection.ask(sql, deadline);
      return tlsNotedIn(String(row?.['details'] ?? ''));
    } finally {
      connection.destroy();
    }
  } catch {
    return undefined;
  }
}

/** What the details of a change say of it; undefined when nothing that can be used. Pure. */
export function tlsNotedIn(details: string): ReplicationTls | undefined {
  let noted: unknown;
  try {
    noted = (JSON.parse(details) as { tls?: unknown } | null)?.tls;
  } catch {
    return undefined;
  }
  if (noted === false) return false;
  const { verify, texts } = (noted ?? {}) as { verify?: unknown; texts?: unknown };
  if (typeof texts !== 'object' || texts === null || !['boolean', 'undefined'].includes(typeof verify))
    return undefined;
  const isFit = Object.entries(texts).every(
    ([name, value]) => OPTION.test(name) && typeof value === 'string',
  );
  return isFit ? (noted as ReplicationTls) : undefined;
}
