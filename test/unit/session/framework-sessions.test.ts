import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { encodeSession, SessionDocument } from '../../../src/php/index.js';
import { laravelSession } from '../../../src/session/laravel-session.js';
import { Session } from '../../../src/session/session.js';
import { symfonySession } from '../../../src/session/symfony-session.js';

const open = (variables: Record<string, unknown>): Session =>
  Session.stored('id', SessionDocument.decode(encodeSession(variables, 'php'), 'php'));

test.each([
  ['that is new', {}],
  ['without attributes', { n: 1 }],
  ['with an empty array of PHP', { _sf2_attributes: [], _symfony_flashes: [] }],
])('who only looks into a session of Symfony %s changes nothing', (_what, variables) => {
  const session = open(variables);
  const view = symfonySession(session.data);
  expect(view.attributes['cart'] ?? 'none').toBe('none');
  expect(Object.keys(view.attributes)).toEqual([]);
  delete view.attributes['cart'];
  expect(view.takeFlashes('notice')).toEqual([]);
  expect(session.changed).toBe(false);
});

test('what is set in attributes that were not there is in the session, through every view of them', () => {
  const session = open({});
  const view = symfonySession(session.data);
  const { attributes } = view;
  attributes['cart'] = [1];
  Object.assign(view.attributes, { user: 'ada' });
  attributes['late'] = true;
  delete attributes['cart'];
  expect(session.data).toEqual({ _sf2_attributes: { user: 'ada', late: true } });
  expect(session.changed).toBe(true);
  expect(open(session.data).data).toEqual(session.data);
});

test.each([
  ['no attributes', {}],
  ['an empty array of PHP', { _sf2_attributes: [] }],
])('attributes taken twice of a session with %s are the same attributes', (_what, variables) => {
  const session = open(variables);
  const view = symfonySession(session.data);
  const first = view.attributes;
  const another = symfonySession(session.data).attributes;
  view.attributes['user'] = 'ada';
  first['cart'] = ['lamp'];
  another['late'] = 1;
  expect(session.data).toEqual({ _sf2_attributes: { user: 'ada', cart: ['lamp'], late: 1 } });
  expect({ ...first }).toEqual({ ...another });
});

test('attributes that are held go on with those that a save brought', () => {
  const session = open({ _sf2_attributes: { cart: [] } });
  const { attributes } = symfonySession(session.data);
  attributes['n'] = 1;
  const changes = session.pendingChanges() ?? new Map();
  const ours = SessionDocument.decode(session.base.encodeWith(changes), 'php');
  const stored = encodeSession({ _sf2_attributes: { cart: [], n: 1, user: 'ada' } }, 'php');
  session.wrote(SessionDocument.decode(stored, 'php'), ours);
  expect(attributes['user']).toBe('ada');
  attributes['late'] = true;
  expect(session.data).toEqual({ _sf2_attributes: { cart: [], n: 1, user: 'ada', late: true } });
});

test('attributes look like a plain object', () => {
  const { attributes } = symfonySession(open({ _sf2_attributes: { a: 1, b: [2] } }).data);
  expect(Object.entries(attributes)).toEqual([
    ['a', 1],
    ['b', [2]],
  ]);
  expect('a' in attributes && !('c' in attributes) && Object.hasOwn(attributes, 'b')).toBe(true);
  expect(JSON.stringify(attributes)).toBe('{"a":1,"b":[2]}');
  expect(inspect(attributes)).toBe('{ a: 1, b: [ 2 ] }');
  expect(() => Object.freeze(attributes)).toThrow(TypeError);
});

test('attributes that PHP has as a list are changed in place', () => {
  const session = open({ _sf2_attributes: ['a', 'b'] });
  symfonySession(session.data).attributes['1'] = 'c';
  expect(session.data).toEqual({ _sf2_attributes: { 0: 'a', 1: 'c' } });
});

test('messages of Symfony whose array has gaps are messages', () => {
  const session = open({ _symfony_flashes: { notice: { 0: 'one', 2: 'three' } } });
  const view = symfonySession(session.data);
  view.addFlash('notice', 'four');
  expect(view.takeFlashes('notice')).toEqual(['one', 'three', 'four']);
  expect(view.takeFlashes('notice')).toEqual([]);
});

test("Laravel's lists of flash data may have gaps, and none of their names is forgotten", () => {
  const session = open({ _flash: { old: { 1: 'a', 3: 'b' }, new: { 0: 'name', 2: 'email' } } });
  laravelSession(session.data).flash('email', 'x');
  expect(session.data['_flash']).toEqual({ old: ['a', 'b', 'email'], new: ['name'] });
});
