/** Looks at the nodes or mounts of the session store. */
import { isStormlampError } from '../../common/stormlamp-error.js';
import { preflightSessions, type SessionPreflightCheck } from '../../session/session-preflight.js';
import {
  type AnySessionOptions,
  resolveStoreOptions,
  type StoreOptions,
} from '../../session/store-options.js';
import { type MountReader, mountsHere } from '../mounts/mount-reader.js';
import { lookAtSessions } from '../status/look-at-cluster.js';
import type { SessionPlaceReport } from '../status/status-report.js';
import { type Check, Checks } from './check.js';
import { lookAtServers } from './look-at-gateways.js';
import { troubleOf } from './trouble-of.js';

/** Of a node's memory, so much may be taken before it is told. */
const FULL = 0.9;

/** Checks where sessions are kept; `reader` looks at mounts. */
export async function checkSessions(
  given: AnySessionOptions,
  reader: MountReader = mountsHere,
): Promise<readonly Check[]> {
  const checks = new Checks('sessions');
  const resolved = resolveStoreOptions(given);
  const configured =
    resolved.kind === 'files' ? resolved.options.mounts.length : resolved.options.nodes.length;
  const copies = resolved.kind === 'files' ? configured : resolved.options.copies;
  checks.expect(copies > 1, 'warning', null, 'copies of each session', {
    found: `${copies} on ${configured} ${resolved.kind === 'files' ? 'mounts' : 'nodes'}`,
    expected: 'at least 2, or the death of one machine logs people out',
    fix: oneMoreCopy(resolved, 'phpIni' in given && given.phpIni !== undefined),
  });
  try {
    const { places, same } = await lookAtSessions(given, reader);
    for (const names of same) judgeTwins(checks, resolved.kind, names);
    const isDown = places.some(({ up }) => !up);
    const gateways = (isDown ? await lookAtServers(resolved) : []).filter(({ kind }) => kind === 'gateway');
    for (const place of places)
      if (gateways.some(({ id }) => id === place.node)) judgeGateway(checks, place.node);
      else judgePlace(checks, place);
    if (resolved.kind === 'memcached') {
      const isUp = new Set(places.flatMap(({ node, up }) => (up ? [node] : [])));
      const { checks: found } = await preflightSessions(resolved.options);
      for (const check of found) if (isUp.has(check.node)) judgePreflight(checks, check);
    }
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    checks.bad('failed', null, 'session store', { expected: 'an answer', ...troubleOf(error) });
  }
  return checks.list;
}

/** What makes a second copy, without moving a session where there are nodes enough. */
function oneMoreCopy(resolved: StoreOptions, isByPhpIni: boolean): string {
  if (resolved.kind === 'files') return 'add a mount to `sessions.mounts`';
  const { handler, nodes } = resolved.options;
  if (handler === 'memcached-class')
    return "nothing with this framework's own handler, which knows one copy only: where logins have to outlive a node, let it keep them by PHP's own sessions (Symfony: `handler_id: null`)";
  const setting =
    handler === 'memcache' ? 'memcache.session_redundancy = 2' : 'memcached.sess_number_of_replicas = 1';
  const copies = `set \`${setting}\` in PHP${isByPhpIni ? ', which Node follows unless `sessions.copies` is given' : ', and `copies: 2` in `sessions`'}`;
  return nodes.length > 1
    ? copies
    : `add a node to \`session.save_path\` of PHP${isByPhpIni ? '' : ' and to `sessions.nodes`'} as docs/replication.md says, and ${copies}`;
}

function judgePreflight(checks: Checks, { name, node, result, detail }: SessionPreflightCheck): void {
  if (name === 'versions') {
    checks.bad('failed', node, 'gives its items versions', {
      found: 'none (`cas_enabled no`)',
      expected:
        'versions, by which session locks are given back and writes are compared: without them no session is saved',
      fix: 'start memcached without `-C`',
    });
    return;
  }
  if (result === 'pass') checks.ok(node, 'can be filled from the others', detail);
  else
    checks.bad('warning', node, 'can be filled from the others', {
      found: detail,
      expected:
        'memcached 1.5.19 or newer that lists what it holds, over the text protocol; without that nodes that came back stay warming (`resync-failed`)',
      fix: 'start memcached without `-X`, `-o no_lru_crawler`, SASL (`-S`) and `-B binary`, and keep others away by the network or by TLS with client certificates; or live with it: hints, tombstones and mending on sight work, each session comes back to the node when it is used',
    });
}

/** Copies that are in one place are lost together. */
function judgeTwins(checks: Checks, kind: 'memcached' | 'files', names: readonly string[]): void {
  const all = names.join(' and ');
  if (kind === 'memcached')
    checks.bad('failed', null, 'copies on different nodes', {
      found: `${all} are one and the same server`,
      expected: 'a server for every copy',
      fix: 'name every server once in `sessions.nodes`, and in PHP',
    });
  else
    checks.bad('warning', null, 'mounts on different file systems', {
      found: `${all} are on one file system`,
      expected: 'a disk for every copy, or both are lost, or full, together',
      fix: 'mount another disk or another server, and name it in `sessions.mounts`',
    });
}

/** A gateway keeps nothing of its own, and refuses the keys by which stores watch their nodes. */
function judgeGateway(checks: Checks, node: string): void {
  checks.bad('failed', node, 'is a memcached', {
    found: 'a gateway of stormlamp',
    expected: 'the nodes themselves: Node replicates to them as the gateway does',
    fix: 'name in `sessions.nodes` the nodes behind the gateway (`stats` tells them), with `sessions.copies`, also beside `sessions.phpIni`',
  });
}

/** What makes a mount take writes again. */
const WRITABLE_AGAIN: Readonly<Record<string, string>> = {
  full: 'make room on it, or give its user a higher quota',
  'read-only': 'mount it for writing; look in the log of the kernel for why it is read-only',
  denied: 'let the user of the service write there',
};

/** What makes a mount serve again. */
const THERE_AGAIN: Readonly<Record<string, string>> = {
  missing: 'mount it, or make the folder, or correct `sessions.mounts`',
  unmarked:
    'mount the right one there: a folder below a mount has no mark; where it is new in its set, call `fill` of the store with it',
  hung: 'find out why its server or its disk does not answer; a mount of NFS says it in the log of the kernel',
  failing: 'look in the log of the kernel for what its storage reports; mend that, or mount it anew',
};

/** Judges one node or mount. */
export function judgePlace(
  checks: Checks,
  { node, up, standing, version, memory, error }: SessionPlaceReport,
): void {
  if (!up) {
    const [found = '', ...remedy] = (error ?? standing).split('; ');
    const [, why = ''] = standing.split(': ');
    const fix =
      remedy.join('; ') || THERE_AGAIN[why] || `start memcached on ${node}, or correct \`sessions.nodes\``;
    checks.bad('failed', node, 'answers', { found, expected: 'an answer', fix });
    return;
  }
  checks.ok(node, 'answers', version === null ? standing : `memcached ${version}`);
  if (standing === 'warming') {
    checks.bad('warning', node, 'is filled', {
      found: 'nobody filled it since it started',
      expected: 'to hold what the others hold',
      fix: 'let one service with stormlamp run: it fills the node from the others (not a node with SASL, which gets a session back when that is changed)',
    });
  } else if (standing === 'filling') {
    checks.bad('warning', node, 'is filled', {
      found: 'its filling is not done',
      expected: 'to hold what the others hold',
      fix: 'call `fill` of the store with it: it goes on where it was broken off',
    });
  } else if (standing.startsWith('impaired')) {
    const [, why = ''] = standing.split(': ');
    checks.bad('failed', node, 'takes writes', {
      found: `${why}${error === null ? '' : `: ${error}`}`,
      expected: 'to take a copy of every session',
      fix: WRITABLE_AGAIN[why] ?? 'mend what it says',
    });
  } else if (standing !== 'filled' && standing !== 'healthy') {
    checks.bad('warning', node, 'holds every write', {
      found: `${standing}${error === null ? '' : `: ${error}`}`,
      expected: 'to have missed none',
      fix: 'let one service with stormlamp run: it mends what the node missed',
    });
  }
  if (memory !== null && memory.limitBytes > 0) {
    const share = memory.bytes / memory.limitBytes;
    checks.expect(share < FULL, 'warning', node, 'memory', {
      found: `${Math.round(share * 100)} % used`,
      expected: `less than ${FULL * 100} %: a full node throws sessions out before their time`,
      fix: `give it more memory (\`-m\`), or shorten the lifetime of sessions`,
    });
    checks.expect(memory.evictions === 0, 'warning', node, 'evictions', {
      found: `${memory.evictions} items thrown out before their time since it was started`,
      expected: 'none: each may have been a session, and its user logged out',
      fix: `give it more memory (\`-m\`), and keep caches out of it; restarting it, while the other nodes are filled, begins the count anew`,
    });
  }
}
