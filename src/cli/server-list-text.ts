/** The servers that are there, and what to do about those that are not, as lines of text. */
import type { ServerRelease } from '../testing/servers/server-binaries.js';
import type { ServerList } from '../testing/servers/server-list.js';
import { hangLine, wrapLine } from './wrap-line.js';

type ListedServer = ServerList['servers'][number];

/** How a server is named on the command line. */
export function serverLabel(name: string, release: ServerRelease): string {
  return release === 'newest' ? `${name}@newest` : name;
}

/** The list in lines of at most `width` characters; where one has no room, what belongs to a server stands below its name. */
export function serverListText({ cacheDir, servers }: ServerList, width: number): readonly string[] {
  return [
    ...wrapLine(`Cache: ${cacheDir}`, width),
    ...servers.flatMap((server) => {
      const name = serverLabel(server.name, server.release);
      const [state, rest, ...more] = told(server, name);
      const line = `${name.padEnd(16)} ${state.padEnd(12)} ${rest}`;
      const below = more.flatMap((text) => under(text, width, '       '));
      if (line.length <= width) return [line, ...below];
      return [...wrapLine(`${name} ${state}`, width), ...under(rest, width, '    '), ...below];
    }),
  ];
}

/** Version or state, where it is from or how to get it, and what else there is to say. */
function told(server: ListedServer, name: string): readonly [string, string, ...string[]] {
  if (server.found) return [server.version, `from ${server.origin.padEnd(12)} ${server.path}`];
  const [first = '', ...others] = server.rejected;
  if (server.isMisnamed) return ['wrong path', first, ...others];
  const how =
    server.wouldInstallInto === undefined
      ? 'cannot be installed here'
      : `get it with: stormlamp servers install ${name}`;
  return ['missing', how, ...server.rejected];
}

function under(text: string, width: number, indent: string): readonly string[] {
  return hangLine(text.replaceAll(/ +/g, ' '), width, indent);
}
