/** Generated sessions of Symfony and Laravel that PHP and Node change at once, compared with a model of what must be stored. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SessionHandler } from '../../src/php/index.js';
import { laravelSession } from '../../src/session/laravel-session.js';
import { symfonySession } from '../../src/session/symfony-session.js';
import { sessionSuite } from './session-suite.js';

const suite = sessionSuite('merged');

type Json = Record<string, unknown>;
/** What a side does: `[verb, name, value]`. */
type Step = readonly [verb: string, name: string, value: unknown];
interface Game {
  readonly base: Json;
  readonly php: readonly Step[];
  readonly node: readonly Step[];
}

const SESSIONS = 60;
const name = fc.constantFrom('a', 'b', 'c', '7');
const value = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom('text', 'ünï', 1.5, true),
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
  fc.dictionary(fc.constantFrom('x', 'y'), fc.integer({ min: 0, max: 3 }), { minKeys: 1 }),
);
const verb = fc.constantFrom('set', 'set', 'delete', 'flash', 'take', 'variable');
const steps = fc.array(fc.tuple(verb, name, value), { minLength: 0, maxLength: 4 });
const bag = fc.dictionary(name, value);
const messages = fc.dictionary(fc.constantFrom('a', 'b'), fc.constant(['before']));
const names = fc.uniqueArray(
  name.map((key) => `f${key}`),
  { maxLength: 2 },
);

const symfony = fc.record({
  base: fc.record(
    { _sf2_attributes: bag, _symfony_flashes: messages, other: fc.constant(1) },
    { requiredKeys: [] },
  ),
  php: steps,
  node: steps,
});
const laravel = fc.record({
  base: fc.tuple(bag, fc.record({ old: names, new: names })).map(
    ([variables, _flash]): Json => ({
      ...Object.fromEntries(Object.entries(variables).map(([key, item]) => [`v${key}`, item])),
      _flash,
    }),
  ),
  php: steps,
  node: steps,
});

/** What a page does, as the frameworks do it: Symfony's bags are bound to its objects with &. */
const PAGE = `
  function symfony($steps) {
    foreach (['_sf2_attributes', '_symfony_flashes'] as $key) $_SESSION[$key] = $_SESSION[$key] ?? [];
    $attributes = &$_SESSION['_sf2_attributes'];
    $flashes = &$_SESSION['_symfony_flashes'];
    foreach ($steps as [$verb, $name, $value]) {
      if ($verb === 'set') $attributes[$name] = $value;
      if ($verb === 'delete') unset($attributes[$name]);
      if ($verb === 'flash') $flashes[$name][] = $value;
      if ($verb === 'take') unset($flashes[$name]);
      if ($verb === 'variable') $_SESSION["v$name"] = $value;
    }
  }
  function laravel($steps) {
    foreach ($steps as [$verb, $name, $value]) {
      if ($verb === 'set' || $verb === 'variable') $_SESSION["v$name"] = $value;
      if ($verb === 'delete') unset($_SESSION["v$name"]);
      if ($verb === 'flash') {
        $_SESSION["f$name"] = $value;
        $_SESSION['_flash']['new'] = array_values(array_unique([...$_SESSION['_flash']['new'], "f$name"]));
        $_SESSION['_flash']['old'] = array_diff($_SESSION['_flash']['old'], ["f$name"]);
      }
      if ($verb === 'take') {
        foreach ($_SESSION['_flash']['old'] as $old) unset($_SESSION[$old]);
        $_SESSION['_flash']['old'] = $_SESSION['_flash']['new'];
        $_SESSION['_flash']['new'] = [];
      }
    }
  }`;

function onNode(framework: 'symfony' | 'laravel', data: Json, all: readonly Step[]): void {
  const view = symfonySession(data);
  for (const [what, key, given] of all) {
    if (framework === 'symfony') {
      if (what === 'set') view.attributes[key] = given;
      if (what === 'delete') delete view.attributes[key];
      if (what === 'flash') view.addFlash(key, given);
      if (what === 'take') view.takeFlashes(key);
      if (what === 'variable') data[`v${key}`] = given;
    } else {
      if (what === 'set' || what === 'variable') data[`v${key}`] = given;
      if (what === 'delete') delete data[`v${key}`];
      if (what === 'flash') laravelSession(data).flash(`f${key}`, given);
    }
  }
}

const text = (json: unknown): string | undefined => JSON.stringify(json);
const isEmpty = (json: unknown): boolean =>
  json === undefined || (typeof json === 'object' && json !== null && Object.keys(json).length === 0);

/** Without what is empty: PHP has one kind of empty array, and a bag may be missing or empty. */
function tidy(session: Json): Json {
  const inside = (json: unknown): unknown =>
    typeof json === 'object' && json !== null && !Array.isArray(json)
      ? Object.fromEntries(Object.entries(json).filter(([, item]) => !isEmpty(item)))
      : json;
  return Object.fromEntries(
    Object.entries(session)
      .map(([key, json]) => [key, BAGS.includes(key) ? inside(json) : json] as const)
      .filter(([, json]) => !isEmpty(json)),
  );
}

const BAGS = ['_sf2_attributes', '_symfony_flashes', '_flash'];

/** What the later of two, Node, must leave: key by key what it changed, and else what PHP left. */
function expected(base: Json, php: Json, node: Json, inBags: boolean): Json {
  const merge = (from: Json, theirs: Json, ours: Json, key: string): unknown => {
    if (text(from[key]) === text(ours[key])) return theirs[key];
    if (text(from[key]) === text(theirs[key])) return ours[key];
    if (!inBags || !BAGS.includes(key)) return ours[key];
    const [was, there, here] = [from, theirs, ours].map((side) => (side[key] ?? {}) as Json) as [
      Json,
      Json,
      Json,
    ];
    const entries = new Set([was, there, here].flatMap((side) => Object.keys(side)));
    return Object.fromEntries(
      [...entries].map((entry) => [
        entry,
        key === '_sf2_attributes'
          ? merge(was, there, here, entry)
          : lists(was[entry], there[entry], here[entry]),
      ]),
    );
  };
  return Object.fromEntries(
    [...new Set([base, php, node].flatMap((side) => Object.keys(side)))].map((key) => [
      key,
      merge(base, php, node, key),
    ]),
  );
}

/** Theirs without what we took, and what we added behind it; what both say is said as often as the one who says it more often does. */
function lists(base: unknown, theirs: unknown, ours: unknown): unknown[] {
  const [was, there, here] = [base, theirs, ours].map((list) => Object.values(list ?? []).map(text));
  const count = (list: typeof was, item: string | undefined): number =>
    (list ?? []).filter((one) => one === item).length;
  const result = [...(there ?? [])];
  for (const item of new Set([...(was ?? []), ...(here ?? [])])) {
    const change = count(here, item) - count(was, item);
    const gained = Math.max(0, count(there, item) - count(was, item));
    for (let taken = 0; taken < -change && result.includes(item); taken += 1)
      result.splice(result.indexOf(item), 1);
    for (let added = gained; added < change; added += 1) result.push(item);
  }
  return result.map((item) => JSON.parse(item ?? 'null') as unknown).sort(byText);
}

const byText = (one: unknown, other: unknown): number => ((text(one) ?? '') < (text(other) ?? '') ? -1 : 1);

/** The order of messages is not compared. */
function unordered(session: Json): Json {
  return Object.fromEntries(
    Object.entries(session).map(([key, json]) => [
      key,
      key === '_symfony_flashes' || key === '_flash'
        ? Object.fromEntries(
            Object.entries(json as Json).map(([k, list]) => [
              k,
              Object.values(list as unknown[]).sort(byText),
            ]),
          )
        : json,
    ]),
  );
}

const plain = (data: unknown): Json => JSON.parse(JSON.stringify(data)) as Json;

test.each<['symfony' | 'laravel', SessionHandler]>([
  ['symfony', 'php'],
  ['symfony', 'igbinary'],
  ['laravel', 'php_serialize'],
])('%s, %s: what either side changed is there', async (framework, serialize) => {
  // All sessions at once, on nodes whose proxies live in this process: how long that takes is not what is tried.
  const store = await suite.openStore({ serialize, operationTimeoutMs: 30_000 });
  const ini = {
    'session.serialize_handler': serialize,
    'session.use_cookies': 0,
    'session.cache_limiter': '',
    'session.use_strict_mode': 0,
  };
  /** Runs `code` in each of the sessions, and gives them as they are then. */
  const pages = async (
    ids: Readonly<Record<string, readonly Step[]>>,
    code: string,
  ): Promise<Record<string, Json>> => {
    const given = Buffer.from(JSON.stringify(ids)).toString('base64');
    const { stdout, stderr } = await suite.servers.php(
      `<?php ${PAGE} $seen = [];
      foreach (json_decode(base64_decode('${given}'), true) as $id => $steps) {
        session_id($id);
        session_start();
        ${code}
        $seen[$id] = json_decode(json_encode($_SESSION));
        session_write_close();
      }
      echo json_encode($seen);`,
      { ini },
    );
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<string, Json>;
  };
  const games = fc.sample<Game>(framework === 'symfony' ? symfony : laravel, {
    seed: 20_26,
    numRuns: SESSIONS,
  });
  const played = await Promise.all(
    games.map(async (game) => {
      const id = suite.newId();
      const first = await store.load(id);
      Object.assign(first.data, structuredClone(game.base), { kept: 1 });
      await store.save(first);
      const session = await store.load(id);
      const base = plain(session.data);
      onNode(framework, session.data, game.node);
      return { id, game, base, session, node: plain(session.data) };
    }),
  );
  const php = await pages(
    Object.fromEntries(played.map(({ id, game }) => [id, game.php])),
    `${framework}($steps);`,
  );
  const outcomes = new Map<string, string>();
  for (const { id, session } of played) outcomes.set(id, (await store.save(session)).outcome);
  const stored = await pages(Object.fromEntries(played.map(({ id }) => [id, []])), '');
  let matters = 0;
  for (const { id, game, base, session, node } of played) {
    const [theirs, now] = [php[id] ?? {}, unordered(tidy(stored[id] ?? {}))];
    const wanted = unordered(tidy(expected(base, theirs, node, true)));
    expect(now, JSON.stringify(game)).toEqual(wanted);
    // What was not changed was not read again either.
    if (outcomes.get(id) === 'saved')
      expect(unordered(tidy(plain(session.data))), JSON.stringify(game)).toEqual(wanted);
    if (text(wanted) !== text(unordered(tidy(expected(base, theirs, node, false))))) matters += 1;
  }
  // Merged variable by variable, these would have lost something.
  expect(matters).toBeGreaterThan(3);
});
