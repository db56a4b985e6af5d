import { expect, test } from 'vitest';
import { readTopologyFileOptions } from '../../../../src/failover/php-tier/topology-file-options.js';

test('the format follows the ending, and the rest has defaults', () => {
  expect(readTopologyFileOptions({ file: '/run/t.php' })).toEqual({
    file: '/run/t.php',
    format: 'php',
    cluster: 'stormlamp',
    validForMs: 15_000,
    maxLagMs: 5_000,
    maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY,
    addresses: {},
    mode: 0o644,
  });
  expect(readTopologyFileOptions({ file: '/run/t', format: 'json' }).format).toBe('json');
});

test.each([
  [{}, /topologyFile.file/],
  [{ file: '/run/t' }, /topologyFile.format/],
  [{ file: '/run/t.php', validForMs: 10 }, /topologyFile.validForMs/],
  [{ file: '/run/t.php', validFor: 10 }, /did you mean `validForMs`/],
])('%j is refused by name', (options, message) => {
  expect(() => readTopologyFileOptions(options as { file: string })).toThrow(message);
});
