/** `stormlamp status`: looks at every node once, and tells what is wrong before everything else. */
import { invalidOption } from '../../common/option-reader.js';
import { CONFIG_HELP, CONFIG_OPTION } from '../cluster-config.js';
import type { Command } from '../command.js';
import { leaveOn } from '../interruption.js';
import { mountsApart } from '../mounts/mounts-apart.js';
import { configOf } from '../read-config.js';
import { lookAtCluster } from './look-at-cluster.js';
import { pageAddress } from './service-breakers.js';
import { statusText } from './status-text.js';

const HELP = `Usage: stormlamp status [options]

Looks once at every database, session node and cache node: roles and who follows whom, lag with the age of its
measurement, versions, session nodes and their memory, and the last change of the primary, from the journal
where the accounts in \`failover\` can read it. Changes nothing anywhere. Breakers are
each process's own: name the live page of a service to see those of that one.
The exit code is 0 when everything is well, and 1 when something is not.

  --from <url>        the live page of a running service, whose breakers are shown; a user and password in it are sent
${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp status
  stormlamp status --config /srv/shop/stormlamp.config.mjs
  stormlamp status --from http://127.0.0.1:3000/stormlamp/
  stormlamp status --json | jq '.mysql.nodes[] | select(.up | not)'
`;

/** The command `status`. */
export const statusCommand: Command = {
  help: HELP,
  options: { ...CONFIG_OPTION, from: { type: 'string' } },
  async run(context) {
    if (context.words.length > 0) throw invalidOption('status <argument>', 'left out', context.words[0]);
    const { from } = context.values;
    const page = typeof from === 'string' ? pageAddress(from) : undefined;
    const config = await configOf(context);
    const report = await leaveOn(context.signal, lookAtCluster(config, page, mountsApart));
    for (const line of statusText(report, context.width, context.paint)) context.say(line);
    context.result(report);
    return report.ok ? 0 : 1;
  },
};
