/** What PHP does in the middle of the round trip of a session: it reads what Node wrote, and writes something else. */
import { decodeSession, encodeSession } from '../../php/index.js';
import type { ResolvedSessionOptions } from '../../session/session-options.js';
import type { StoreOptions } from '../../session/store-options.js';

/** The words of one round trip. */
export interface TurnWords {
  /** The session. */
  readonly id: string;
  /** What PHP writes. */
  readonly fromPhp: string;
  /** Stands on both sides of what PHP read, in what it prints. */
  readonly mark: string;
}

/** How PHP is run for it. */
export interface PhpTurn {
  /** PHP code. */
  readonly script: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its environment, for what nobody else on the machine may read. */
  readonly env: Readonly<Record<string, string>>;
  /** The word in what it printed between the marks. */
  readonly read: (printed: string) => string;
}

/** The variable that both write. */
export const TURN_VARIABLE = 'stormlamp_doctor';

/** By PHP's own sessions, or by its class `Memcached` where a framework keeps them with that. */
export function phpTurn(store: StoreOptions, words: TurnWords): PhpTurn {
  return store.kind === 'memcached' && store.options.handler === 'memcached-class'
    ? classTurn(store.options, words)
    : sessionTurn(words);
}

const SESSION_SCRIPT = `session_id($argv[1]); if (!@session_start()) { fwrite(STDERR, error_get_last()['message'] ?? 'session_start() failed'); exit(3); }
echo $argv[3], $_SESSION['${TURN_VARIABLE}'] ?? 'nothing', $argv[3]; $_SESSION['${TURN_VARIABLE}'] = $argv[2]; session_write_close();`;

function sessionTurn({ id, fromPhp, mark }: TurnWords): PhpTurn {
  return { script: SESSION_SCRIPT, args: [id, fromPhp, mark], env: {}, read: (printed) => printed };
}

const CLASS_SCRIPT = `$told = json_decode(getenv('STORMLAMP_TURN'), true);
$nodes = new Memcached();
if ($told['distribution'] === 'ketama') $nodes->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);
if ($told['distribution'] === 'ketama_weighted') $nodes->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
if ($told['login'] !== null) { $nodes->setOption(Memcached::OPT_BINARY_PROTOCOL, true); $nodes->setSaslAuthData(...$told['login']); }
$nodes->addServers($told['servers']);
$found = $nodes->get($told['key']);
if ($found === false && $nodes->getResultCode() !== Memcached::RES_NOTFOUND) { fwrite(STDERR, $nodes->getResultMessage()); exit(3); }
echo $argv[1], is_string($found) ? base64_encode($found) : '', $argv[1];
if (!$nodes->set($told['key'], base64_decode($told['value']), 60)) { fwrite(STDERR, $nodes->getResultMessage()); exit(3); }`;

function classTurn(options: ResolvedSessionOptions, { id, fromPhp, mark }: TurnWords): PhpTurn {
  const { nodes, placement, credentials, prefix, serialize, seal } = options;
  const session = encodeSession({ [TURN_VARIABLE]: fromPhp }, serialize);
  const told = {
    distribution: placement.distribution ?? 'ketama',
    servers: nodes.map(({ place }, at) => [place.host, place.port, placement.weights?.[at] ?? 1]),
    login: credentials === undefined ? null : [credentials.username, credentials.password],
    key: prefix + id,
    value: (seal?.seal(session) ?? session).toString('base64'),
  };
  return {
    script: CLASS_SCRIPT,
    args: [mark],
    env: { STORMLAMP_TURN: JSON.stringify(told) },
    read(printed) {
      if (printed === '') return 'nothing';
      const stored = Buffer.from(printed, 'base64');
      return String(decodeSession(seal?.open(stored) ?? stored, serialize)[TURN_VARIABLE]);
    },
  };
}
