/** `stormlamp demo`: real servers, a PHP site and a Node site behind one cookie, and a story in which machines die. */
import { invalidOption, readChoice } from '../../common/option-reader.js';
import { driverOf, LOCAL_DRIVERS } from '../../testing/local-cluster-options.js';
import type { Command, CommandContext } from '../command.js';
import { DemoRun } from './demo-run.js';

const HELP = `Usage: stormlamp demo [options]

Starts a MariaDB primary with two replicas, two memcached nodes, a PHP site and an Express site on this machine,
plays a story in which nodes die, and shows who serves what. Afterwards the shop stays open until Ctrl-C.

  --once              end after the story; the exit code is 0 only if every step was verified
  --flavor <name>     mariadb (default) or mysql
  --driver <name>     native: servers of this machine; docker: containers; auto (default): containers where servers
                      can neither be found nor installed. STORMLAMP_DRIVER says it for all commands and tests
  --port <number>     port of the shop on 127.0.0.1 (default: a free one)
  --json              one JSON document on standard output: { ok, steps: [{ name, verified, ms, nodes }] }
  --help              this text

Servers that are missing are got first: see 'stormlamp servers --help'.

Examples:
  stormlamp demo
  stormlamp demo --once --json
  stormlamp demo --flavor mysql --port 8080
`;

/** The command `demo`. */
export const demoCommand: Command = {
  help: HELP,
  options: {
    once: { type: 'boolean' },
    flavor: { type: 'string' },
    driver: { type: 'string' },
    port: { type: 'string' },
  },
  async run(context) {
    if (context.words.length > 0) throw invalidOption('demo <argument>', 'left out', context.words[0]);
    const run = new DemoRun(context, {
      flavor: readChoice('--flavor', context.values['flavor'], ['mariadb', 'mysql'], 'mariadb'),
      driver: readChoice('--driver', context.values['driver'], LOCAL_DRIVERS, driverOf(process.env, 'auto')),
      port: readPort(context),
      // A JSON document is made at the end, so with --json there has to be one.
      once: context.values['once'] === true || context.json,
    });
    try {
      return await run.play();
    } finally {
      await run.close();
    }
  },
};

function readPort(context: CommandContext): number {
  const text = context.values['port'];
  if (text === undefined) return 0;
  const port = typeof text === 'string' && /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= 65_535)) throw invalidOption('--port', 'a port number from 1 to 65535', text);
  return port;
}
