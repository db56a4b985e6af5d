/** Every call minds its signal and its options. */
import assert from 'node:assert/strict';
import type { CallOptions } from '../../common/deadline.js';
import type { SessionStorePort } from '../../session/session-store-port.js';
import { plain, type Story, saved } from './story.js';

/** Every call about a session that is there. */
async function callsOn(
  store: SessionStorePort,
  id: string,
): Promise<Readonly<Record<string, (options: CallOptions) => Promise<unknown>>>> {
  const session = await store.load(id);
  session.data['user'] = 'bob';
  return {
    load: (options) => store.load(id, options),
    readRaw: (options) => store.readRaw(id, options),
    save: (options) => store.save(session, options),
    touch: (options) => store.touch(id, options),
    destroy: (options) => store.destroy(id, options),
    regenerate: (options) => store.regenerate(session, options),
    writeRaw: (options) => store.writeRaw(id, Buffer.from('user|s:3:"bob";'), options),
  };
}

/** Stories about calls. */
export const CALL_STORIES: Readonly<Record<string, Story>> = {
  'a call whose signal has fired does nothing': async (store) => {
    const id = await saved(store, { user: 'ada' });
    const signal = AbortSignal.abort();
    for (const [name, call] of Object.entries(await callsOn(store, id)))
      await assert.rejects(call({ signal }), { code: 'ERR_ABORTED' }, name);
    assert.deepEqual(plain((await store.load(id)).data), { user: 'ada' });
  },
  'a call with options that are none is refused, and does nothing': async (store) => {
    const id = await saved(store, { user: 'ada' });
    const wrong: readonly object[] = [{ timeoutMs: -1 }, { timeout: 100 }];
    for (const [name, call] of Object.entries(await callsOn(store, id)))
      for (const options of wrong)
        await assert.rejects(
          call(options),
          { code: 'ERR_INVALID_OPTION' },
          `${name} ${JSON.stringify(options)}`,
        );
    assert.deepEqual(plain((await store.load(id)).data), { user: 'ada' });
  },
};
