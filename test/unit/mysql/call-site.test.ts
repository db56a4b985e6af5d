import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { callSite, withoutOwn } from '../../../src/mysql/call-site.js';

test('the caller comes first, however deep it is, and the limit of others is left as it was', () => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 3;
  const here = function theCaller(): string {
    return callSite();
  };
  const [first] = here().split('\n');
  expect(first).toContain('theCaller');
  expect(first).toContain(fileURLToPath(import.meta.url));
  expect(Error.stackTraceLimit).toBe(3);
  Error.stackTraceLimit = limit;
});

test('frames of the package and of Node are left out, unless there are no others', () => {
  const own = '    at run (file:///app/node_modules/stormlamp/dist/mysql/x.js:1:1)';
  const node = '    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)';
  const caller = '    at list (file:///app/server.js:3:4)';
  const home = '/app/node_modules/stormlamp/dist/';
  expect(withoutOwn([own, node, caller], home)).toEqual([caller]);
  expect(withoutOwn([own, node], home)).toEqual([own, node]);
});
