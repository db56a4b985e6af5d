/** `stormlamp servers`: gets the server programs of local clusters, or tells which ones are there. */
import { invalidOption } from '../common/option-reader.js';
import { resolveServers, SERVER_NAMES } from '../testing/servers/resolve-servers.js';
import type { ServerBinaries, ServerName } from '../testing/servers/server-binaries.js';
import { listServers } from '../testing/servers/server-list.js';
import type { Command, CommandContext } from './command.js';
import { ProgressPrinter } from './progress-printer.js';

const HELP = `Usage: stormlamp servers <install|list> [server ...] [options]

  install    find the servers; what is missing is unpacked from the system's packages into a private cache
             folder, without root and without touching the system
  list       show what is there, and where it came from; installs nothing

Servers: mariadb, mysql, memcached, php. install takes mariadb, memcached and php when none is named.

  --all      every server, MySQL included
  --json     one JSON document on standard output
  --help     this text

Examples:
  stormlamp servers install
  stormlamp servers install mysql
  stormlamp servers list --json

An explicit path comes first: STORMLAMP_MARIADBD, STORMLAMP_MYSQLD, STORMLAMP_MEMCACHED, STORMLAMP_PHP; then the
PATH; then the cache (STORMLAMP_CACHE, or 'stormlamp' in the user's cache folder).
`;

/** Servers that `install` gets when none is named: MySQL is large, and asked for by name. */
const DEFAULT_SERVERS: readonly ServerName[] = ['mariadb', 'memcached', 'php'];

/** The command `servers`. */
export const serversCommand: Command = {
  name: 'servers',
  summary: 'get the server programs of local clusters, or list them',
  help: HELP,
  options: { all: { type: 'boolean' } },
  run(context) {
    const [action, ...names] = context.words;
    if (action === 'install') return install(context, wanted(context, names));
    if (action === 'list') return list(context);
    throw invalidOption('servers <action>', "'install' or 'list'", action);
  },
};

function wanted(context: CommandContext, names: readonly string[]): readonly ServerName[] {
  if (context.values['all'] === true) return SERVER_NAMES;
  for (const name of names) {
    if (!(SERVER_NAMES as readonly string[]).includes(name)) {
      throw invalidOption('servers install <server>', `one of ${SERVER_NAMES.join(', ')}`, name);
    }
  }
  return names.length === 0 ? DEFAULT_SERVERS : (names as readonly ServerName[]);
}

async function install(context: CommandContext, names: readonly ServerName[]): Promise<number> {
  const printer = new ProgressPrinter(context.interactive);
  let servers: ServerBinaries;
  try {
    servers = await resolveServers(names, {
      signal: context.signal,
      onProgress: ({ phase, message }) => printer.show({ phase, message }),
    });
  } finally {
    printer.end();
  }
  const rows = describeServers(servers);
  for (const { name, version, origin } of rows)
    context.say(`${name.padEnd(10)} ${version.padEnd(12)} from ${origin}`);
  context.result({ ok: true, servers: rows });
  return 0;
}

/** Name, version and origin of every server. */
export function describeServers(
  servers: ServerBinaries,
): { name: string; version: string; origin: string }[] {
  const programs = {
    mariadb: servers.mariadb?.server,
    mysql: servers.mysql?.server,
    memcached: servers.memcached,
    php: servers.php?.cli,
  };
  return Object.entries(programs).flatMap(([name, program]) =>
    program === undefined ? [] : [{ name, version: program.version, origin: program.origin }],
  );
}

async function list(context: CommandContext): Promise<number> {
  const found = await listServers({ signal: context.signal });
  context.say(`Cache: ${found.cacheDir}`);
  for (const server of found.servers) {
    const name = server.name.padEnd(10);
    if (server.found)
      context.say(`${name} ${server.version.padEnd(12)} from ${server.origin.padEnd(12)} ${server.path}`);
    else {
      const how =
        server.wouldInstallInto === undefined
          ? 'cannot be installed here'
          : `get it with: stormlamp servers install ${server.name}`;
      context.say(`${name} ${'missing'.padEnd(12)} ${how}`);
      for (const reason of server.rejected) context.say(`           ${reason}`);
    }
  }
  context.result({
    ok: found.servers.every((server) => server.found),
    cacheDir: found.cacheDir,
    servers: found.servers,
  });
  return 0;
}
