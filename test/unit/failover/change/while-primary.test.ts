import { expect, test, vi } from 'vitest';
import { whilePrimary } from '../../../../src/failover/change/while-primary.js';

const refused = { code: 'ERR_CHANGE_REFUSED', message: expect.stringMatching(/^db2 is the primary now/) };

test('nothing is begun when another node is the primary', async () => {
  const work = vi.fn();
  await expect(whilePrimary('db1', () => 'db2', work)).rejects.toMatchObject(refused);
  expect(work).not.toHaveBeenCalled();
});
test('it is given up when another node becomes the primary, and its result does not count', async () => {
  let primary: string | undefined = 'db1';
  const work = async (signal: AbortSignal): Promise<string> => {
    primary = 'db2';
    await new Promise((done) => signal.addEventListener('abort', done));
    return 'rebuilt';
  };
  await expect(whilePrimary('db1', () => primary, work)).rejects.toMatchObject(refused);
});
test('that there is no primary for a while is no reason', async () => {
  let primary: string | undefined = 'db1';
  const work = async (signal: AbortSignal): Promise<boolean> => {
    primary = undefined;
    await new Promise((done) => setTimeout(done, 600));
    return signal.aborted;
  };
  expect(await whilePrimary('db1', () => primary, work)).toBe(false);
});
test('what the work fails with is what is told', async () => {
  const work = (): never => {
    throw new Error('the disk is full');
  };
  await expect(whilePrimary('db1', () => 'db1', work)).rejects.toThrow('the disk is full');
});
