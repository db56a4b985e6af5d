/** What people put over a mysql2 pool runs unchanged over the cluster: reads on replicas, writes on the primary. */
import { afterAll, beforeAll, describe } from 'vitest';
import { drizzleStory } from './drizzle.js';
import { knexStory } from './knex.js';
import { kyselyStory } from './kysely.js';
import { type PeerTrio, startPeerTrio } from './peer-trio.js';
import { typeormStory } from './typeorm.js';

describe.each(['mariadb', 'mysql'] as const)('%s', (flavor) => {
  let trio: PeerTrio;
  beforeAll(async () => {
    trio = await startPeerTrio(flavor);
  });
  afterAll(() => trio?.close());

  describe('Kysely', () => kyselyStory(() => trio));
  describe('Knex', () => knexStory(() => trio));
  describe('Drizzle', () => drizzleStory(() => trio));
  describe('TypeORM', () => typeormStory(() => trio));
});
