/** A store keeps bytes: of every value, of any number, under ids that differ in case only. */
import assert from 'node:assert/strict';
import type { Story } from './story.js';

/** More than a column of MySQL's type TEXT holds. */
const LARGE = 300_000;

/** Stories about bytes. */
export const BYTE_STORIES: Readonly<Record<string, Story>> = {
  'bytes of every value are kept, also beside a change': async (store) => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const blob = Buffer.concat([Buffer.from('blob|s:256:"'), every, Buffer.from('";')]);
    const { id } = store.create();
    await store.writeRaw(id, Buffer.concat([blob, Buffer.from('n|i:1;')]));
    assert.deepEqual(await store.readRaw(id), Buffer.concat([blob, Buffer.from('n|i:1;')]));
    const session = await store.load(id);
    session.data['n'] = 2;
    await store.save(session);
    assert.deepEqual(await store.readRaw(id), Buffer.concat([blob, Buffer.from('n|i:2;')]));
  },
  'a large session is kept': async (store) => {
    const session = store.create();
    session.data['text'] = 'ü'.repeat(LARGE / 2);
    assert.equal((await store.save(session)).outcome, 'saved');
    assert.equal((await store.load(session.id)).data['text'], session.data['text']);
    const { id } = store.create();
    const bytes = Buffer.from(`text|s:${LARGE}:"${'x'.repeat(LARGE)}";`);
    await store.writeRaw(id, bytes);
    assert.deepEqual(await store.readRaw(id), bytes);
  },
  'ids that differ in case are different': async (store) => {
    const { id } = store.create();
    const [lower, upper] = [`${id}a`, `${id}A`];
    if (!store.options.accept.test(lower) || !store.options.accept.test(upper)) return;
    await store.writeRaw(lower, Buffer.from('user|s:3:"ada";'));
    assert.equal((await store.load(upper)).exists, false);
    await store.writeRaw(upper, Buffer.from('user|s:3:"bob";'));
    assert.equal(String(await store.readRaw(lower)), 'user|s:3:"ada";');
    await store.destroy(upper);
    assert.equal((await store.load(lower)).exists, true);
  },
};
