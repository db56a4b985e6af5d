/** Compares where and how PHP and Node keep sessions, with a gateway between PHP and the nodes or without. */
import type { ResolvedSessionCookie } from '../../session/session-cookie-options.js';
import type { AnySessionOptions, StoreOptions } from '../../session/store-options.js';
import type { Checks } from './check.js';
import type { AskedServer } from './look-at-gateways.js';

/** Both sides. */
export interface BothSides {
  /** What PHP's settings come to. */
  readonly theirs: StoreOptions;
  /** What Node's options come to. */
  readonly ours: StoreOptions;
  /** Node's options, as they were given. */
  readonly given: AnySessionOptions;
  /** What the servers of PHP's `session.save_path` are. */
  readonly servers: readonly AskedServer[];
}

/** Judges every setting; whether a session of one can be found and read by the other. */
export function compareSettings(checks: Checks, program: string, sides: BothSides): boolean {
  let isSame = true;
  for (const compared of settingsOf(sides)) {
    const { setting, php, node, option } = compared;
    const isMeant = isOfApplication(option) && isBesidePhpIni(sides.given, option);
    const matters = compared.matters && !isMeant;
    if (php !== node && matters) isSame = false;
    checks.expect(php === node, matters ? 'failed' : 'warning', program, setting, {
      found: php === node ? php : `PHP: ${php}; Node: ${node}`,
      expected: isMeant ? 'the same on both sides, by whoever sets it' : 'the same on both sides',
      fix: compared.fix ?? fixOf(sides.given, option),
    });
  }
  return isSame;
}

/** What applications set for themselves, above php.ini, without moving a session: Symfony's `framework.session` does. */
function isOfApplication(option: string): boolean {
  return option === 'lifetimeMs' || option.startsWith('cookie.');
}

/** Whether an option was given although there is a php.ini that has it: it goes before that. */
function isBesidePhpIni(given: AnySessionOptions, option: string): boolean {
  if (!('phpIni' in given) || given.phpIni === undefined) return false;
  const [name = '', part] = option.split('.');
  const own = (given as Readonly<Record<string, unknown>>)[name];
  return part === undefined
    ? own !== undefined
    : (own as Readonly<Record<string, unknown>> | undefined)?.[part] !== undefined;
}

function fixOf(given: AnySessionOptions, option: string): string {
  if (!('phpIni' in given) || given.phpIni === undefined)
    return 'set it alike in php.ini and in `sessions`, or give `sessions.phpIni` instead';
  if (!isBesidePhpIni(given, option))
    return "name the php.ini of the web server with --php-ini, or correct `sessions.phpIni`: they are not the same one's";
  const out = `leave \`${option}\` out of \`sessions\`, where it goes before \`phpIni\``;
  return isOfApplication(option)
    ? `nothing if the application sets it to that itself (as \`framework.session\` of Symfony does); else ${out}`
    : `${out}, or set it alike in php.ini`;
}

interface ComparedSetting {
  readonly setting: string;
  readonly php: string;
  readonly node: string;
  /** The option of `sessions` that has it. */
  readonly option: string;
  /** Whether sessions cannot be shared when it differs. */
  readonly matters: boolean;
  /** What to do, where that is something else than setting it alike. */
  readonly fix?: string;
}

/** Its name, the option that has it, what it is, and whether sessions cannot be shared when it differs. */
type Compared = readonly [string, string, (store: StoreOptions) => string, boolean];

function settingsOf({ theirs, ours, servers }: BothSides): readonly ComparedSetting[] {
  const common: readonly Compared[] = [
    ['session.serialize_handler', 'serialize', ({ options }) => options.serialize, true],
    ['session.name', 'cookie.name', ({ options }) => options.cookie.name, true],
    ['session.gc_maxlifetime', 'lifetimeMs', ({ options }) => `${options.lifetimeMs / 1_000} s`, false],
    ['session.save_handler', 'handler', placeKind, true],
    ['prefix of keys', 'prefix', (store) => (store.kind === 'memcached' ? store.options.prefix : ''), true],
    ['memcache.lock_timeout', 'lockExpireMs', lockTimeout, false],
    ...(isBehindGateways(servers) ? [] : PLACES),
  ];
  const compared = common
    .map(([setting, option, read, matters]) => ({
      setting,
      option: option === 'nodes' && ours.kind === 'files' ? 'mounts' : option,
      php: read(theirs),
      node: read(ours),
      matters,
      ...(setting === 'session.save_path' ? fixOfSilence(servers) : {}),
    }))
    .filter(({ php, node }) => php !== '' || node !== '');
  return [
    ...compared,
    ...(isBehindGateways(servers) ? servers.flatMap((one) => gatewaySettings(one, ours)) : []),
    ...cookieSettings(theirs.options.cookie, ours.options.cookie),
    ...lockLife(theirs, ours),
  ];
}

/** Nodes with SASL do not tell how long a lock still lives: there only its age tells a dead page from one at work. */
function lockLife(theirs: StoreOptions, ours: StoreOptions): readonly ComparedSetting[] {
  if (theirs.kind === 'files' || ours.kind === 'files' || ours.options.credentials === undefined) return [];
  const [needed, own] = [theirs.options.lockBreakMs, ours.options.lockBreakMs];
  if (ours.options.handler !== 'memcached' || own === 0 || own >= needed) return [];
  return [
    {
      setting: 'memcached.sess_lock_expire',
      option: 'lockBreakMs',
      php: `a page may hold its lock for ${needed / 2_000} s`,
      node: `takes one of ${own / 1_000} s for left behind`,
      matters: false,
      fix: `set \`lockBreakMs: ${needed}\` in \`sessions\`: nodes with SASL do not tell how long a lock still lives`,
    },
  ];
}

/** Where sessions are when PHP asks the nodes itself; gateways place and copy what they are given by their own options. */
const PLACES: readonly Compared[] = [
  ['session.save_path', 'nodes', places, true],
  ['placement', 'placement', (store) => (store.kind === 'memcached' ? placementOf(store) : ''), true],
  ['copies', 'copies', (store) => (store.kind === 'memcached' ? String(store.options.copies) : ''), false],
];

/** A gateway that is not there, or that this user may not reach, cannot say that it is one. */
function fixOfSilence(servers: readonly AskedServer[]): Pick<ComparedSetting, 'fix'> {
  const silent = servers.find((one) => one.kind === 'silent');
  if (silent?.kind !== 'silent') return {};
  return {
    fix: `${silent.id} does not answer (${silent.why}): if a gateway shall listen there, start it, or run the doctor as a user who may reach it; else name the nodes alike in php.ini and in \`sessions\``,
  };
}

function isBehindGateways(servers: readonly AskedServer[]): boolean {
  return servers.some(({ kind }) => kind === 'gateway');
}

/** What a gateway was started with, beside what Node uses. */
function gatewaySettings(server: AskedServer, ours: StoreOptions): readonly ComparedSetting[] {
  const node = places(ours);
  if (server.kind !== 'gateway')
    return [
      {
        setting: 'session.save_path',
        option: 'nodes',
        php:
          server.kind === 'silent'
            ? `${server.id}, which does not answer: ${server.why}`
            : `${server.id}, a memcached beside a gateway`,
        node,
        matters: true,
        fix: 'name nothing but running gateways in `session.save_path`, or nothing but the nodes of `sessions.nodes`',
      },
    ];
  const fix = `start the gateway and Node with the same options; \`stormlamp gateway\` and the other commands read one stormlamp.config`;
  const told = (setting: string, php: string | undefined, own: string, matters: boolean) =>
    php === undefined
      ? []
      : [
          {
            setting: `${setting} of the gateway ${server.id}`,
            option: setting,
            php,
            node: own,
            matters,
            fix,
          },
        ];
  if (ours.kind === 'files') return told('nodes', server.nodes, node, true);
  const { handler, prefix, copies, keys } = ours.options;
  return [
    // While nodes are changed, some have taken a step that others have not.
    ...told('nodes', server.nodes, node, server.change === 'none'),
    ...told('handler', server.handler, handler, true),
    ...told('prefix', server.prefix, prefix, true),
    ...told('copies', server.copies, String(copies), false),
    ...told('keys', server.keys, keys, false),
  ];
}

/** pecl-memcache's locks are the same number on both sides, or one gives up on what the other still holds. */
function lockTimeout(store: StoreOptions): string {
  if (store.kind === 'files' || store.options.handler !== 'memcache') return '';
  return `${store.options.lockExpireMs / 1_000} s`;
}

/** The cookie's options that PHP calls otherwise. */
const OPTIONS: Readonly<Record<string, string>> = { lifetime: 'lifetimeMs', samesite: 'sameSite' };

/** Who sets the cookie last decides what it is like, and a cookie of another path or domain is a second one. */
function cookieSettings(
  theirs: ResolvedSessionCookie,
  ours: ResolvedSessionCookie,
): readonly ComparedSetting[] {
  const each = (name: string, php: string, node: string): ComparedSetting => ({
    setting: `session.cookie_${name}`,
    option: `cookie.${OPTIONS[name] ?? name}`,
    php: php === '' ? '(none)' : php,
    node: node === '' ? '(none)' : node,
    matters: false,
  });
  // On a request over TLS 'auto' is on, and browsers take a cookie without SameSite for Lax.
  const secure = (cookie: ResolvedSessionCookie): string => (cookie.secure === true ? 'on' : 'off');
  const sameSite = (cookie: ResolvedSessionCookie): string => cookie.sameSite || 'Lax';
  return [
    each('path', theirs.path, ours.path),
    each('domain', theirs.domain, ours.domain),
    each('lifetime', `${theirs.lifetimeMs / 1_000} s`, `${ours.lifetimeMs / 1_000} s`),
    each('secure', secure(theirs), ours.secure === 'auto' ? secure(theirs) : secure(ours)),
    each('samesite', sameSite(theirs), sameSite(ours)),
  ];
}

function placementOf({ options }: Extract<StoreOptions, { kind: 'memcached' }>): string {
  const { distribution, strategy, hash } = options.placement;
  return options.handler === 'memcache'
    ? `${strategy ?? 'consistent'} ${hash ?? 'crc32'}`
    : (distribution ?? 'ketama');
}

function placeKind(store: StoreOptions): string {
  return store.kind === 'files' ? 'files' : store.options.handler;
}

function places(store: StoreOptions): string {
  return store.kind === 'files'
    ? (store.options.mounts[0] ?? '')
    : store.options.nodes.map(({ id }) => id).join(', ');
}
