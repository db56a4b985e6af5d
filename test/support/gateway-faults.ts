/** What can happen to the nodes under PHP, through a gateway or by its own handler, as stories: each ends with everything whole again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange } from '../integration/gateway/same-bytes.js';
import type { GatewayRoom } from './gateway-room.js';

/** A story: what happens, while the load goes on. */
export interface FaultStory {
  readonly name: string;
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
    async happen(room, holdMs) {
      await node(room, 0).kill();
      await sleep(holdMs);
      await node(room, 0).start();
    },
  },
  {
    name: 'restart, empty at once',
    async happen(room) {
      await node(room, 0).kill();
      await node(room, 0).start();
    },
  },
  {
    name: 'flush_all',
    async happen(room) {
      await exchange(node(room, 0).realPort, [Buffer.from('flush_all\r\n')]);
    },
  },
  {
    name: 'SIGSTOP and SIGCONT',
    async happen(room, holdMs) {
      await node(room, 0).pause();
      await sleep(holdMs);
      await node(room, 0).resume();
    },
  },
  {
    name: 'one host is cut off from one node, the other is not',
    async happen(room, holdMs) {
      const cut = [room.gateways[0]?.lines[0], room.hosts[0]?.[0]].map((line) => line?.partition());
      await sleep(holdMs);
      for (const one of cut) one?.heal();
    },
  },
  {
    name: 'a slow line to one node',
    async happen(room, holdMs) {
      const slow = room.linesTo(0).map((line) => line.latency({ ms: 150, jitterMs: 100 }));
      await sleep(holdMs);
      for (const one of slow) one?.heal();
    },
  },
  {
    name: 'half-open connections to one node',
    async happen(room, holdMs) {
      const broken = room.linesTo(0).map((line) => line.halfOpen());
      await sleep(holdMs);
      for (const one of broken) one?.heal();
    },
  },
  {
    name: 'both nodes restart empty, the second when the first is filled',
    async happen(room) {
      for (const index of [0, 1]) {
        await node(room, index).kill();
        await node(room, index).start();
        await room.settled();
      }
    },
  },
];

/** Two megabytes hold a few hundred sessions: what one node throws out while `holdMs` pass, the other one has room for. */
export async function runShortOfMemory(room: GatewayRoom, holdMs: number): Promise<void> {
  const { realPort } = node(room, 0);
  await exchange(realPort, [Buffer.from('cache_memlimit 8\r\n')]);
  const value = 'x'.repeat(500_000);
  const junk = Array.from({ length: 60 }, (_, n) => `set junk${n} 0 0 ${value.length}\r\n${value}\r\n`);
  await exchange(realPort, [Buffer.from(junk.join(''))]);
  await sleep(holdMs);
  await exchange(realPort, [Buffer.from('cache_memlimit 64\r\n')]);
}

/** How many items the first node has thrown out. */
export async function evictedItems(room: GatewayRoom): Promise<number> {
  const stats = (await exchange(node(room, 0).realPort, [Buffer.from('stats\r\n')])).toString();
  return Number(/STAT evictions (\d+)/.exec(stats)?.[1] ?? 0);
}
