/** The point SELECT alone: no peer does anything else, and no server has writes of others to apply. */
import { suite as queries } from './queries.mjs';

export { peers } from './queries.mjs';

export const suite = {
  ...queries,
  name: 'selects',
  title: 'Nothing but point SELECTs',
  rounds: 7,
  works: () => [{ name: 'point SELECT, query', ms: 600, warmMs: 1000, atOnce: [50] }],
  goals: [],
};
