import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TierView } from '../../../../src/failover/php-tier/tier-view.js';
import {
  nextDocument,
  readDocument,
  type TopologyDocument,
  writeDocument,
} from '../../../../src/failover/php-tier/topology-document.js';

const node = (id: string): TierView['replicas'][number] => ({
  id,
  address: { host: id, port: 3306 },
  weight: 1,
  lagMs: 0,
});
const view = (primary: string | null): TierView => ({
  primary: primary === null ? null : node(primary),
  replicas: [node('c')],
  failure: null,
});
const next = (primary: string | null, epoch: number, before?: TopologyDocument): TopologyDocument =>
  nextDocument(view(primary), {
    cluster: 'shop',
    writer: 'w',
    epoch,
    at: 1_000_500,
    validForMs: 3_000,
    before,
  });

test('it says who, since when and until when, in seconds', () => {
  expect(next('a', 1)).toEqual({
    format: 1,
    cluster: 'shop',
    writer: 'w',
    epoch: 1,
    at: 1_000.5,
    valid_until: 1_003.5,
    primary: { id: 'a', host: 'a', port: 3306, socket: null, weight: 1, lag_ms: 0 },
    last_primary: 'a',
    replicas: [{ id: 'c', host: 'c', port: 3306, socket: null, weight: 1, lag_ms: 0 }],
    failure: null,
  });
});

test('the epoch grows with every other primary and never falls, whoever writes', () => {
  const first = next('a', 7);
  // A process that was started later counted less.
  const second = next('a', 1, first);
  const lost = next(null, 1, second);
  const third = next('b', 1, lost);
  const back = next('a', 1, third);
  expect([first, second, lost, third, back].map(({ epoch }) => epoch)).toEqual([7, 7, 7, 8, 9]);
  expect(lost).toMatchObject({ primary: null, last_primary: 'a' });
});

test('a node on a unix socket has no host', () => {
  const here = { ...node('x'), address: { socketPath: '/run/x.sock' } };
  const document = nextDocument(
    { primary: here, replicas: [], failure: null },
    { cluster: 'c', writer: 'w', epoch: 1, at: 0, validForMs: 1, before: undefined },
  );
  expect(document.primary).toMatchObject({ host: null, port: null, socket: '/run/x.sock' });
});

test.each(['json', 'php'] as const)(
  'what was written as %s is read back, whatever the names are',
  (format) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (name, epoch) => {
        const document = nextDocument(view(`${name}*/ ?> '\\`), {
          cluster: name,
          writer: name,
          epoch,
          at: 1,
          validForMs: 1,
          before: undefined,
        });
        expect(readDocument(writeDocument(document, format), format)).toEqual(document);
      }),
    );
  },
);

test.each([
  '',
  'null',
  '[]',
  '{"format":2}',
  '{',
  '<?php return 1;',
  '{"format":1,"epoch":"x","at":1,"writer":""}',
])('a file that was not written here is no document: %j', (text) => {
  expect(readDocument(text, 'json')).toBeUndefined();
  expect(readDocument(text, 'php')).toBeUndefined();
});
