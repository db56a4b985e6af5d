/** `stormlamp servers`: gets the server programs of local clusters, or tells which ones are there. */
import { invalidOption } from '../common/option-reader.js';
import { RELEASED_SERVERS, resolveServers, SERVER_NAMES } from '../testing/servers/resolve-servers.js';
import type {
  ServerBinaries,
  ServerName,
  ServerRelease,
  ServerReleases,
} from '../testing/servers/server-binaries.js';
import { listServers } from '../testing/servers/server-list.js';
import type { Command, CommandContext } from './command.js';
import { ProgressPrinter } from './progress-printer.js';
import { serverLabel, serverListText } from './server-list-text.js';

const HELP = `Usage: stormlamp servers <install|list> [server ...] [options]

  install    find the servers; what is missing is unpacked from the system's packages into a private cache
             folder, without root and without touching the system
  list       show what is there, and where it came from; installs nothing, and what is not there is no error

Servers: mariadb, mysql, memcached, php, pt-heartbeat, haproxy, arping. install takes mariadb, memcached and php when none is named.
mariadb@newest and memcached@newest are the newest releases that the distribution has, beside the system's own.

  --all      all of these
  --json     one JSON document on standard output
  --help     this text

Examples:
  stormlamp servers install
  stormlamp servers install mysql
  stormlamp servers install mariadb@newest
  stormlamp servers list --json

An explicit path comes first: STORMLAMP_MARIADBD, STORMLAMP_MYSQLD, STORMLAMP_MEMCACHED_BINARY, STORMLAMP_PHP,
STORMLAMP_PT_HEARTBEAT, STORMLAMP_HAPROXY, STORMLAMP_ARPING; then the PATH; then the cache (STORMLAMP_CACHE, or 'stormlamp' in the user's cache folder).
`;

/** Servers that `install` gets when none is named: MySQL is large, and asked for by name. */
const DEFAULT_SERVERS: readonly ServerName[] = ['mariadb', 'memcached', 'php'];

const NEWEST = '@newest';

type ReleasedServer = keyof ServerReleases;

/** The command `servers`. */
export const serversCommand: Command = {
  help: HELP,
  options: { all: { type: 'boolean' } },
  run(context) {
    const [action, ...names] = context.words;
    if (action === 'install') return install(context, wanted(context, names));
    if (action === 'list') {
      if (names.length > 0) throw invalidOption('servers list <argument>', 'left out', names[0]);
      if (context.values['all'] === true)
        throw invalidOption('--all', "left out for 'list', which shows all of them", true);
      return list(context);
    }
    throw invalidOption('servers <action>', "'install' or 'list'", action);
  },
};

/** What is installed: servers of the system's release, and newest ones. */
interface Wanted {
  readonly system: readonly ServerName[];
  readonly newest: readonly ReleasedServer[];
}

function wanted(context: CommandContext, words: readonly string[]): Wanted {
  if (context.values['all'] === true) return { system: SERVER_NAMES, newest: RELEASED_SERVERS };
  if (words.length === 0) return { system: DEFAULT_SERVERS, newest: [] };
  const known = [...SERVER_NAMES, ...RELEASED_SERVERS.map((name) => `${name}${NEWEST}`)];
  for (const word of words) {
    if (!known.includes(word)) {
      throw invalidOption('servers install <server>', `one of ${known.join(', ')}`, word);
    }
  }
  return {
    system: SERVER_NAMES.filter((name) => words.includes(name)),
    newest: RELEASED_SERVERS.filter((name) => words.includes(`${name}${NEWEST}`)),
  };
}

async function install(context: CommandContext, { system, newest }: Wanted): Promise<number> {
  const printer = new ProgressPrinter(context.interactive);
  const get = (names: readonly ServerName[], versions: ServerReleases): Promise<ServerBinaries> =>
    resolveServers(names, {
      versions,
      signal: context.signal,
      onProgress: ({ phase, message }) => printer.show({ phase, message }),
    });
  const rows: InstalledRow[] = [];
  try {
    rows.push(...describeServers(await get(system, {}), 'system'));
    const releases = Object.fromEntries(newest.map((name) => [name, 'newest'] as const));
    rows.push(...describeServers(await get(newest, releases), 'newest'));
  } finally {
    printer.end();
  }
  for (const { name, release, version, origin } of rows)
    context.say(`${label(name, release)} ${version.padEnd(12)} from ${origin}`);
  context.result({ ok: true, servers: rows });
  return 0;
}

/** One server that is there now. */
interface InstalledRow {
  readonly name: string;
  readonly release: ServerRelease;
  readonly version: string;
  readonly origin: string;
}

function describeServers(servers: ServerBinaries, release: ServerRelease): InstalledRow[] {
  const programs = {
    mariadb: servers.mariadb?.server,
    mysql: servers.mysql?.server,
    memcached: servers.memcached,
    php: servers.php?.cli,
    'pt-heartbeat': servers['pt-heartbeat'],
    haproxy: servers.haproxy,
    arping: servers.arping,
  };
  return Object.entries(programs).flatMap(([name, program]) =>
    program === undefined ? [] : [{ name, release, version: program.version, origin: program.origin }],
  );
}

async function list(context: CommandContext): Promise<number> {
  const found = await listServers({ signal: context.signal });
  for (const line of serverListText(found, context.width)) context.say(line);
  context.result({
    ok: true,
    cacheDir: found.cacheDir,
    servers: found.servers,
  });
  return 0;
}

function label(name: string, release: ServerRelease): string {
  return serverLabel(name, release).padEnd(16);
}
