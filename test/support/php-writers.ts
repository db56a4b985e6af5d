/** PHP processes that write sessions of their own as fast as they can, through a fault, and know what they were told was stored. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalCluster, PhpIni } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';

/** What became of the sessions. */
export interface WriterReport {
  /** Writes that PHP was told had been done. */
  readonly saved: number;
  /** Times that PHP was refused: no session, or a write that failed. */
  readonly refused: number;
  /** Sessions of whose writes at least one was acknowledged. */
  readonly sessions: number;
  /** What was acknowledged and is older or gone, as sentences. */
  readonly lost: readonly string[];
}

/** Every session has one writer, so the newest that it was told is stored is the newest there is. */
const WRITER = `<?php
[, $me, $folder, $count] = $argv;
$acknowledged = [];
$writes = 0;
$say = fn (string ...$words) => fwrite(STDOUT, implode(' ', $words) . "\\n");
for ($turn = 0; !file_exists("$folder/stop"); $turn++) {
  clearstatcache();
  $id = sprintf('%ss%05d', $me, $turn % (int) $count);
  session_id($id);
  if (!@session_start()) { $say('refused'); usleep(20000); continue; }
  $before = $acknowledged[$id] ?? 0;
  $seen = $_SESSION['n'] ?? 0;
  if ($seen < $before) $say('lost', "$id: $before was acknowledged, $seen was read");
  $_SESSION['n'] = max($seen, $before) + 1;
  // It returns true whatever happens; only a warning tells.
  error_clear_last();
  if (@session_write_close() && error_get_last() === null) { $acknowledged[$id] = $_SESSION['n']; $say('saved', $id, $_SESSION['n']); if (++$writes === 2 * (int) $count) touch("$folder/$me"); } else $say('refused');
  $_SESSION = [];
}
$say('end');
`;
const READER = `<?php foreach (explode(' ', stream_get_contents(STDIN)) as $id) {
  session_id($id);
  // A busy machine refuses a lock now and then; that says nothing of what is stored.
  for ($try = 0; !($open = @session_start(['read_and_close' => true])) && $try < 20; $try++) usleep(100000);
  echo $id, ' ', $open ? ($_SESSION['n'] ?? 0) : 'refused', "\\n"; $_SESSION = [];
}`;

/** How long PHP writes on after what happened. */
const AFTER_MS = 1_000;
let runs = 0;

/**
 * Runs writers, and when all of them have written all of their sessions lets `during` happen; PHP writes on for a moment after it,
 * and reads everything back in the end.
 *
 * @param iniOf the settings of a writer, by its number; of the reader too
 */
export async function writeThrough(
  servers: LocalCluster,
  iniOf: (index: number) => PhpIni,
  size: { readonly writers: number; readonly sessions: number },
  during: () => Promise<void>,
  settled: () => Promise<void> = async () => undefined,
): Promise<WriterReport> {
  runs += 1;
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-writers-'));
  const names = Array.from({ length: size.writers }, (_, index) => `writer${runs}x${index}`);
  const workers = Promise.all(
    names.map(async (me, index) => {
      const { stdout, stderr, exitCode } = await servers.php(WRITER, {
        args: [me, folder, String(size.sessions)],
        ini: iniOf(index),
        timeoutMs: 600_000,
      });
      if (!stdout.endsWith('end\n'))
        throw new Error(`the PHP writer ${me} ended with ${exitCode}: ${stderr}`);
      return stdout.trim().split('\n');
    }),
  );
  let lines: string[][];
  try {
    await Promise.race([
      workers,
      eventually('all writers write', () => names.every((me) => existsSync(join(folder, me))), 120_000),
    ]);
    await during();
    await sleep(AFTER_MS);
  } finally {
    writeFileSync(join(folder, 'stop'), '');
    lines = await workers;
    rmSync(folder, { recursive: true, force: true });
  }
  await settled();
  const acknowledged = new Map<string, number>();
  const lost: string[] = [];
  let [saved, refused] = [0, 0];
  for (const line of lines.flat()) {
    const [what, id = '', value] = line.split(' ');
    if (what === 'refused') refused += 1;
    if (what === 'lost') lost.push(line.slice('lost '.length));
    if (what !== 'saved') continue;
    saved += 1;
    acknowledged.set(id, Number(value));
  }
  const stored = await readBack(servers, iniOf, [...acknowledged.keys()]);
  for (const [id, value] of acknowledged) {
    const found = stored.get(id) ?? 'nothing';
    if (!(Number(found) >= value))
      lost.push(`${id}: ${value} was acknowledged, at the end ${found} is stored`);
  }
  return { saved, refused, sessions: acknowledged.size, lost };
}

async function readBack(
  servers: LocalCluster,
  iniOf: (index: number) => PhpIni,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await servers.php(READER, { stdin: ids.join(' '), ini: iniOf(0), timeoutMs: 300_000 });
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
}
