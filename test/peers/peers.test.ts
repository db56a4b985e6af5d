/** What people put over a mysql2 pool runs unchanged over the cluster: reads on replicas, writes on the primary. */
import { afterAll, beforeAll, describe } from 'vitest';
import { CLIENT_DATABASES } from '../integration/client-databases.js';
import { drizzleStory } from './drizzle.js';
import { knexStory } from './knex.js';
import { kyselyStory } from './kysely.js';
import { kyselyCancelStory } from './kysely-cancel.js';
import { migrationsStory } from './migrations.js';
import { type PeerTrio, startPeerTrio } from './peer-trio.js';
import { typeormStory } from './typeorm.js';

describe.each(CLIENT_DATABASES)('$name', (database) => {
  let trio: PeerTrio;
  beforeAll(async () => {
    trio = await startPeerTrio(database);
  });
  afterAll(() => trio?.close());

  describe('Kysely', () => kyselyStory(() => trio));
  describe('Kysely that cancels', () => kyselyCancelStory(() => trio));
  describe('Knex', () => knexStory(() => trio));
  describe('Drizzle', () => drizzleStory(() => trio));
  describe('TypeORM', () => typeormStory(() => trio));
  describe('migrations', () => migrationsStory(() => trio));
});
