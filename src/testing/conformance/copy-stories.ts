/** What a save tells of several copies. */
import assert from 'node:assert/strict';
import { type Story, saved } from './story.js';

/** A copy that fails. */
export interface FailedCopy {
  /** Its name, as a save tells it. */
  readonly copy: string;
  /** Lets it work again. */
  mend(): Promise<void> | void;
}

/** Stories about a copy that `fail` lets fail. */
export function copyStories(fail: () => Promise<FailedCopy> | FailedCopy): Readonly<Record<string, Story>> {
  return {
    'a save names no copy that failed': async (store) => {
      const id = await saved(store, { n: 0 });
      const session = await store.load(id);
      session.data['n'] = 1;
      const all = (await store.save(session)).copies;
      assert.ok(all.length > 1, 'more than one copy is kept');
      const { copy, mend } = await fail();
      try {
        assert.ok(all.includes(copy), `${copy} is the name of a copy`);
        session.data['n'] = 2;
        const { copies } = await store.save(session);
        assert.ok(copies.length > 0 && !copies.includes(copy), 'the copies that took it');
        assert.equal((await store.load(id)).data['n'], 2);
      } finally {
        await mend();
      }
    },
  };
}
