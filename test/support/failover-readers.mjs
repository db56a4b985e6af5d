/**
 * The readers of one application process. Each notes what it was shown, of which server, and when; `read-verdict.ts` compares that
 * with what was written.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** So many rows of the newest are looked at. */
const NEWEST = 'SELECT id, @@port AS port FROM ledger ORDER BY at DESC LIMIT 10';
const OWN = 'SELECT COUNT(*) AS shown, @@port AS port FROM ledger WHERE id = ?';
/** A node that is locked or cut off holds nobody up for longer. */
const LIMIT_MS = 5_000;

/**
 * Loops of an application process `me` until it stops: `own` of them write in a scope and read what they wrote there, `unscoped` of
 * them the same without one, and `newest` of them read the newest rows, outside of any. `write` resolves with how many rows it wrote, 0
 * when it was not acknowledged.
 */
export function startReaders({ me, mysql, counts, write, gate, clock, note, pauseMs }) {
  async function loop(reader, read) {
    for (let number = 0; !gate.stopping; number += 1) {
      await gate.passed();
      const began = clock();
      gate.underWay += 1;
      try {
        await read(`${reader}.${number}`);
      } catch (error) {
        note(`e ${reader}.${number} ${began} ${clock()} ${error.code ?? error.message}`);
        // Who is refused does not hammer.
        await sleep(50);
      }
      gate.underWay -= 1;
      await sleep(Math.max(20, pauseMs));
    }
  }

  async function writeAndRead(id) {
    const wanted = await write(id);
    if (wanted === 0) return;
    const began = clock();
    const [[row]] = await mysql.query({ sql: OWN, timeoutMs: LIMIT_MS }, [id]);
    note(`o ${id} ${began} ${clock()} ${row.port} ${row.shown} ${wanted}`);
  }

  async function readNewest(id) {
    const began = clock();
    const [rows] = await mysql.query({ sql: NEWEST, timeoutMs: LIMIT_MS });
    note(`n ${id} ${began} ${clock()} ${rows[0]?.port ?? 0} ${rows.map((row) => row.id).join(',')}`);
  }

  const loops = {
    own: (id) => mysql.run({}, () => writeAndRead(id)),
    unscoped: writeAndRead,
    newest: readNewest,
  };
  return Object.entries(loops).flatMap(([kind, read]) =>
    Array.from({ length: counts[kind] ?? 0 }, (_, index) => loop(`${me}.${kind}${index}`, read)),
  );
}
