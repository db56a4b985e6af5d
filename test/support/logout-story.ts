/** Users who log out while others read their sessions as fast as they can: nobody may be logged in again. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, isStormlampError } from '../../src/common/stormlamp-error.js';
import { eventually } from '../integration/eventually.js';
import type { GatewayRoom } from './gateway-room.js';

/** What came of it. */
export interface LogoutReport {
  /** Logouts that PHP or Node was told had been done. */
  readonly loggedOut: number;
  /** Times that a reader looked. */
  readonly looks: number;
  /** The fewest users that any of the readers saw logged in at least once. */
  readonly seen: number;
  /** Who was seen logged in after the logout had been acknowledged, as sentences. */
  readonly back: readonly string[];
}

const LOGIN = `<?php foreach (explode(' ', stream_get_contents(STDIN)) as $id) { session_id($id); session_start(); $_SESSION['user'] = $id; session_write_close(); $_SESSION = []; }`;
const LOGOUT = `<?php foreach (explode(' ', stream_get_contents(STDIN)) as $id) {
  for ($i = 0; $i < 20; $i++) { session_id($id); if (@session_start()) break; }
  if (@session_destroy()) printf("%s %.4f\\n", $id, microtime(true)); $_SESSION = [];
}`;
/** Tells of each session when it was looked at last and seen. */
const READER = `<?php set_error_handler(fn ($n, $text) => str_starts_with($text, 'session_start') ?: throw new Error($text));
[, $folder, $me, $address, $locking] = $argv; [$host, $port] = explode(':', $address);
$m = new Memcached(); $m->addServer($host, $port); $m->setOption(Memcached::OPT_PREFIX_KEY, 'memc.sess.key.');
$ids = explode(' ', stream_get_contents(STDIN)); $last = []; $looks = 0;
while (!file_exists("$folder/stop")) { clearstatcache(); foreach ($ids as $id) {
  $at = microtime(true); session_id($id); $looks++;
  // One reader opens sessions as a page does; the others only look, as fast as they can.
  $seen = $locking ? @session_start(['read_and_close' => true]) && isset($_SESSION['user']) : (string) $m->get($id) !== '';
  if ($seen) $last[$id] = $at; $_SESSION = [];
} touch("$folder/$me"); }
foreach ($last as $id => $at) printf("%s %.4f\\n", $id, $at); echo "looks $looks\\n";`;

let runs = 0;

/**
 * Logs `users` in, then out: half of them by PHP through the last gateway, half by the first gateway's store in Node.
 *
 * @param during logs out, with whatever else happens meanwhile; told the ids
 */
export async function logOutWhileRead(
  room: GatewayRoom,
  users: number,
  during: (logOut: () => Promise<void>, ids: readonly string[]) => Promise<void>,
): Promise<LogoutReport> {
  runs += 1;
  const { servers, gateways } = room;
  const ids = Array.from({ length: users }, (_, index) => `user${runs}x${String(index).padStart(5, '0')}`);
  await servers.php(LOGIN, { stdin: ids.join(' '), ini: room.ini(0), timeoutMs: 300_000 });
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-logout-'));
  const names = ['r0', 'r1', 'r2'];
  const readers = Promise.all(
    names.map((me, index) =>
      servers.php(READER, {
        args: [
          folder,
          me,
          gateways[index % gateways.length]?.gateway.address ?? '',
          index === 0 ? 'yes' : '',
        ],
        stdin: ids.join(' '),
        ini: room.ini(index),
        timeoutMs: 600_000,
      }),
    ),
  );
  const acknowledged = new Map<string, number>();
  const logOut = async (): Promise<void> => {
    const half = Math.floor(users / 2);
    const [php] = await Promise.all([
      servers.php(LOGOUT, {
        stdin: ids.slice(0, half).join(' '),
        ini: room.ini(gateways.length - 1),
        timeoutMs: 300_000,
      }),
      (async () => {
        for (const id of ids.slice(half)) {
          // A busy machine refuses one now and then, while its other node is cut off; the user tries again.
          await eventually(`${id} is logged out`, async () => {
            try {
              await gateways[0]?.store.destroy(id);
              return true;
            } catch (error) {
              if (isStormlampError(error, ErrorCode.STORE_DOWN)) return false;
              throw error;
            }
          });
          acknowledged.set(id, Date.now() / 1000);
        }
      })(),
    ]);
    for (const [id, at] of pairs(php.stdout)) acknowledged.set(id, at);
  };
  try {
    await eventually(
      'all readers have read',
      () => names.every((me) => existsSync(join(folder, me))),
      120_000,
    );
    await during(logOut, ids);
    await room.settled();
    // Whatever would bring a session back has had its time.
    await sleep(2_500);
  } finally {
    writeFileSync(join(folder, 'stop'), '');
    await readers;
    rmSync(folder, { recursive: true, force: true });
  }
  const back: string[] = [];
  let looks = 0;
  let seen = users;
  for (const { stdout } of await readers) {
    const lines = pairs(stdout);
    seen = Math.min(seen, lines.filter(([id]) => id !== 'looks').length);
    for (const [id, at] of lines) {
      const out = acknowledged.get(id);
      if (id === 'looks') looks += at;
      else if (out !== undefined && at > out)
        back.push(`${id}: logged out at ${out}, seen by a look at ${at}`);
    }
  }
  for (const [id] of acknowledged) {
    for (const { store } of gateways) {
      if ((await store.load(id)).exists) back.push(`${id}: logged out, and there at the end`);
    }
  }
  return { loggedOut: acknowledged.size, looks, seen, back };
}

function pairs(text: string): [string, number][] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))
    .map(([id = '', at = '0']) => [id, Number(at)]);
}
