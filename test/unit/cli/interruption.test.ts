import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { leaveOn, SignalWatch } from '../../../src/cli/interruption.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])(
  '%s asks the command to end, with exit code %i; another one later ends the process',
  async (name, exitCode) => {
    const source = new EventEmitter();
    const again: number[] = [];
    const watch = new SignalWatch((one) => again.push(one.exitCode), source);
    expect(watch.interruption).toBeUndefined();
    const left = expect(leaveOn(watch.signal, new Promise(() => undefined))).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    source.emit(name, name);
    await left;
    expect(watch.interruption).toMatchObject({ exitCode });
    // As npx sends what the terminal has sent already.
    vi.advanceTimersByTime(100);
    source.emit(name, name);
    expect(again).toEqual([]);
    vi.advanceTimersByTime(500);
    source.emit('SIGINT', 'SIGINT');
    expect(again).toEqual([130]);
    watch.stop();
    expect([source.listenerCount('SIGINT'), source.listenerCount('SIGTERM')]).toEqual([0, 0]);
  },
);
