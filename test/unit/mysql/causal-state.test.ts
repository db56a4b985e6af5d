import { describe, expect, test } from 'vitest';
import { CausalState, readCausalToken } from '../../../src/mysql/causal-state.js';
import { type GtidPosition, readAnyGtidPosition } from '../../../src/topology/gtid-position.js';

const A = '11111111-2222-3333-4444-555555555555';
function at(text: string): GtidPosition {
  const position = readAnyGtidPosition(text);
  if (position === undefined) throw new Error(text);
  return position;
}

describe('a token', () => {
  test.each([
    ['', undefined, false],
    ['*', undefined, true],
    ['0-1-5', '0-1-5', false],
    ['*,0-1-5', '0-1-5', true],
    ['0-1-5,0-2-9,1-1-3', '0-2-9,1-1-3', false],
    [`${A.toUpperCase()}:1-3:5`, `${A}:1-3:5`, false],
    [`${A}:7,${A}:tag:1-2:4`, `${A}:7,${A}:tag:1-2:4`, false],
  ])('%j is read', (text, wanted, untold) => {
    const token = readCausalToken(text);
    expect([token?.wanted?.text, token?.untold]).toEqual([wanted, untold]);
  });

  test.each(['x', '*0-1-5', '0-1', A, `${A}:5-1`, "0-1-1')", '*,', `0-1-5,${A}:1`, '0-1-5;'.repeat(20_000)])(
    '%.30j is none',
    (text) => {
      const token = readCausalToken(text);
      // A star with nothing behind it is the star.
      if (text === '*,') expect(token).toEqual({ wanted: undefined, untold: true });
      else expect(token).toBeUndefined();
    },
  );
});

describe('the state of a scope', () => {
  test('is the union of its GTIDs on MySQL, tagged ones too, since a later one does not imply an earlier one', () => {
    const state = new CausalState();
    for (const text of [`${A}:7`, `${A}:9`, `${A}:tag:3`, `${A}:8`]) state.noteWritten(at(text));
    expect(state.token).toBe(`${A}:7-9,${A}:tag:3`);
  });

  test('of a long job beside others stays short, and one position of the primary makes it whole again', () => {
    const outer = new CausalState();
    const state = new CausalState(outer);
    for (let write = 1; write <= 20_000; write += 1) state.noteWritten(at(`${A}:${write * 2}`), 'a');
    for (const each of [state, outer]) {
      expect(each.token.length).toBeLessThan(4_096);
      expect([each.needsPrimary, each.isUntold]).toEqual([true, true]);
      expect(readCausalToken(each.token)).toMatchObject({ untold: true });
    }
    state.beginPosition()(at(`${A}:1-40000`));
    state.noteWritten(at(`${A}:40002`), 'a');
    for (const each of [state, outer])
      expect([each.token, each.needsPrimary]).toEqual([`${A}:1-40000:40002`, false]);
  });

  test('never gives a token that is too long to be read again', () => {
    const state = new CausalState();
    const odd = Array.from({ length: 20_000 }, (_, index) => index * 2 + 1);
    state.noteWritten(at(`${A}:${odd.join(':')}`));
    expect(state.token).toBe('*');
    state.noteUntold();
    expect(state.token).toBe('*');
    expect(readCausalToken(state.token)).toEqual({ wanted: undefined, untold: true });
  });

  test('is the highest GTID per domain on MariaDB', () => {
    const state = new CausalState();
    for (const text of ['0-1-7', '2-1-1', '0-1-6', '0-3-8']) state.noteWritten(at(text));
    expect(state.token).toBe('0-3-8,2-1-1');
  });

  test('needs the primary while a write is under way, and from an untold one until the position is read', () => {
    const state = new CausalState();
    const end = state.beginWrite();
    expect([state.needsPrimary, state.token, state.isUntold]).toEqual([true, '*', false]);
    end();
    expect(state.needsPrimary).toBe(false);
    state.noteUntold();
    expect([state.needsPrimary, state.token]).toEqual([true, '*']);
    state.beginPosition()(at('0-1-9'));
    expect([state.needsPrimary, state.token, state.wrote]).toEqual([false, '0-1-9', true]);
  });

  test('stays untold when something was written while the position was read', () => {
    const state = new CausalState();
    state.noteUntold();
    const take = state.beginPosition();
    state.noteUntold();
    take(at('0-1-9'));
    expect([state.needsPrimary, state.token]).toEqual([true, '*,0-1-9']);
  });

  test('needs the primary for good when that has no position, or one of another family', () => {
    const state = new CausalState();
    state.noteUntold();
    state.beginPosition()(undefined);
    expect(state.needsPrimary).toBe(true);
    const mixed = new CausalState();
    mixed.noteWritten(at('0-1-1'));
    mixed.noteWritten(at(`${A}:1`));
    expect(mixed.needsPrimary).toBe(true);
  });

  test('begins with what the outer one wants, and tells it what is written', () => {
    const outer = new CausalState();
    outer.noteWritten(at('0-1-5'));
    const inner = new CausalState(outer);
    inner.include({ wanted: at('1-1-1'), untold: false });
    expect([inner.token, outer.token]).toEqual(['0-1-5,1-1-1', '0-1-5']);
    inner.noteWritten(at('0-1-6'));
    expect([inner.token, outer.token]).toEqual(['0-1-6,1-1-1', '0-1-6']);
    inner.noteUntold();
    expect(outer.needsPrimary).toBe(true);
    inner.beginPosition()(at('0-1-7'));
    expect([outer.token, outer.needsPrimary]).toEqual(['0-1-7', false]);
  });
});
