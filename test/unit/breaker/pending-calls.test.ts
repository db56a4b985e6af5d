import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CallSink, PendingCall, PendingCalls } from '../../../src/breaker/pending-calls.js';

const sink: CallSink = { succeeded: () => {}, failed: () => {}, expired: () => {} };

test('calls leave from anywhere and the rest keeps its order', () => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat()), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (plan) => {
      const queue = new PendingCalls();
      const model: PendingCall[] = [];
      for (const step of plan) {
        if (step === 'add') {
          const call = new PendingCall(sink, model.length);
          queue.add(call);
          model.push(call);
        } else {
          const [call] = model.splice(model.length === 0 ? 0 : step % model.length, 1);
          if (call !== undefined) queue.remove(call);
        }
        const order: PendingCall[] = [];
        for (let call = queue.oldest; call !== undefined; call = call.next) order.push(call);
        expect(order.map((call) => model.indexOf(call))).toEqual(model.map((_, index) => index));
      }
    }),
  );
});

test('a call reports its first outcome only', () => {
  const told: string[] = [];
  const call = new PendingCall(
    {
      succeeded: () => told.push('succeeded'),
      failed: () => told.push('failed'),
      expired: () => told.push('expired'),
    },
    0,
  );
  call.failure(new Error('x'));
  call.success();
  call.expire(new Error('y'));
  call.failure(new Error('z'));
  expect(told).toEqual(['failed']);
});
