/**
 * Writes `docs/options.md` from the types and their comments: every option of the package, A to Z.
 *
 *     node scripts/generate-options.mjs           writes the page
 *     node scripts/generate-options.mjs --check   fails when the page is not what would be written
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './workspace.mjs';

const PAGE = join(ROOT, 'docs', 'options.md');

/** What takes the options, where their type is, and what must be told about it. */
const TAKERS = [
  ['createCluster(options)', 'cluster-options.ts', 'ClusterOptions'],
  ['cluster.mysql.query(options), execute(options)', 'mysql/statement.ts', 'StatementOptions'],
  ['cluster.mysql.run(scope, fn)', 'mysql/scope.ts', 'MysqlScope'],
  ['cluster.mysql.transaction(fn, options)', 'mysql/transaction.ts', 'TransactionOptions'],
  ['connection.prepare(options, limits)', 'mysql/prepared-statement.ts', 'PrepareOptions'],
  ['cluster.sessions.load(id, options)', 'session/session-store-port.ts', 'LoadOptions'],
  ['cluster.sessions.regenerate(session, options)', 'session/session-store-port.ts', 'RegenerateOptions'],
  ['cluster.sessions.setNodes(nodes, options)', 'session/node-change.ts', 'SetNodesOptions'],
  ['cluster.cache.get(key, options)', 'cache/cache-calls.ts', 'CacheReadOptions'],
  ['cluster.cache.set(key, value, options)', 'cache/cache-calls.ts', 'CacheWriteOptions'],
  ['cluster.cache.wrap(key, make, options)', 'cache/cache-calls.ts', 'CacheWrapOptions'],
  ['cluster.failover.failover(options)', 'failover/failover-manager.ts', 'ForceOptions'],
  ['cluster.failover.isolate(node, options)', 'failover/failover-targets.ts', 'IsolateOptions'],
  ['cluster.failover.pause(options)', 'failover/failover-manager.ts', 'PauseOptions'],
  ['cluster.failover.switchover(options)', 'failover/failover-manager.ts', 'SwitchoverOptions'],
  ['classify(sql, options)', 'mysql/classifier/classification.ts', 'ClassifyOptions'],
  ['cloneRebuild(options)', 'failover/rebuild/clone-rebuild.ts', 'CloneRebuildOptions'],
  ['createCustomSessionStore(backend, options)', 'session/custom-session-store.ts', 'CustomSessionOptions'],
  ['createHttpUpstreams(options)', 'failover/resources/http-upstreams.ts', 'HttpUpstreamsOptions'],
  ['createSharedFiles(options)', 'files/shared-files-options.ts', 'SharedFilesOptions'],
  ['dashboard(cluster, options)', 'dashboard/dashboard-options.ts', 'DashboardOptions'],
  ['dumpRebuild(options)', 'failover/rebuild/rebuild-options.ts', 'RebuildOptions'],
  [
    'expressStoreConformance(open, options)',
    'testing/conformance/express-store-conformance.ts',
    'ExpressStoreConformanceOptions',
  ],
  ['fakeCluster(options)', 'testing/fake/fake-cluster.ts', 'FakeClusterOptions'],
  ['faults.latency(options)', 'testing/faults/node-faults.ts', 'LatencyOptions'],
  ['faults.partition(options)', 'testing/faults/node-faults.ts', 'PartitionOptions'],
  ['faults.reset(options), halfOpen(options)', 'testing/faults/node-faults.ts', 'FaultOptions'],
  ['faults.slice(options)', 'testing/faults/node-faults.ts', 'SliceOptions'],
  ['faults.throttle(options)', 'testing/faults/node-faults.ts', 'ThrottleOptions'],
  ['files.read(name, options)', 'files/shared-files.ts', 'ReadSharedOptions'],
  ['files.walk(options)', 'files/shared-files.ts', 'WalkOptions'],
  ['files.write(name, source, options)', 'files/shared-files.ts', 'WriteSharedOptions'],
  ['health(cluster, options)', 'express/health.ts', 'HealthOptions'],
  ['keepalivedTrackFile(options)', 'failover/resources/track-file.ts', 'TrackFileOptions'],
  ['laravelSessions(options)', 'session/laravel-sessions.ts', 'LaravelSessionsOptions'],
  ['local.php(script, options)', 'testing/php/php-runner.ts', 'PhpOptions'],
  ['local.phpSite(source, options)', 'testing/php/php-site.ts', 'PhpSiteOptions'],
  ['local.ptHeartbeat(options)', 'testing/database/pt-heartbeat.ts', 'PtHeartbeatOptions'],
  ['mountResource(options)', 'failover/resources/mount-resource.ts', 'MountResourceOptions'],
  ['openTelemetry(cluster, options)', 'telemetry/otel/open-telemetry.ts', 'OpenTelemetryOptions'],
  ['phpSession(cluster, options)', 'express/http-session.ts', 'PhpSessionOptions'],
  ['prometheusMetrics(cluster, options)', 'telemetry/prometheus/prometheus-metrics.ts', 'PrometheusOptions'],
  ['scope(cluster, options)', 'express/scope.ts', 'RequestScopeOptions'],
  ['serialize(value, limits), unserialize(data, limits)', 'php/php-limits.ts', 'PhpLimits'],
  [
    'sessionStoreConformance(open, options)',
    'testing/conformance/session-store-conformance.ts',
    'SessionStoreConformanceOptions',
  ],
  ['startHaproxyAgent(cluster, options)', 'failover/php-tier/haproxy-agent.ts', 'HaproxyAgentOptions'],
  ['startLeaderLease(options)', 'failover/resources/leader-lease.ts', 'LeaderLeaseOptions'],
  ['startLocalCluster(options)', 'testing/local-cluster-options.ts', 'LocalClusterOptions'],
  ['startSessionGateway(store, options)', 'gateway/gateway-options.ts', 'SessionGatewayOptions'],
  [
    'startTopologyFile(cluster, options)',
    'failover/php-tier/topology-file-options.ts',
    'TopologyFileOptions',
  ],
  ['symfonySessions(options)', 'session/symfony-sessions.ts', 'SymfonySessionsOptions'],
  ['virtualIp(options)', 'failover/resources/virtual-ip.ts', 'VirtualIpOptions'],
  ['watchMemcachedPair(options)', 'failover/resources/memcached-pair.ts', 'MemcachedPairOptions'],
];

/** Exported types that are called options, and that nobody gives to a call: a store tells them, a local cluster makes them. */
const TOLD = ['SessionStorePortOptions', 'CacheLimits', 'LocalConnectionOptions'];

const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
const { options: compilerOptions } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
/** What users import from. */
const DOORS = readdirSync(join(ROOT, 'src'), { recursive: true })
  .filter((file) => basename(file) === 'index.ts')
  .sort();
const program = ts.createProgram(
  [...DOORS, ...TAKERS.map(([, file]) => file)].map((file) => join(ROOT, 'src', file)),
  { ...compilerOptions, noEmit: true },
);
const checker = program.getTypeChecker();
/** Where types were opened in the first section, which others refer to. */
const inCluster = new Map();
/** The names of all types that were opened, and of what they extend. */
const reached = new Set();
/** Options of a cluster of which nobody is told what they are when they are left out. */
const silent = [];
/** Types of which every member may be left out where they are an option. */
const partial = new Set();

/** The type called `name` in a file; a type parameter of it is what it is by default. */
function typeIn(file, name) {
  const source = program.getSourceFile(join(ROOT, 'src', file));
  const symbol = source && checker.getSymbolAtLocation(source);
  const found = symbol && checker.getExportsOfModule(symbol).find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no exported type ${name} in src/${file}`);
  return checker.getDeclaredTypeOfSymbol(found);
}

/** Notes that the page has what `type` and what it extends has. */
function reach(type) {
  const symbol = type.aliasSymbol ?? type.symbol;
  if (symbol !== undefined) reached.add(symbol.name);
  if (type.isClassOrInterface()) for (const base of checker.getBaseTypes(type)) reach(base);
  if (type.isUnion()) for (const one of type.types) reach(one);
}

/** All rows under `path`; a type that was opened before is named by where that was. */
function rowsOf(type, path, opened) {
  const rows = [];
  reach(type);
  for (const property of checker.getPropertiesOfType(type)) {
    const declaration = property.declarations?.find((one) => one.getSourceFile().fileName.includes('/src/'));
    if (declaration === undefined || isInternal(property)) continue;
    const where = path === '' ? property.name : `${path}.${property.name}`;
    const valueType = declaredValue(property, declaration);
    const objects = objectsIn(valueType);
    const isRequired = !partial.has(type) && (property.flags & ts.SymbolFlags.Optional) === 0;
    const { text, standard } = meaning(property);
    const known =
      objects.map((one) => opened.get(one)).find((one) => one !== undefined) ?? partOfCluster(valueType);
    rows.push({
      where,
      type: literals(valueType, declaration) ?? shown(valueType, objects.length > 0),
      standard: isRequired ? 'required' : standard,
      text: known === undefined || known === where ? text : `${text} Options as in \`${known}\`.`,
    });
    for (const object of objects) {
      if (opened.has(object)) continue;
      opened.set(object, where);
      rows.push(...rowsOf(object, where, opened));
    }
  }
  const merged = new Map();
  // Of two kinds of sessions, what both have is told once.
  for (const row of rows) if (!merged.has(row.where)) merged.set(row.where, row);
  return [...merged.values()];
}

/** Where the first section has the options of which a value may have all but some. */
function partOfCluster(type) {
  const less = parts(type).find((one) => one.aliasSymbol?.name === 'Omit');
  const where = less && inCluster.get(less.aliasTypeArguments[0]);
  return where && `${where}\` of \`createCluster(options)`;
}

function isInternal(property) {
  return property.getJsDocTags(checker).some(({ name }) => name === 'internal');
}

/** What a property may be; `sessions`, whose type is a parameter, is either kind of store. */
function declaredValue(property, declaration) {
  const type = checker.getTypeOfSymbolAtLocation(property, declaration);
  if (!type.isTypeParameter()) return type;
  return type.getConstraint() ?? type;
}

function parts(type) {
  const all = type.isUnion() ? type.types : [type];
  return all.filter((one) => (one.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null)) === 0);
}

/** The object types of our own that a value may be, or be a list of. */
function objectsIn(type) {
  return parts(type).flatMap((one) => {
    if (checker.isArrayType(one)) return objectsIn(checker.getTypeArguments(one)[0]);
    if (one.aliasSymbol?.name === 'Partial') {
      const whole = objectsIn(one.aliasTypeArguments[0]);
      for (const object of whole) partial.add(object);
      return whole;
    }
    const symbol = one.aliasSymbol ?? one.symbol;
    const isOurs = symbol?.declarations?.some((it) => it.getSourceFile().fileName.includes('/src/'));
    const isPlain = (one.flags & ts.TypeFlags.Object) !== 0 && one.getCallSignatures().length === 0;
    const isInline = symbol?.declarations?.some(ts.isTypeLiteralNode) && one.getProperties().length > 0;
    const isNamed = /(Options|Policy|Hooks|Wishes|Programs|Credentials)$/.test(symbol?.name ?? '');
    return isOurs && isPlain && (isNamed || isInline) ? [one] : [];
  });
}

/** A choice of words in the order in which the code has them. */
function literals(type, { type: node }) {
  const words = parts(type).map((one) => (one.isStringLiteral() ? one.value : undefined));
  if (words.length < 2 || words.includes(undefined)) return undefined;
  const source = sourceOf(node);
  return words
    .sort((a, b) => source.indexOf(`'${a}'`) - source.indexOf(`'${b}'`) || (a < b ? -1 : 1))
    .map((word) => `'${word}'`)
    .join(' | ');
}

/** The text that declares a type, names of unions followed. */
function sourceOf(node) {
  const types = ts.isUnionTypeNode(node) ? node.types : [node];
  return types
    .map((one) => {
      if (!ts.isTypeReferenceNode(one)) return one.getText();
      const symbol = checker.getSymbolAtLocation(one.typeName);
      const origin =
        symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return origin?.declarations?.[0]?.getText() ?? '';
    })
    .join(' ');
}

function shown(type, isObject) {
  const names = parts(type).map((one) => {
    if (one.getCallSignatures().length > 0) return 'function';
    if (checker.isArrayType(one)) {
      const element = checker.getTypeArguments(one)[0];
      return isObject
        ? `list of ${shown(element, objectsIn(element).length > 0)}`
        : checker.typeToString(one);
    }
    if (objectsIn(one).length > 0 || one.aliasSymbol?.name === 'Omit') return 'object';
    return checker.typeToString(one, undefined, ts.TypeFormatFlags.NoTruncation);
  });
  // Which member of a union comes first depends on what else was compiled.
  const unique = [...new Set(names)].map((name) => name.replace(/^readonly /, '')).sort();
  const text = unique.includes('true') && unique.includes('false') ? mergeBoolean(unique) : unique;
  return text.join(' | ');
}

function mergeBoolean(names) {
  return ['boolean', ...names.filter((name) => name !== 'true' && name !== 'false')];
}

/** The comment on one line, without the default, and the default. */
function meaning(property) {
  const tag = property.getJsDocTags(checker).find(({ name }) => name === 'defaultValue');
  let text = ts
    .displayPartsToString(property.getDocumentationComment(checker))
    .replaceAll(/\{@link ([^}]+)\}/g, '`$1`')
    .replaceAll(/\s+/g, ' ')
    .trim();
  let standard = tag === undefined ? '' : ts.displayPartsToString(tag.text).trim();
  if (standard === '') {
    const said = /(?:^|\s)Default:? ((?:`[^`]*`|[^.;`]|\.(?=\d))+?)(?=[.;](?:\s|$)|$)/.exec(text);
    if (said !== null) {
      standard = said[1];
      text = text.replace(`${said[0].trim()}.`, '').replaceAll(/\s+/g, ' ').trim();
    }
  }
  return { text, standard: standard.replace(/^`(.*)`$/, '$1') };
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

function code(text) {
  return text === '' ? '' : `\`${cell(text)}\``;
}

function standardCell(text) {
  if (text === '' || text === 'required') return text;
  return /^[^\s`]+$|^\{.*\}$|^\[.*\]$/.test(text) ? code(text) : cell(text);
}

function section([taker, file, name]) {
  const type = typeIn(file, name);
  const opened = new Map([[type, taker]]);
  const rows = rowsOf(type, '', opened).sort((a, b) => (a.where < b.where ? -1 : 1));
  const lines = rows.map(
    ({ where, type: kind, standard, text }) =>
      `| \`${where}\` | ${code(kind)} | ${standardCell(standard)} | ${cell(text)} |`,
  );
  if (inCluster.size === 0) silent.push(...rows.filter(isSilent).map(({ where }) => where));
  if (inCluster.size === 0) for (const [one, where] of opened) inCluster.set(one, where);
  return `## ${taker}\n\n| option | type | default | |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}

/** Whether a choice, a number or a switch may be left out, and nothing says what it is then. */
function isSilent({ type, standard }) {
  return standard === '' && /^(?:number|boolean)(?: \||$)|^'|^\d/.test(type);
}

/** Exported types of options that no section has. */
function missing() {
  const names = DOORS.flatMap((file) => {
    const source = program.getSourceFile(join(ROOT, 'src', file));
    return checker.getExportsOfModule(checker.getSymbolAtLocation(source)).flatMap((symbol) => {
      const origin = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const type = checker.getDeclaredTypeOfSymbol(origin);
      const isThere = (type.isUnion() ? type.types : [type]).every((one) =>
        reached.has((one.isUnion() ? undefined : one.symbol?.name) ?? origin.name),
      );
      return /^(?!Resolved)\w*(Options|Limits)$/.test(symbol.name) && !isThere ? [symbol.name] : [];
    });
  });
  return [...new Set(names)].filter((name) => !TOLD.includes(name));
}

const head = `# Options, A to Z

Every option of the package, made from the code by \`node scripts/generate-options.mjs\`; do not edit it by hand. Durations are in milliseconds and end in \`Ms\`. An option that is not known is refused, with the nearest name that is. What is shown as \`list of\` may have several of the same kind. \`createMysqlCluster\`, \`createSessionStore\` and \`createTieredCache\` take what is under \`mysql\`, \`sessions\` and \`cache\` of \`createCluster\`. Every call that waits takes \`{ timeoutMs, signal }\`.

`;
const page = head + TAKERS.map(section).join('\n');
const left = missing();
if (left.length > 0)
  throw new Error(`No section of docs/options.md has ${left.join(', ')}: add what takes them to TAKERS`);
if (silent.length > 0)
  throw new Error(
    `The comments of these options do not say their default ("Default 5."): ${silent.join(', ')}`,
  );
if (process.argv.includes('--check')) {
  const isSame = readFileSync(PAGE, 'utf8') === page;
  process.stderr.write(
    isSame ? '' : 'docs/options.md is out of date; run `node scripts/generate-options.mjs`\n',
  );
  process.exitCode = isSame ? 0 : 1;
} else writeFileSync(PAGE, page);
