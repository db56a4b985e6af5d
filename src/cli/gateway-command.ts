/** `stormlamp gateway`: serves PHP's memcached clients from replicated memcached nodes, until it is told to stop. */
import { systemClock } from '../common/clock.js';
import { invalidOption } from '../common/option-reader.js';
import { describeError, isStormlampError } from '../common/stormlamp-error.js';
import { LogThrottle } from '../diagnostics/log-throttle.js';
import { resolveGatewayOptions } from '../gateway/gateway-options.js';
import { tryToListen } from '../gateway/listen-on.js';
import { startSessionGateway } from '../gateway/start-session-gateway.js';
import { openStore } from '../session/create-session-store.js';
import type { SessionStoreEvents } from '../session/session-events.js';
import type { SessionStore } from '../session/session-store.js';
import type { Command, CommandContext } from './command.js';
import { readingLimit } from './config-file.js';
import { type GatewayConfig, gatewayConfig } from './gateway-config.js';
import { sessionsBefore } from './gateway-nodes.js';
import { leaveOn } from './interruption.js';
import { NodeSteps } from './node-steps.js';
import { whileReading } from './read-config.js';

const HELP = `Usage: stormlamp gateway [options]

Listens where PHP's session.save_path points, and keeps what PHP stores on several memcached nodes, any of which may
die, restart empty, hang or be cut off. Runs until SIGTERM or Ctrl-C; requests under way are answered first.

  --nodes LIST         memcached nodes as host:port, separated by commas, in the order that all gateways use
  --php-ini PATH       take the nodes from a php.ini instead
  --listen ADDRESS     host:port, or the absolute path of a unix socket (default 127.0.0.1:11311)
  --socket-mode MODE   permissions of the unix socket, octal (default 600)
  --handler NAME       memcached (default) or memcache: PHP's session.save_handler
  --prefix TEXT        prefix of session keys, as PHP has it (default memc.sess.key. for memcached)
  --copies N           nodes that hold each item (default 2)
  --acks WHO           copies that must have taken a change before it is answered: one (default), majority, all
  --keys WHICH         what a node that came back is filled with: sessions (default), or all keys
  --max-connections N  clients at a time (default 1024)
  --username NAME      clients must log in (SASL PLAIN); the password is read from STORMLAMP_GATEWAY_PASSWORD
  --tls-cert FILE      speak TLS, with this certificate and --tls-key FILE
  --config FILE        a JSON file or a module: { "sessions": {…}, "gateway": {…} }, as the functions take them
  --json               one JSON document on standard output once it listens; everything else on standard error
  --help               this text

Flags come before the file, and that before the environment (STORMLAMP_MEMCACHED: the nodes); without --config and
STORMLAMP_CONFIG it is the first stormlamp.config.{mjs,js,cjs,json,ts,mts,cts} here or above, as for every command.

Nodes are added and removed while it runs: write the step into the file, "gateway": { "nodeChange": { "nodes": […],
"step": "prepare" } }, and send SIGHUP, for 'prepare', 'switch' and 'finish', each to every gateway before the next.

Examples:
  stormlamp gateway --nodes cache1:11211,cache2:11211 --listen /run/stormlamp/gateway.sock --socket-mode 660
`;

/** The command `gateway`. */
export const gatewayCommand: Command = {
  help: HELP,
  options: {
    nodes: { type: 'string' },
    'php-ini': { type: 'string' },
    listen: { type: 'string' },
    'socket-mode': { type: 'string' },
    handler: { type: 'string' },
    prefix: { type: 'string' },
    copies: { type: 'string' },
    acks: { type: 'string' },
    keys: { type: 'string' },
    'max-connections': { type: 'string' },
    username: { type: 'string' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    config: { type: 'string' },
  },
  async run(context) {
    if (context.words.length > 0)
      throw invalidOption('gateway', 'given without further words', context.words[0]);
    const read = (): Promise<GatewayConfig> =>
      whileReading(
        context,
        gatewayConfig(context.values, process.env, process.cwd(), readingLimit(context.interactive)),
      );
    return await serve(context, read);
  },
};

async function serve(context: CommandContext, read: () => Promise<GatewayConfig>): Promise<number> {
  const { sessions, gateway: options, nodeChange, file } = await read();
  // Before any node is asked: whether it can listen is known at once.
  await tryToListen(resolveGatewayOptions(options).listen);
  // One that ended between the last step of the others and its own takes the steps before it serves.
  const later = nodeChange?.step === 'prepare' || nodeChange?.step === 'switch';
  const opened = openStore(sessionsBefore(sessions, nodeChange), later);
  const store = (await leaveOn(context.signal, opened)) as SessionStore;
  tellTrouble(store);
  tellOfCopies(store);
  // Without a file the signal ends the process, as it does everywhere.
  const steps = new NodeSteps(store, tell, context.signal);
  const reread = file === undefined ? undefined : readAgain(steps, read, file);
  if (reread !== undefined) process.on('SIGHUP', reread);
  try {
    await steps.catchUp(nodeChange);
    const gateway = await startSessionGateway(store, options);
    gateway.on('client-fault', ({ peer, reason }) => tell(`client ${peer} was closed: ${reason}`));
    gateway.on('client-refused', ({ peer, connections }) =>
      tell(`client ${peer} was refused: there are ${connections} already (--max-connections)`),
    );
    const nodes = store.options.nodes.map(({ id }) => id);
    context.say(`Listening on ${gateway.address} for ${nodes.join(', ')}; stop with SIGTERM or Ctrl-C`);
    context.result({ ok: true, address: gateway.address, port: gateway.port, pid: process.pid, nodes });
    await stopped(context.signal);
    tell('stopping');
    await gateway.close();
    return 0;
  } finally {
    if (reread !== undefined) process.off('SIGHUP', reread);
    await store.close();
  }
}

/** What SIGHUP does. The file is read at once, also while a step is under way that another one is to take the place of. */
function readAgain(steps: NodeSteps, read: () => Promise<GatewayConfig>, file: string): () => void {
  let turn = Promise.resolve();
  return () => {
    turn = turn.then(async () => {
      const config = await read().catch((error: unknown) =>
        tell(`${file} is not taken: ${describeError(error)}`),
      );
      if (config === undefined) return;
      if (config.nodeChange !== undefined) void steps.take(config.nodeChange);
      else
        tell(
          `${file} was read: it names no "nodeChange" under "gateway"; anything else is taken at a restart`,
        );
    });
  };
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const RESYNC_TEXTS: Readonly<Record<SessionStoreEvents['resync-started']['kind'], string>> = {
  fill: 'filling it from the others',
  mend: 'bringing it the writes it missed',
  recopy: 'giving it the copies of a node that is away',
  move: 'bringing it what it shall hold by the new list of nodes',
  sweep: 'removing what it kept for nodes that are back',
};

/** Standard error is the log: systemd and containers put the time before each line. */
function tellTrouble(store: SessionStore): void {
  store.on('node-standing', ({ node, before, after }) => tell(`node ${node}: ${before} -> ${after}`));
  store.on('resync-started', ({ node, kind }) => tell(`node ${node}: ${RESYNC_TEXTS[kind]}`));
  store.on('resynced', ({ node }) => tell(`node ${node}: up to date`));
  store.on('resync-failed', ({ node, error }) =>
    tell(`node ${node}: could not be brought up to date, will be tried again: ${describeError(error)}`),
  );
  store.on('sessions-lost', ({ node, cause, held, left, missedBy = [] }) =>
    tell(
      {
        emptied: `node ${node}: began anew, no node holds what it had: it had ${held} items, and has ${left} now`,
        silent: `node ${node}: silent for too long, and no other node has all that it held: of its ${held} items up to ${left} are left`,
        unmended: `node ${node}: lost its memory, and alone had changes and logouts that ${missedBy.join(', ')} missed: what is there is older`,
      }[cause],
    ),
  );
  store.on('memory-short', ({ node, evictions, refusals, bytes, limitBytes }) =>
    tell(
      `node ${node}: out of memory, ${evictions} items thrown out and ${refusals} writes refused (${bytes} of ${limitBytes} bytes in use): give it more (-m), or sessions are lost`,
    ),
  );
}

/** What may be told of one node many times a second is told once in this time, milliseconds. */
const REPEAT_MS = 10_000;

/** What became of single copies and locks; no key is told. */
function tellOfCopies(store: SessionStore): void {
  const throttle = new LogThrottle(REPEAT_MS);
  store.on('copy-missed', ({ operation, node, error }) => {
    const held = throttle.admit(`${node} ${operation}`, systemClock.now());
    if (held === undefined) return;
    const why = isStormlampError(error) ? error.code : error.name;
    const more = held === 0 ? '' : `, and ${held} more since that was told`;
    tell(`node ${node}: a copy was missed by a ${operation} (${why})${more}`);
  });
  store.on('lock-broken', ({ node, heldMs }) =>
    tell(`node ${node}: removed a session lock that a killed process had left ${seconds(heldMs)} ago`),
  );
  store.on('recopy-skipped', ({ node, away, bytes, limitBytes }) =>
    tell(
      `node ${node}: too full to take the copies of ${away.join(', ')} (${bytes} of ${limitBytes} bytes in use): their sessions have one copy less; give it more memory (-m)`,
    ),
  );
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

function tell(line: string): void {
  process.stderr.write(`gateway: ${line}\n`);
}
