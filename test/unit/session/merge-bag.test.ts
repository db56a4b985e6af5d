import { expect, test } from 'vitest';
import { encodeSession, PhpObject, SessionDocument, type SessionHandler } from '../../../src/php/index.js';
import { mergeRivals } from '../../../src/session/merge-rivals.js';
import { Session } from '../../../src/session/session.js';
import { mergeSession, type VariableConflict } from '../../../src/session/session-merge.js';

type Variables = Record<string, unknown>;
type Edit = (data: Variables) => void;

const HANDLERS = ['php', 'php_serialize', 'php_binary', 'igbinary'] as const;

/** What is stored after `edit` was saved onto what somebody else made of the same session. */
function merge(
  base: Variables,
  edit: Edit,
  theirs: Variables,
  decide: (conflict: VariableConflict) => 'ours' | 'theirs' = () => 'ours',
  handler: SessionHandler = 'php',
) {
  const decode = (variables: Variables) =>
    SessionDocument.decode(encodeSession(variables, handler), handler, undefined, 'later');
  const session = Session.stored('id', decode(base));
  edit(session.data);
  const changes = session.pendingChanges() ?? new Map();
  const { bytes, decided } = mergeSession(session.base, changes, decode(theirs), decide);
  return { data: Session.stored('id', SessionDocument.decode(bytes, handler)).data, decided };
}

test.each(HANDLERS)('what two sides set in the attributes of Symfony is all there (%s)', (handler) => {
  const merged = merge(
    { _sf2_attributes: { cart: ['a'], old: 1, kept: 1.5 }, other: 1 },
    (data) => {
      const bag = data['_sf2_attributes'] as { cart: string[]; old?: number };
      bag.cart.push('node');
      delete bag.old;
    },
    { _sf2_attributes: { cart: ['a'], old: 1, kept: 2.5, user: 'ada', 7: 'x' }, other: 1 },
    undefined,
    handler,
  );
  expect(merged).toEqual({
    data: { _sf2_attributes: { cart: ['a', 'node'], kept: 2.5, user: 'ada', 7: 'x' }, other: 1 },
    decided: [],
  });
});

test.each([
  ['from nothing', {}, { _sf2_attributes: { user: 'ada' } }],
  ["from PHP's empty array", { _sf2_attributes: [] }, { _sf2_attributes: { user: 'ada' } }],
])('attributes that both sides begin are one bag: %s', (_what, base, theirs) => {
  const edit: Edit = (data) => {
    data['_sf2_attributes'] = { cart: [1] };
  };
  expect(merge(base, edit, theirs).data).toEqual({ _sf2_attributes: { user: 'ada', cart: [1] } });
});

test('an attribute that both sides changed is a conflict of that attribute', () => {
  const seen: unknown[] = [];
  const conflict = (kept: 'ours' | 'theirs') =>
    merge(
      { _sf2_attributes: { n: 1, lang: 'de' } },
      (data) => {
        data['_sf2_attributes'] = { n: 2, lang: 'de' };
      },
      { _sf2_attributes: { n: 3, lang: 'fr' } },
      ({ name, entry, base, theirs }) => {
        seen.push([name, entry, String(base), String(theirs)]);
        return kept;
      },
    );
  const decided = (kept: string) => [{ variable: '_sf2_attributes', entry: 'n', kept }];
  expect(conflict('ours')).toEqual({
    data: { _sf2_attributes: { n: 2, lang: 'fr' } },
    decided: decided('ours'),
  });
  expect(conflict('theirs')).toEqual({
    data: { _sf2_attributes: { n: 3, lang: 'fr' } },
    decided: decided('theirs'),
  });
  expect(seen).toEqual(Array(2).fill(['_sf2_attributes', 'n', 'i:1;', 'i:3;']));
});

test.each([
  ['emptied', { _sf2_attributes: [] }],
  ['taken away', {}],
])('a login whose attributes were %s meanwhile does not come back with an attribute', (_what, theirs) => {
  const merged = merge(
    { _sf2_attributes: { _security_main: 'TOKEN', cart: [1] } },
    (data) => (data['_sf2_attributes'] as { cart: number[] }).cart.push(2),
    theirs,
  );
  expect(merged.data).toEqual({ _sf2_attributes: { cart: [1, 2] } });
});

test('attributes that are no array any more are a conflict of the variable', () => {
  const merged = merge(
    { _sf2_attributes: { n: 1 } },
    (data) => {
      data['_sf2_attributes'] = { n: 2 };
    },
    { _sf2_attributes: 'none' },
  );
  expect(merged).toEqual({
    data: { _sf2_attributes: { n: 2 } },
    decided: [{ variable: '_sf2_attributes', kept: 'ours' }],
  });
});

test('a message that a page showed does not come back with one that Node adds, and none is lost', () => {
  const edit: Edit = (data) => {
    data['_symfony_flashes'] = { notice: ['one', 'node'] };
  };
  const after = (theirs: Variables) =>
    merge({ _symfony_flashes: { notice: ['one'] } }, edit, { _symfony_flashes: theirs });
  expect(after({})).toEqual({ data: { _symfony_flashes: { notice: ['node'] } }, decided: [] });
  expect(after({ notice: ['one', 'php'], error: ['e'] })).toEqual({
    data: { _symfony_flashes: { notice: ['one', 'php', 'node'], error: ['e'] } },
    decided: [],
  });
});

test('messages that Node took are gone, and those that came meanwhile are not', () => {
  const merged = merge(
    { _symfony_flashes: { notice: ['one'] } },
    (data) => {
      data['_symfony_flashes'] = {};
    },
    { _symfony_flashes: { notice: ['one', 'two'] } },
  );
  expect(merged.data).toEqual({ _symfony_flashes: { notice: ['two'] } });
});

test("the names of Laravel's flash data are those of both sides", () => {
  const merged = merge(
    { _flash: { old: [], new: ['a'] } },
    (data) => {
      data['status'] = 'ok';
      data['_flash'] = { old: ['status'], new: ['a'] };
    },
    { _flash: { old: ['a'], new: ['b'] }, b: 1 },
  );
  expect(merged).toEqual({
    data: { _flash: { old: ['a', 'status'], new: ['b'] }, b: 1, status: 'ok' },
    decided: [],
  });
});

test.each(HANDLERS)(
  'an object that attributes and other variables share stays one object (%s)',
  (handler) => {
    const user = new PhpObject('User', [['name', 'ada']]);
    const merged = merge(
      { _sf2_attributes: { user, cart: { of: user, n: 1 } }, who: user },
      (data) => {
        (data['_sf2_attributes'] as { cart: { n: number } }).cart.n = 2;
      },
      { _sf2_attributes: { user, cart: { of: user, n: 1 }, lang: 'fr' }, who: user },
      undefined,
      handler,
    );
    const bag = merged.data['_sf2_attributes'] as Variables & { cart: Variables };
    expect([bag['lang'], bag.cart['n'], (bag['user'] as PhpObject).get('name')]).toEqual(['fr', 2, 'ada']);
    expect(bag['user']).toBe(merged.data['who']);
    expect(bag.cart['of']).toBe(merged.data['who']);
  },
);

test('copies that nobody can decide about keep the attributes of both', () => {
  const copy = (attributes: Variables) => encodeSession({ _sf2_attributes: attributes }, 'php');
  const { bytes, decided } = mergeRivals(copy({ a: 1, n: 1 }), [copy({ b: 2, n: 1 }), copy({ c: 3 })], 'php');
  expect(Session.stored('id', SessionDocument.decode(bytes, 'php')).data).toEqual({
    _sf2_attributes: { a: 1, n: 1, b: 2, c: 3 },
  });
  expect(decided).toEqual([]);
  const differing = mergeRivals(copy({ n: 1 }), [copy({ n: 2, b: 2 })], 'php');
  expect(differing.decided).toEqual(['_sf2_attributes']);
  expect(String(differing.bytes)).toBe('_sf2_attributes|a:2:{s:1:"n";i:1;s:1:"b";i:2;}');
});
