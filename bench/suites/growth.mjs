/** What grows with the site: replicas, statements, sessions to copy, processes that watch; and what a process costs at all. */
import { growthOfMonitoring } from '../growth/monitoring.mjs';
import { costOfProcess } from '../growth/process-cost.mjs';
import { growthOfReplicas } from '../growth/replicas.mjs';
import { growthOfResync } from '../growth/resync.mjs';
import { growthOfStatements } from '../growth/statements.mjs';

const PARTS = {
  'replicas, and what a process costs': async (options) => {
    await growthOfReplicas(options, costOfProcess);
  },
  'statements in the cache': growthOfStatements,
  'processes that watch': growthOfMonitoring,
  'sessions to copy': growthOfResync,
};

export const suite = {
  title: 'Growth',
  setup: async () => ({ context: undefined, close: async () => undefined }),
  async measure({ found, signal, onProgress, ...options }) {
    found.rounds = 0;
    for (const [name, part] of Object.entries(PARTS)) {
      if (signal.aborted) return;
      onProgress(name);
      try {
        await part({ ...options, found, signal, onProgress: (text) => onProgress(`${name}: ${text}`) });
      } catch (error) {
        if (signal.aborted) return;
        found.notes.push(`${name}: ${error.message}.`);
        found.isWhole = false;
      }
    }
  },
};
