/** PHP and Node workers that change the same few sessions as fast as they can, and keep count of what they were told was saved. */
import { describeError, isStormlampError } from '../../src/common/stormlamp-error.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import type { SessionStore } from '../../src/session/session-store.js';
import type { LocalCluster } from '../../src/testing/index.js';

/** How hard is hammered. */
export interface HammerSize {
  /** PHP processes. */
  readonly php: number;
  /** Workers in Node, each with a store and connections of its own. */
  readonly node: number;
  /** How many sessions they share. */
  readonly sessions: number;
  /** For how long. */
  readonly durationMs: number;
}

/** What came of it. */
export interface HammerReport {
  /** Increments that PHP was told had been saved. */
  readonly phpSaved: number;
  /** Times that a PHP process died by a signal and was started again. */
  readonly phpCrashed: number;
  /** The longest time that `session_start()` of PHP took. */
  readonly phpLongestStartMs: number;
  /** Times that PHP was given an empty session for one that is there, and was told that what it wrote then was stored. */
  readonly phpUnstored: number;
  /** Times that PHP's `session_start()` or `session_write_close()` gave up. */
  readonly phpRefused: number;
  /** Increments that Node was told had been saved. */
  readonly nodeSaved: number;
  /** Saves of Node that ended with an error, by its code. */
  readonly nodeRefused: Readonly<Record<string, number>>;
  /** Events of Node's stores that tell of trouble, by name. */
  readonly nodeTrouble: Readonly<Record<string, number>>;
  /** What was acknowledged and is not there, as sentences. */
  readonly lost: readonly string[];
}

interface Tally {
  saved: number;
  refused: number;
  unstored: number;
  /** By session and variable: the last value whose save was acknowledged. */
  readonly acknowledged: Map<string, number>;
  readonly lost: string[];
  longest: number;
  crashed: number;
}

function newTally(): Tally {
  return { saved: 0, refused: 0, unstored: 0, longest: 0, crashed: 0, acknowledged: new Map(), lost: [] };
}

type Handler = 'memcached' | 'memcache';

/** The end of a sentence about what was lost: PHP was shown an empty session. */
export const EMPTIED = ', in a session that was empty';
/** Every worker has one variable in each session and is the only one to change it, so nobody else can explain a step back. */
const PHP_WORKER = `<?php const EMPTIED = '${EMPTIED}';
[, $me, $until, $ids] = $argv;
$ids = explode(' ', $ids);
$acknowledged = [];
$longest = 0;
$say = fn (string ...$words) => fwrite(STDOUT, implode(' ', $words) . "\n");
while (microtime(true) < (float) $until) {
  $id = $ids[random_int(0, count($ids) - 1)];
  session_id($id);
  $begin = microtime(true);
  $open = @session_start();
  $longest = max($longest, microtime(true) - $begin);
  if (!$open) { $say('refused'); continue; }
  $before = $acknowledged[$id] ?? 0;
  $seen = $_SESSION[$me] ?? 0;
  $empty = !isset($_SESSION['start']);
  if ($seen < $before) $say('lost', "$me: $before was acknowledged, $seen was read" . ($empty ? EMPTIED : ''));
  $_SESSION[$me] = $seen + 1;
  // It returns true whatever happens; only a warning tells.
  error_clear_last();
  if (!@session_write_close() || error_get_last() !== null) $say('refused');
  elseif ($empty) $say('unstored');
  else { $acknowledged[$id] = $seen + 1; $say('saved', $id, $seen + 1); }
  $_SESSION = [];
}
$say('longest', round($longest * 1000));
$say('end');
`;

/** Runs the workers and compares, at the end, every acknowledged increment with what is stored. */
export async function hammerSessions(
  servers: LocalCluster,
  handler: Handler,
  size: HammerSize,
  options: Partial<SessionOptions> = {},
  around: {
    /** The stores of the workers in Node, of which the first one makes and compares the sessions; default: new ones. */
    readonly stores?: readonly SessionStore[];
    /** Where PHP process `index` finds its sessions, when it is not on the nodes themselves. */
    readonly phpPath?: (index: number) => string;
    /** PHP's `memcache.lock_timeout` in seconds, which Node follows. Default 60: PHP's own is too short for a slow machine. */
    readonly lockTimeout?: number;
    /** Happens once meanwhile. */
    readonly during?: () => Promise<void>;
    /** Resolves when what is stored may be compared. */
    readonly settled?: () => Promise<void>;
  } = {},
): Promise<HammerReport> {
  const { lockTimeout = 60 } = around;
  // Past the proxies: they live in this process, and all that PHP and Node say would have to go through one event loop.
  const nodes = servers.memcached.map(({ host, realPort }) => `${host}:${realPort}`);
  const ids = Array.from({ length: size.sessions }, (_, index) => `hammer${handler}${Date.now()}x${index}`);
  // One after the other: as many connections at once as there are workers are not what is tried here.
  const stores: SessionStore[] = [...(around.stores ?? [])];
  for (let index = stores.length; index < Math.max(1, size.node); index += 1)
    stores.push(
      await createSessionStore({
        nodes,
        handler,
        operationTimeoutMs: 5_000,
        ...(handler === 'memcache' ? { lockExpireMs: 1000 * lockTimeout } : {}),
        ...options,
      }),
    );
  try {
    const refusals: Record<string, number> = {};
    const trouble: Record<string, number> = {};
    for (const store of stores) {
      for (const event of [
        'lock-lost',
        'lock-broken',
        'copy-missed',
        'conflict-decided',
        'breaker-changed',
      ] as const) {
        store.on(event, () => count(trouble, event));
      }
    }
    const [first] = stores;
    if (first === undefined) throw new Error('a hammer needs a worker in Node');
    for (const id of ids) await first.writeRaw(id, Buffer.from('start|i:1;'));
    const until = Date.now() + size.durationMs;
    const happening = around.during?.();
    const tallies = await Promise.all([
      ...Array.from({ length: size.php }, (_, index) =>
        phpWorker(
          servers,
          around.phpPath?.(index) ?? savePath(nodes, handler),
          handler,
          `php${index}`,
          until,
          ids,
          lockTimeout,
        ),
      ),
      ...stores
        .slice(0, size.node)
        .map((store, index) => nodeWorker(store, `node${index}`, until, ids, refusals)),
    ]);
    await happening;
    await around.settled?.();
    const lost = tallies.flatMap((tally) => tally.lost);
    for (const id of ids) {
      const { data } = await first.load(id);
      if (data['start'] !== 1) lost.push(`${id}: the variable of the beginning is gone`);
      for (const { acknowledged } of tallies) {
        for (const [place, value] of acknowledged) {
          const [session, variable = ''] = place.split(' ');
          const stored = Number(data[variable] ?? 0);
          if (session === id && stored < value)
            lost.push(`${variable}: ${value} was acknowledged, ${stored} is stored`);
        }
      }
    }
    const sum = (which: readonly Tally[], what: 'saved' | 'refused' | 'unstored' | 'crashed'): number =>
      which.reduce((total, tally) => total + tally[what], 0);
    const [php, node] = [tallies.slice(0, size.php), tallies.slice(size.php)];
    return {
      phpSaved: sum(php, 'saved'),
      phpUnstored: sum(php, 'unstored'),
      phpRefused: sum(php, 'refused'),
      phpCrashed: sum(php, 'crashed'),
      phpLongestStartMs: Math.max(0, ...php.map(({ longest }) => longest)),
      nodeSaved: sum(node, 'saved'),
      nodeRefused: refusals,
      nodeTrouble: trouble,
      lost,
    };
  } finally {
    await Promise.all(stores.slice(around.stores?.length ?? 0).map((store) => store.close()));
  }
}

function savePath(nodes: readonly string[], handler: Handler): string {
  // A node that is silent for longer than pecl-memcache's own second makes it lose writes without a word, also among PHP alone.
  return handler === 'memcached'
    ? nodes.join(',')
    : nodes.map((node) => `tcp://${node}?timeout=60`).join(',');
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

async function phpWorker(
  servers: LocalCluster,
  path: string,
  handler: Handler,
  me: string,
  until: number,
  ids: readonly string[],
  lockTimeout: number,
): Promise<Tally> {
  const tally = newTally();
  for (;;) {
    const { stdout, stderr, exitCode } = await servers.php(PHP_WORKER, {
      args: [me, String(until / 1000), ids.join(' ')],
      ini: {
        'session.save_handler': handler,
        'session.save_path': path,
        'session.use_cookies': false,
        'session.cache_limiter': '',
        // The limit is for one request; this process answers many.
        max_execution_time: 0,
        'memcached.sess_lock_expire': 30,
        // pecl-memcache waits for twice as long, and then writes an empty session over the stored one.
        'memcache.lock_timeout': lockTimeout,
      },
      timeoutMs: Math.max(0, until - Date.now()) + 90_000,
    });
    for (const line of stdout.split('\n')) {
      const [what, place = '', value] = line.split(' ');
      if (what === 'refused') tally.refused += 1;
      if (what === 'unstored') tally.unstored += 1;
      if (what === 'longest') tally.longest = Math.max(tally.longest, Number(place));
      if (what === 'lost') tally.lost.push(line);
      if (what !== 'saved') continue;
      tally.saved += 1;
      tally.acknowledged.set(`${place} ${me}`, Number(value));
    }
    if (stdout.endsWith('end\n')) return tally;
    if (exitCode !== -1) throw new Error(`the PHP worker ${me} failed: ${stderr}`);
    // A crash of PHP itself; what it was told before counts all the same.
    tally.crashed += 1;
  }
}

async function nodeWorker(
  store: SessionStore,
  me: string,
  until: number,
  ids: readonly string[],
  refusals: Record<string, number>,
): Promise<Tally> {
  const tally = newTally();
  while (Date.now() < until) {
    const id = ids[Math.floor(Math.random() * ids.length)] ?? '';
    const before = tally.acknowledged.get(`${id} ${me}`) ?? 0;
    try {
      const session = await store.load(id);
      const seen = Number(session.data[me] ?? 0);
      if (seen < before) tally.lost.push(`${me}: ${before} was acknowledged, ${seen} was read`);
      session.data[me] = seen + 1;
      const { outcome } = await store.save(session);
      if (outcome !== 'saved') throw new Error(`a save ended ${outcome}`);
      tally.acknowledged.set(`${id} ${me}`, seen + 1);
      tally.saved += 1;
    } catch (error) {
      count(refusals, isStormlampError(error) ? error.code : describeError(error));
      tally.refused += 1;
    }
  }
  return tally;
}
