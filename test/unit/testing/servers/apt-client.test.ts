import { expect, test } from 'vitest';
import { parsePrintedUris, parseStatusPercent } from '../../../../src/testing/servers/apt-client.js';

test('a plan has name, version and size of every package', () => {
  const text = [
    'Reading package lists...',
    "'http://mirror.test/pool/main/g/gcc/gcc-12-base_12.2.0-14_amd64.deb' gcc-12-base_12.2.0-14_amd64.deb 37540 SHA256:0f",
    "'http://mirror.test/pool/main/z/zlib/zlib1g_1%3a1.2.13_amd64.deb' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86800 MD5Sum:ab",
    '',
  ].join('\n');
  expect(parsePrintedUris(text)).toEqual([
    { name: 'gcc-12-base', version: '12.2.0-14', bytes: 37_540 },
    { name: 'zlib1g', version: '1:1.2.13.dfsg-1', bytes: 86_800 },
  ]);
});

test("apt's status lines are percentages, everything else is not", () => {
  expect(parseStatusPercent('dlstatus:87:86.4849:Retrieving file 87 of 90')).toBe(86);
  expect(parseStatusPercent('dlstatus:1:100.0000:Retrieving file 1 of 1')).toBe(100);
  expect(parseStatusPercent('media-change:a:b:c')).toBeUndefined();
  expect(parseStatusPercent('')).toBeUndefined();
});
