/** A replica with transactions of its own is made anew by a dump. MySQL, and logs that are gone: test/chaos. */
import { test } from 'vitest';
import { rebuildStory } from '../support/rebuild-story.js';

test('what only it has is saved and can be brought back, and it follows again', {
  timeout: 240_000,
}, async () => {
  const took = await rebuildStory(
    { name: 'MariaDB', flavor: 'mariadb', options: { flavor: 'mariadb' } },
    'errant',
  );
  console.log('it followed after', Math.round(took), 'ms');
});
