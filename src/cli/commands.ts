/** All commands, in the order of the overview: what the cluster does first, then what one needs to try it. */
import type { Command } from './command.js';
import { demoCommand } from './demo/demo-command.js';
import { doctorCommand } from './doctor/doctor-command.js';
import { explainCommand } from './explain-command.js';
import { failoverCommand } from './failover-command.js';
import { gatewayCommand } from './gateway-command.js';
import { resyncCommand } from './resync-command.js';
import { serversCommand } from './servers-command.js';
import { sessionCommand } from './session/session-command.js';
import { statusCommand } from './status/status-command.js';
import { topCommand } from './top/top-command.js';

/** The commands. */
export const COMMANDS: readonly Command[] = [
  statusCommand,
  doctorCommand,
  topCommand,
  explainCommand,
  sessionCommand,
  resyncCommand,
  gatewayCommand,
  failoverCommand,
  demoCommand,
  serversCommand,
];
