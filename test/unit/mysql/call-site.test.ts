import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { callSite, withCaller, withoutOwn } from '../../../src/mysql/call-site.js';

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

test('the caller is added to the stack of an error once, and not to one that many callers get', async () => {
  const theCaller = async (error: Error): Promise<string> => {
    await undefined;
    for (let time = 0; time < 2; time += 1) expect(withCaller(error)).toBe(error);
    return error.stack ?? '';
  };
  const refused = new Error('Duplicate entry');
  refused.stack = 'Error: Duplicate entry\n    at Packet.asError (packet.js:1:1)';
  expect((await theCaller(refused)).split('theCaller')).toHaveLength(2);
  const down = new StormlampError(ErrorCode.NODE_UNREACHABLE, 'down');
  down.stack = 'StormlampError: down';
  expect(await theCaller(down)).toBe('StormlampError: down');
  const late = new StormlampError(ErrorCode.TIMEOUT, 'late');
  late.stack = 'StormlampError: late';
  expect(await theCaller(late)).toContain('theCaller');
  expect(withCaller('no error')).toBe('no error');
});
