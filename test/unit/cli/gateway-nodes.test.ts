import { expect, test } from 'vitest';
import { sessionsBefore } from '../../../src/cli/gateway-nodes.js';

const BEFORE = ['cache1:11211', 'cache2'];
const AFTER = ['cache2', 'cache3:11212'];
const SESSIONS = {
  nodes: BEFORE,
  copies: 2,
  placement: { distribution: 'ketama_weighted', weights: [1, 2] },
  addressMap: { 'cache1:11211': '127.0.0.1:1', 'cache2:11211': '127.0.0.1:2' },
} as const;

test('a gateway begins with the old list, and after the change with the new one and what belongs to it', () => {
  for (const step of ['prepare', 'switch', 'cancel'] as const)
    expect(sessionsBefore(SESSIONS, { nodes: AFTER, step })).toBe(SESSIONS);
  expect(sessionsBefore(SESSIONS, undefined)).toBe(SESSIONS);
  const addressMap = { 'cache3:11212': '127.0.0.1:3' };
  expect(sessionsBefore(SESSIONS, { nodes: AFTER, step: 'finish', addressMap })).toEqual({
    nodes: AFTER,
    copies: 2,
    placement: { distribution: 'ketama_weighted' },
    addressMap: { 'cache2:11211': '127.0.0.1:2', 'cache3:11212': '127.0.0.1:3' },
  });
  expect(sessionsBefore(SESSIONS, { nodes: AFTER, step: 'finish', weights: [3, 4] })).toMatchObject({
    placement: { weights: [3, 4] },
  });
});
