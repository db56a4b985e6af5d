/** A replica with transactions of its own is made anew by a dump. MySQL, and logs that are gone: test/chaos. */
import { test } from 'vitest';
import { rebuildStory } from '../support/rebuild-story.js';
import { saveStory } from '../support/save-story.js';

test('what only it has is saved and can be brought back, and it follows again', {
  timeout: 240_000,
}, async () => {
  const took = await rebuildStory(
    { name: 'MariaDB', flavor: 'mariadb', options: { flavor: 'mariadb' } },
    'errant',
  );
  console.log('it followed after', Math.round(took), 'ms');
});

test('what is not in the logs any more is not called saved', { timeout: 60_000 }, async () => {
  await saveStory({ name: 'MariaDB', flavor: 'mariadb', options: { flavor: 'mariadb' } });
});
