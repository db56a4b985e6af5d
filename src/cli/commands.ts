/** All commands, in the order of the overview: what the cluster does first, then what one needs to try it. */
import type { CommandEntry } from './command.js';

/** The commands; each is loaded when it is called for, because most of them bring half of the package along. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'look at every node once: roles, lag, session nodes; problems first',
    load: async () => (await import('./status/status-command.js')).statusCommand,
  },
  {
    name: 'doctor',
    summary: 'check every precondition of MySQL, memcached, PHP and Node, and say how to fix what is missing',
    load: async () => (await import('./doctor/doctor-command.js')).doctorCommand,
  },
  {
    name: 'top',
    summary: 'show live what every server does: statements, connections, lag, session traffic',
    load: async () => (await import('./top/top-command.js')).topCommand,
  },
  {
    name: 'explain',
    summary: 'tell where a statement would go, and why, without sending it',
    load: async () => (await import('./explain-command.js')).explainCommand,
  },
  {
    name: 'session',
    summary: "show a session's variables and copies, or decode stored bytes",
    load: async () => (await import('./session/session-command.js')).sessionCommand,
  },
  {
    name: 'resync',
    summary: 'fill session nodes that came back empty, or check whether they are complete',
    load: async () => (await import('./resync-command.js')).resyncCommand,
  },
  {
    name: 'gateway',
    summary: "serve PHP's memcached sessions from replicated nodes",
    load: async () => (await import('./gateway-command.js')).gatewayCommand,
  },
  {
    name: 'failover',
    summary: 'plan and make changes of the primary',
    load: async () => (await import('./failover-command.js')).failoverCommand,
  },
  {
    name: 'demo',
    summary: 'start a real cluster with PHP and Node, and watch nodes die without anybody noticing',
    load: async () => (await import('./demo/demo-command.js')).demoCommand,
  },
  {
    name: 'servers',
    summary: 'get the server programs of local clusters, or list them',
    load: async () => (await import('./servers-command.js')).serversCommand,
  },
];
