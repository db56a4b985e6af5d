import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type GtidPosition,
  gtidReached,
  gtidsContained,
  hasOrWrote,
  hasReached,
  readAnyGtidPosition,
} from '../../../src/topology/gtid-position.js';
import { mysqlGtidSet } from '../../../src/topology/mysql-gtid-set.js';
import type { ServerFacts } from '../../../src/topology/node-description.js';
import { master } from '../../spec/topology/made-up-servers.js';

const A = '11111111-2222-3333-4444-555555555555';
const B = 'AAAAAAAA-2222-3333-4444-555555555555';
const mysql = (gtid: string): ServerFacts => master('a', { gtid });
const mariadb = (gtid: string, gtidState?: string): ServerFacts =>
  master('a', { flavor: 'mariadb', gtid, ...(gtidState === undefined ? {} : { gtidState }) });

describe('on MySQL', () => {
  test.each([
    [`${A}:1-10`, `${A}:5`, true],
    [`${A}:1-10`, `${A}:10-11`, false],
    [`${A}:1-4:6-10`, `${A}:4-6`, false],
    [`${A}:1-4:5-10`, `${A}:4-6`, true],
    [`${A}:6-10:1-5`, `${A}:1-10`, true],
    [`${A}:1-10`, `${B}:1`, false],
    [`${A}:1-10,\n${B}:1-3`, `${B.toLowerCase()}:2,${A}:1`, true],
    [`${A}:tag:1-3`, `${A}:1`, false],
    [`${A}:1-5:tag:1-3`, `${A}:TAG:2:3`, true],
    [`${A}:1-10`, '', true],
    ['', `${A}:1`, false],
    [`${A}:9223372036854775800-9223372036854775806`, `${A}:9223372036854775806`, true],
    [`${A}:9007199254740992`, `${A}:9007199254740993`, false],
  ])('a server at %j has reached %j: %s', (position, token, reached) => {
    expect(gtidReached('mysql', position, token)).toBe(reached);
  });

  test.each([
    ...['garbage', A, `${A}:`, `${A}:0`, `${A}:5-3`, `${A}:1-2-3`, `${A}:-1`, '0-1-5', `${A}:1;${B}:1`],
    // No server has numbers that large: each refuses to wait for them.
    ...[`${A}:9223372036854775807`, `${A}:1-9999999999999999999`],
  ])('a set that cannot be read proves nothing: %j', (text) => {
    expect(mysqlGtidSet(text)).toBeUndefined();
    expect(gtidReached('mysql', `${A}:1-10`, text)).toBe(false);
    expect(gtidReached('mysql', text, `${A}:1`)).toBe(false);
  });

  test('a position contains exactly the numbers in it', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 25 });
    fc.assert(
      fc.property(numbers, numbers, (whole, part) => {
        const set = (values: number[]): string => (values.length === 0 ? '' : `${A}:${values.join(':')}`);
        expect(gtidReached('mysql', set(whole), set(part))).toBe(part.every((n) => whole.includes(n)));
      }),
    );
  });

  test('a very long set is read in linear time', () => {
    const text = `${A}:${Array.from({ length: 50_000 }, (_, n) => `${2 * n + 1}`).join(':')}`;
    expect(gtidReached('mysql', text, `${A}:99999`)).toBe(true);
  });
});

describe('on MariaDB', () => {
  test.each([
    ['0-1-10', '0-1-10', true],
    ['0-1-10', '0-1-11', false],
    ['0-2-10', '0-1-9', true],
    ['0-1-10', '1-1-1', false],
    ['0-1-10, 1-5-7', '1-9-7', true],
    ['0-1-10', '0-1-5,1-1-1', false],
    ['0-1-10', '', true],
    ['', '0-1-1', false],
    ['0-1-10', '0-1', false],
    ['0-1-10', 'x', false],
    ['0-1-18446744073709551615', '0-1-18446744073709551614', true],
  ])('a server at %j has reached %j: %s', (position, token, reached) => {
    expect(gtidReached('mariadb', position, token)).toBe(reached);
  });
});

test.each(['0-1-18446744073709551616', '0-1-99999999999999999999', '4294967296-1-1', '0-9999999999-1'])(
  'no server of MariaDB has numbers as large as %s, and each refuses to wait for them',
  (text) => {
    expect(readAnyGtidPosition('4294967295-4294967295-18446744073709551615')).toBeDefined();
    expect(readAnyGtidPosition(text)).toBeUndefined();
  },
);

describe('what a look at a server on MariaDB proves', () => {
  const at = (applied: string, log = '', own = applied): ServerFacts => ({
    ...mariadb(own, log),
    serverId: 1,
    gtidApplied: applied,
  });
  const position = (text: string): GtidPosition => {
    const read = readAnyGtidPosition(text);
    if (read === undefined) throw new Error(text);
    return read;
  };

  test.each([
    ['0-1-9', '', '0-1-9', true],
    ['0-1-9', '', '0-1-10', false],
    // Another server between the primary and this one has written, too.
    ['0-2-14', '', '0-1-9', false],
    ['0-2-14', '0-1-8,0-2-14', '0-1-9', false],
    ['0-2-14', '0-1-9,0-2-14', '0-1-9', true],
    ['0-2-14,3-1-1', '0-1-9,0-2-14', '0-1-9,3-1-1', true],
    // A transaction is in the log before anybody sees what it changed.
    ['0-1-8', '0-1-9', '0-1-9', false],
    ['0-2-8', '0-2-8,0-1-9', '0-1-9', false],
    ['3-1-20', '3-1-20,0-1-9', '0-1-9', false],
    ['', '0-1-9', '0-1-9', false],
    // What it wrote itself, as the primary that it was, is in the log only.
    ['0-1-8', '0-1-8,0-7-9', '0-7-9', true],
    ['', '0-7-9', '0-7-9', true],
  ])('a replica at %j that logged %j has %j: %s', (applied, log, wanted, reached) => {
    expect(hasReached({ ...at(applied, log), serverId: 7 }, position(wanted))).toBe(reached);
  });

  test('a primary has what it wrote since, and of others what it is seen to have', () => {
    expect(hasOrWrote(at('0-1-5'), position('0-1-900'))).toBe(true);
    expect(hasOrWrote(at('0-1-5'), position('0-2-6'))).toBe(false);
    expect(hasOrWrote(at('0-1-5', '0-2-3,0-1-5'), position('0-2-3,3-1-4'))).toBe(true);
    expect(hasOrWrote(at('0-2-2', '0-2-3'), position('0-2-3'))).toBe(false);
    // A promoted server whose `gtid_slave_pos` was emptied.
    expect(hasOrWrote(at('', '0-2-3'), position('0-2-3'))).toBe(true);
    expect(hasOrWrote({ ...mysql(`${B}:1-5`), serverUuid: A }, position(`${A}:1-900,${B}:2`))).toBe(true);
    expect(hasOrWrote({ ...mysql(`${B}:1-5`), serverUuid: A }, position(`${A}:1,${B}:6`))).toBe(false);
  });
});

describe('a proof that a newer server has all of an older one', () => {
  test('MySQL sets prove it', () => {
    expect(gtidsContained(mysql(`${A}:1-5`), mysql(`${A}:1-5,${B}:1`))).toBe(true);
    expect(gtidsContained(mysql(`${A}:1-6`), mysql(`${A}:1-5,${B}:1`))).toBe(false);
  });

  test('on MariaDB the binlog state proves it, a higher sequence of another server does not', () => {
    expect(gtidsContained(mariadb('0-1-5'), mariadb('0-2-9'))).toBe(false);
    expect(gtidsContained(mariadb('0-1-5'), mariadb('0-1-9'))).toBe(true);
    expect(gtidsContained(mariadb('0-1-5', '0-1-5'), mariadb('0-2-9', '0-1-5,0-2-9'))).toBe(true);
    expect(gtidsContained(mariadb('0-1-7', '0-1-7'), mariadb('0-2-9', '0-1-5,0-2-9'))).toBe(false);
  });

  test('without GTIDs, or between flavors, there is none', () => {
    expect(gtidsContained(mysql(''), mysql(`${A}:1-5`))).toBe(false);
    expect(gtidsContained(mysql(`${A}:1-5`), mysql(''))).toBe(false);
    expect(gtidsContained(mysql(''), mysql(''))).toBe(false);
    expect(gtidsContained(mariadb('0-1-5'), mysql(`${A}:1-5`))).toBe(false);
  });
});
