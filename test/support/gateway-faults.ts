/** What can happen to the nodes under PHP, as stories: each ends with everything whole again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange } from '../integration/gateway/same-bytes.js';
import type { GatewayRoom } from './gateway-room.js';

/** A story: what happens, while the load goes on. */
export interface FaultStory {
  readonly name: string;
  /** Whether it also happens to PHP's own handler, and not only on a gateway's way to its nodes. */
  readonly native: boolean;
  /** @param holdMs how long each trouble lasts */
  readonly happen: (room: GatewayRoom, holdMs: number) => Promise<void>;
}

const node = (room: GatewayRoom, index: number) => {
  const found = room.servers.memcached[index];
  if (found === undefined) throw new Error(`there is no node ${index}`);
  return found;
};

/** The stories, of two nodes and two gateways. */
export const FAULT_STORIES: readonly FaultStory[] = [
  {
    name: 'kill -9, and back empty later',
    native: true,
    async happen(room, holdMs) {
      await node(room, 0).kill();
      await sleep(holdMs);
      await node(room, 0).start();
    },
  },
  {
    name: 'restart, empty at once',
    native: true,
    async happen(room) {
      await node(room, 0).kill();
      await node(room, 0).start();
    },
  },
  {
    name: 'flush_all',
    native: true,
    async happen(room) {
      await exchange(node(room, 0).realPort, [Buffer.from('flush_all\r\n')]);
    },
  },
  {
    name: 'SIGSTOP and SIGCONT',
    native: true,
    async happen(room, holdMs) {
      await node(room, 0).pause();
      await sleep(holdMs);
      await node(room, 0).resume();
    },
  },
  {
    name: 'one gateway is cut off from one node, the other is not',
    native: false,
    async happen(room, holdMs) {
      const cut = room.gateways[0]?.lines[0]?.partition();
      await sleep(holdMs);
      cut?.heal();
    },
  },
  {
    name: 'a slow line to one node',
    native: false,
    async happen(room, holdMs) {
      const slow = room.gateways.map(({ lines }) => lines[0]?.latency({ ms: 150, jitterMs: 100 }));
      await sleep(holdMs);
      for (const one of slow) one?.heal();
    },
  },
  {
    name: 'half-open connections to one node',
    native: false,
    async happen(room, holdMs) {
      const broken = room.gateways.map(({ lines }) => lines[0]?.halfOpen());
      await sleep(holdMs);
      for (const one of broken) one?.heal();
    },
  },
  {
    name: 'both nodes restart empty, the second when the first is filled',
    native: true,
    async happen(room) {
      for (const index of [0, 1]) {
        await node(room, index).kill();
        await node(room, index).start();
        await room.settled();
      }
    },
  },
];
