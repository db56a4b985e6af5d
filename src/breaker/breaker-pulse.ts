/** One unreferenced interval per process that turns the windows of all breakers and looks for calls nobody settled. */
import { EventEmitter } from 'node:events';
import { firedLate } from './timer-lateness.js';

/** Milliseconds between two beats, and the width of one bucket of every window. */
export const PULSE_MS = 1000;

/** What takes part in the pulse. */
export interface PulseMember {
  /** Called on every beat; `stalled` when this process slept, so that deadlines say nothing about the nodes. */
  beat(stalled: boolean): void;
}

/** Emits `rotate` on every beat; shared, so that many breakers cost one timer. */
export const rotation: EventEmitter = new EventEmitter();
rotation.setMaxListeners(0);

const members = new Set<PulseMember>();
let timer: NodeJS.Timeout | undefined;
let dueAt = 0;

/** Adds a member; the returned function removes it, and the timer goes with the last one. */
export function joinPulse(member: PulseMember): () => void {
  members.add(member);
  if (timer === undefined) {
    dueAt = performance.now() + PULSE_MS;
    timer = setInterval(beat, PULSE_MS);
    timer.unref();
  }
  return () => {
    members.delete(member);
    if (members.size === 0 && timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function beat(): void {
  const now = performance.now();
  const stalled = firedLate(dueAt, now, PULSE_MS);
  dueAt = now + PULSE_MS;
  for (const member of members) member.beat(stalled);
  rotation.emit('rotate');
}
